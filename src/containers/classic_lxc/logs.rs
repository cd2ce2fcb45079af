//! The logs of a classic container: the file of its console on the host, and its journal.

use std::path::PathBuf;
use std::time::Instant;

use super::{ClassicLxc, disk};
use crate::containers::{ContainerName, Error, LogLimits, Logs, Status, journal, text};

impl ClassicLxc {
    pub(super) fn read_console(&self, name: &ContainerName, limits: LogLimits) -> Result<Logs, Error> {
        let Some(path) = self.config(name)?.get("lxc.console.logfile").map(PathBuf::from) else {
            return Ok(text::tail(b"", false, limits));
        };
        let (end, more) = disk::read_end(&path, limits.bytes)?;
        Ok(text::tail(&end, more, limits))
    }

    /// Reads the journal by a program inside, which is killed at the deadline. One reading per container at a time.
    pub(super) fn read_journal(
        &self,
        name: &ContainerName,
        limits: LogLimits,
        deadline: Instant,
    ) -> Result<Option<Logs>, Error> {
        let _lock = self.journals.lock(&[name], deadline)?;
        if self.row(name, deadline)?.status != Status::Running {
            return Ok(None);
        }
        let root = self.root(name, deadline)?;
        if !self.inside(name, deadline, move || Ok(root.has_folder(journal::BOOTED)))? {
            return Ok(None);
        }
        let command = journal::command(limits, None);
        let arguments: Vec<&str> =
            ["--clear-env", "--"].into_iter().chain(command.iter().map(String::as_str)).collect();
        let output = self.run_tool("lxc-attach", name, &arguments, deadline)?;
        if output.code() == Some(journal::NO_PROGRAM) {
            return Ok(None);
        }
        let raw = output.ok()?;
        Ok(Some(text::tail(raw.as_bytes(), raw.len() > limits.bytes, limits)))
    }
}
