//! The driver of a box without containers: it lists none, and every other call says why it fails.

use std::path::Path;
use std::time::{Duration, Instant};

use super::node::Capacity;
use super::{
    Away, ContainerName, ContainerPath, ContainerState, CreateSpec, Detail, Driver, EnvChange, EnvKey, EnvState, Error,
    FileSpec, Info, LogLimits, Logs, Runtime, SnapshotName, Until,
};

/// No runtime: an empty list, and [`Error::RuntimeUnavailable`] for everything else.
#[derive(Debug, Clone, Copy)]
pub struct NoRuntime;

fn unavailable<T>() -> Result<T, Error> {
    Err(Error::unavailable(Runtime::None, Away::Absent, "this host has no container runtime"))
}

impl Driver for NoRuntime {
    fn runtime(&self) -> Runtime {
        Runtime::None
    }

    fn info(&self, _: Instant) -> Result<Info, Error> {
        Ok(Info { runtime: Runtime::None, version: String::new() })
    }

    fn capacity(&self, _: Instant) -> Result<Capacity, Error> {
        unavailable()
    }

    fn list(&self, _: Detail, _: Instant) -> Result<Vec<ContainerState>, Error> {
        Ok(Vec::new())
    }

    fn get(&self, _: &ContainerName, _: Instant) -> Result<ContainerState, Error> {
        unavailable()
    }

    fn is_at_work(&self, _: &ContainerName, _: Instant) -> Result<bool, Error> {
        unavailable()
    }

    fn create(&self, _: &ContainerName, _: &CreateSpec, _: Until<'_>) -> Result<(), Error> {
        unavailable()
    }

    fn start(&self, _: &ContainerName, _: Until<'_>) -> Result<(), Error> {
        unavailable()
    }

    fn stop(&self, _: &ContainerName, _: Duration, _: bool, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn freeze(&self, _: &ContainerName, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn unfreeze(&self, _: &ContainerName, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn delete(&self, _: &ContainerName, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn rename(&self, _: &ContainerName, _: &ContainerName, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn snapshot(&self, _: &ContainerName, _: &SnapshotName, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn set_env(&self, _: &ContainerName, _: &[EnvChange], _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn check_env(
        &self,
        _: &ContainerName,
        _: &EnvKey,
        _: &dyn Fn(&str) -> bool,
        _: Instant,
    ) -> Result<EnvState, Error> {
        unavailable()
    }

    fn write_file(&self, _: &ContainerName, _: &FileSpec, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn read_file(&self, _: &ContainerName, _: &ContainerPath, _: Instant) -> Result<Option<Vec<u8>>, Error> {
        unavailable()
    }

    fn remove_file(&self, _: &ContainerName, _: &ContainerPath, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn logs(&self, _: &ContainerName, _: LogLimits, _: Instant) -> Result<Logs, Error> {
        unavailable()
    }

    fn journal(&self, _: &ContainerName, _: LogLimits, _: Instant) -> Result<Option<Logs>, Error> {
        unavailable()
    }

    fn ensure_proxy(&self, _: &ContainerName, _: &Path, _: Instant) -> Result<(), Error> {
        unavailable()
    }

    fn remove_proxy(&self, _: &ContainerName, _: Instant) -> Result<(), Error> {
        unavailable()
    }
}
