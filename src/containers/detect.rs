//! Finds the runtime of this box. An existing socket decides, even if nothing answers on it: a runtime that is down is
//! a failure to report, not a missing runtime.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use crate::threads::lock;

use super::{Away, ClassicLxc, Driver, Error, IncusLxd, NoRuntime, Runtime};

/// What the operator chose (`--containers`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The first one found: Incus, LXD, classic LXC.
    #[default]
    Auto,
    /// This runtime and no other.
    Only(Runtime),
}

impl FromStr for Choice {
    type Err = super::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "incus" => Ok(Self::Only(Runtime::Incus)),
            "lxd" => Ok(Self::Only(Runtime::Lxd)),
            "lxc" => Ok(Self::Only(Runtime::Lxc)),
            "none" => Ok(Self::Only(Runtime::None)),
            _ => Err(super::InvalidName("container runtime: auto, incus, lxd, lxc or none")),
        }
    }
}

/// The places in which runtimes are searched.
#[derive(Debug, Clone)]
pub struct SocketPlaces {
    /// Sockets of Incus, in order of preference.
    pub incus: Vec<PathBuf>,
    /// Sockets of LXD, in order of preference.
    pub lxd: Vec<PathBuf>,
    /// The folder of classic LXC's containers.
    pub lxc_path: PathBuf,
    /// The folder of classic LXC's images.
    pub lxc_images: PathBuf,
}

impl Default for SocketPlaces {
    fn default() -> Self {
        Self {
            incus: vec!["/var/lib/incus/unix.socket".into(), "/run/incus/unix.socket".into()],
            lxd: vec!["/var/lib/lxd/unix.socket".into(), "/var/snap/lxd/common/lxd/unix.socket".into()],
            lxc_path: "/var/lib/lxc".into(),
            lxc_images: "/var/lib/lxc/.images".into(),
        }
    }
}

/// The settings that choose the driver.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// The operator's choice.
    pub choice: Choice,
    /// The operator's socket (`--containers-socket`); with `lxc`, the folder of the containers. With `auto`, its path
    /// tells the runtime: Incus if it contains `incus`, else LXD.
    pub socket: Option<PathBuf>,
    /// The places to search if the operator names no socket.
    pub places: SocketPlaces,
}

/// The runtime of this box, found when it is first needed. While there is none, each call searches again, so the daemon
/// needs no restart when a runtime is installed.
pub struct Containers {
    options: RuntimeOptions,
    found: Mutex<Option<Arc<dyn Driver>>>,
}

impl Containers {
    /// Makes one that has not searched yet.
    #[must_use]
    pub fn new(options: RuntimeOptions) -> Self {
        Self { options, found: Mutex::new(None) }
    }

    /// Returns the driver of this box's runtime, [`NoRuntime`] if it has none. This costs a few `stat` calls at most.
    /// It does not check that the runtime answers.
    ///
    /// # Errors
    /// [`Error::RuntimeUnavailable`] if the operator's choice is not there.
    pub fn driver(&self) -> Result<Arc<dyn Driver>, Error> {
        let mut found = lock(&self.found);
        if let Some(driver) = found.as_ref() {
            return Ok(Arc::clone(driver));
        }
        let driver = detect(&self.options)?;
        if driver.runtime() != Runtime::None {
            log::info!("the container runtime is {}", driver.runtime());
            *found = Some(Arc::clone(&driver));
        }
        Ok(driver)
    }
}

fn detect(options: &RuntimeOptions) -> Result<Arc<dyn Driver>, Error> {
    match options.choice {
        Choice::Only(runtime) => chosen(runtime, options),
        Choice::Auto => Ok(first(options)),
    }
}

fn chosen(runtime: Runtime, options: &RuntimeOptions) -> Result<Arc<dyn Driver>, Error> {
    let sockets = match runtime {
        Runtime::Incus => &options.places.incus,
        Runtime::Lxd => &options.places.lxd,
        Runtime::Lxc => {
            return lxc(options)
                .ok_or_else(|| Error::unavailable(runtime, Away::Absent, "its tools or its folder are not here"));
        }
        Runtime::None => return Ok(Arc::new(NoRuntime)),
    };
    if let Some(socket) = &options.socket {
        return match is_there(socket) {
            true => Ok(Arc::new(IncusLxd::new(runtime, socket))),
            false => Err(Error::unavailable(runtime, Away::Absent, format!("there is no {}", socket.display()))),
        };
    }
    let socket = sockets.iter().find(|socket| is_there(socket));
    let socket = socket.ok_or_else(|| Error::unavailable(runtime, Away::Absent, "it has no socket on this host"))?;
    Ok(Arc::new(IncusLxd::new(runtime, socket)))
}

fn first(options: &RuntimeOptions) -> Arc<dyn Driver> {
    if let Some(socket) = &options.socket {
        let incus = socket.to_string_lossy().contains("incus");
        return Arc::new(IncusLxd::new(if incus { Runtime::Incus } else { Runtime::Lxd }, socket));
    }
    let places = &options.places;
    let rest = [(Runtime::Incus, &places.incus), (Runtime::Lxd, &places.lxd)];
    for (runtime, sockets) in rest {
        if let Some(socket) = sockets.iter().find(|socket| is_there(socket)) {
            return Arc::new(IncusLxd::new(runtime, socket));
        }
    }
    lxc(options).unwrap_or_else(|| Arc::new(NoRuntime))
}

fn lxc(options: &RuntimeOptions) -> Option<Arc<dyn Driver>> {
    let path = match (&options.choice, &options.socket) {
        (Choice::Only(Runtime::Lxc), Some(path)) => path,
        _ => &options.places.lxc_path,
    };
    let driver = ClassicLxc::find(path, &options.places.lxc_images)?;
    if is_there(path) { Some(Arc::new(driver)) } else { None }
}

/// Only "no such file" means absent: a path that the daemon may not inspect may exist.
fn is_there(path: &Path) -> bool {
    let absent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    !path.symlink_metadata().is_err_and(|error| absent(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> SocketPlaces {
        let absent = PathBuf::from("/nonexistent/unix.socket");
        SocketPlaces {
            incus: vec![absent.clone()],
            lxd: vec![absent.clone()],
            lxc_path: absent.clone(),
            lxc_images: absent,
        }
    }

    #[test]
    fn a_host_without_a_runtime_has_none() {
        let containers = Containers::new(RuntimeOptions { places: nowhere(), ..RuntimeOptions::default() });
        assert_eq!(containers.driver().unwrap().runtime(), Runtime::None);
    }

    #[test]
    fn a_chosen_runtime_that_is_not_there_is_an_error_not_none() {
        for runtime in [Runtime::Incus, Runtime::Lxd, Runtime::Lxc] {
            let options = RuntimeOptions { choice: Choice::Only(runtime), places: nowhere(), socket: None };
            let error = Containers::new(options).driver().err().unwrap();
            assert!(matches!(error, Error::RuntimeUnavailable { runtime: r, .. } if r == runtime), "{error}");
        }
    }

    #[test]
    fn incus_comes_before_lxd() {
        let here = PathBuf::from("/dev/null");
        let places = SocketPlaces { incus: vec![here.clone()], lxd: vec![here], ..nowhere() };
        let containers = Containers::new(RuntimeOptions { places, ..RuntimeOptions::default() });
        assert_eq!(containers.driver().unwrap().runtime(), Runtime::Incus);
    }
}
