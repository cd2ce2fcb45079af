//! The driver for classic LXC. LXC's tools start and stop containers, and configuration files hold the rest. A
//! container is a folder below one path, and a folder without a configuration is no container.

mod call_places;
mod capacity;
pub(crate) mod config;
mod disk;
pub(crate) mod inside;
mod launch;
mod logs;
mod make;
mod network;
mod proxy;
mod rows;
mod tools;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use self::call_places::CallPlaces;
use self::config::LxcConfig;
use self::disk::Draft;
use self::inside::Root;
use self::proxy::Proxies;
pub(crate) use self::rows::Row;
use self::tools::ToolOutput;
use super::address::pick_address;
use super::locks::Locks;
use super::node::Capacity;
use super::values::host_path;
use super::{
    ContainerName, ContainerPath, ContainerState, CreateSpec, Detail, Driver, EnvChange, EnvKey, EnvState, Error,
    FileSpec, Info, LogLimits, Logs, MAX_FILE, Runtime, SnapshotName, Status, Until, text,
};

/// Classic LXC below one folder.
pub struct ClassicLxc {
    path: PathBuf,
    images: PathBuf,
    locks: Locks,
    journals: Locks,
    proxies: Proxies,
    places: CallPlaces,
}

impl ClassicLxc {
    /// Returns the driver for the containers below `path`; `None` if this box does not have LXC's tools. Images are
    /// folders below `images` with `rootfs` and optionally `config`, the first lines of a new container's
    /// configuration.
    #[must_use]
    pub fn find(path: &Path, images: &Path) -> Option<Self> {
        tools::find("lxc-start")?;
        Some(Self {
            path: path.to_owned(),
            images: images.to_owned(),
            locks: Locks::new(Runtime::Lxc),
            journals: Locks::new(Runtime::Lxc),
            proxies: Proxies::default(),
            places: CallPlaces::default(),
        })
    }

    fn folder(&self, name: &ContainerName) -> PathBuf {
        self.path.join(name.as_str())
    }

    fn config_path(&self, name: &ContainerName) -> PathBuf {
        self.folder(name).join("config")
    }

    fn config(&self, name: &ContainerName) -> Result<LxcConfig, Error> {
        disk::read_config(&self.config_path(name))?.ok_or_else(|| Error::NotFound(name.to_string()))
    }

    /// Changes a configuration, all or nothing.
    fn edit(&self, name: &ContainerName, edit: impl FnOnce(&mut LxcConfig), deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        let before = self.config(name)?;
        let mut after = before.clone();
        edit(&mut after);
        if after == before { Ok(()) } else { disk::write_config(&self.config_path(name), &after) }
    }

    /// Runs a tool on one container.
    fn tool<'a>(
        &self,
        tool: &str,
        name: &ContainerName,
        more: &[&str],
        until: impl Into<Until<'a>>,
    ) -> Result<String, Error> {
        self.run_tool(tool, name, more, until)?.ok()
    }

    fn run_tool<'a>(
        &self,
        tool: &str,
        name: &ContainerName,
        more: &[&str],
        until: impl Into<Until<'a>>,
    ) -> Result<ToolOutput, Error> {
        let path = host_path(&self.path)?;
        tools::run(tool, &[&["-n", name.as_str(), "-P", path], more].concat(), until)
    }

    fn state(&self, row: Row) -> Result<ContainerState, Error> {
        let config = self.config(&row.name)?;
        let addresses = row.pid.map(network::addresses).unwrap_or_default();
        Ok(ContainerState {
            status: row.status,
            owner: config.note("owner").map(str::to_owned),
            ip: pick_address(addresses.iter().copied()).map(|ip| ip.to_string()),
            addresses,
            links: config.links(),
            mounts: config.mounts(),
            memory_mb: row.memory_mb,
            memory_limit_mb: config.memory_limit().map(|bytes| bytes >> 20),
            cpu_cores: config.cpus(),
            boot: row.pid.and_then(boot),
            name: row.name,
        })
    }

    /// Opens something through `/proc/PID` of the container's first process. It looks the process up again afterwards:
    /// if it is still the same one, its number was not reused in between.
    fn through_init<T>(
        &self,
        name: &ContainerName,
        pid: u32,
        open: impl FnOnce(u32) -> std::io::Result<T>,
        deadline: Instant,
    ) -> Result<T, Error> {
        let before = boot(pid);
        let opened = open(pid).map_err(|error| Error::io("looking into a container", &error))?;
        let now = self.row(name, deadline)?.pid;
        let same = now == Some(pid) && before.is_some() && boot(pid) == before;
        if same { Ok(opened) } else { Err(Error::failed("the container has just stopped or restarted")) }
    }

    fn root(&self, name: &ContainerName, deadline: Instant) -> Result<Root, Error> {
        match self.row(name, deadline)?.pid {
            Some(pid) => self.through_init(name, pid, Root::of_process, deadline),
            None => Root::of_folder(&self.folder(name).join("rootfs"), &self.config(name)?.values("lxc.idmap"))
                .map_err(|error| Error::io("opening a container's root", &error)),
        }
    }

    /// Works on a container's files in a thread of its own, so that a file system that hangs blocks a thread and not
    /// the caller.
    fn inside<T: Send + 'static>(
        &self,
        name: &ContainerName,
        deadline: Instant,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.places.take(name, deadline)?;
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let done = work();
            drop(place);
            // The caller no longer listens if the result comes too late.
            let _ = sender.send(done);
        });
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(done) => done.map_err(|error| Error::io("a file in a container", &error)),
            Err(_) => Err(Error::Deadline(Runtime::Lxc)),
        }
    }

    /// Opens the connection to the daemon that the configuration asks for, if the container runs.
    fn open_proxy(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        let config = self.config(name)?;
        let Some(socket) = config.note("proxy") else { return Ok(()) };
        let Some(pid) = self.row(name, deadline)?.pid else { return Ok(()) };
        let Some(boot) = boot(pid) else { return Ok(()) };
        let network = self.through_init(name, pid, |pid| File::open(format!("/proc/{pid}/ns/net")), deadline)?;
        let opened = self.proxies.open(name, &boot, network.as_fd(), Path::new(socket));
        opened.map_err(|error| Error::io("listening inside a container", &error))
    }

    fn refused_unless_running(&self, name: &ContainerName, deadline: Instant) -> Result<Status, Error> {
        match self.row(name, deadline)?.status {
            Status::Stopped => Err(Error::refused("it does not run")),
            other => Ok(other),
        }
    }

    fn refused_unless_stopped(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        match self.row(name, deadline)?.status {
            Status::Stopped => Ok(()),
            _ => Err(Error::refused("it is not stopped")),
        }
    }
}

/// Identifies this run of a process: the boot of the host, the process's number and its start time.
fn boot(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22; the second field may contain blanks and brackets.
    let began = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    let host = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}:{pid}:{began}", host.trim()))
}

impl Driver for ClassicLxc {
    fn runtime(&self) -> Runtime {
        Runtime::Lxc
    }

    fn images(&self, _: Instant) -> Result<Vec<String>, Error> {
        Ok(self.known_images())
    }

    fn capacity(&self, _: Instant) -> Result<Capacity, Error> {
        Ok(capacity::of_this_box())
    }

    fn info(&self, deadline: Instant) -> Result<Info, Error> {
        let version = tools::run("lxc-start", &["--version"], deadline)?.ok()?;
        Ok(Info { runtime: Runtime::Lxc, version: text::one_line(&version, 64) })
    }

    fn list(&self, _: Detail, deadline: Instant) -> Result<Vec<ContainerState>, Error> {
        let rows = self.rows(deadline)?.into_iter();
        // One that is deleted meanwhile, or whose configuration cannot be read, must not hide the others.
        Ok(rows
            .filter_map(|row| {
                let name = row.name.clone();
                self.state(row).inspect_err(|error| log::debug!("container {name} is left out: {error}")).ok()
            })
            .collect())
    }

    fn get(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error> {
        self.state(self.row(name, deadline)?)
    }

    fn ran_before_boot(&self, deadline: Instant) -> Result<Vec<ContainerName>, Error> {
        self.ran_in_another_boot(deadline)
    }

    /// Always `false`: only this process creates containers, and its call returns when the work is done.
    fn is_at_work(&self, _: &ContainerName, _: Instant) -> Result<bool, Error> {
        Ok(false)
    }

    fn create(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error> {
        self.make(name, spec, until)
    }

    fn clear_draft(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        Draft::clear(&self.folder(name), deadline)
    }

    fn start(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error> {
        let deadline = until.deadline;
        let _lock = self.locks.lock(&[name], deadline)?;
        match self.row(name, deadline)?.status {
            Status::Running => {}
            Status::Frozen => self.tool("lxc-unfreeze", name, &[], deadline).map(|_| ())?,
            _ => {
                self.heal(name)?;
                self.launch(name, until)?;
            }
        }
        self.open_proxy(name, deadline)
    }

    fn stop(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        let status = self.row(name, deadline)?.status;
        let mut stopped = status == Status::Stopped;
        if !stopped && (!grace.is_zero() || !force) {
            if status == Status::Frozen {
                self.tool("lxc-unfreeze", name, &[], deadline)?;
            }
            let seconds = grace.as_secs().max(1).to_string();
            let asked = self.tool("lxc-stop", name, &["-t", &seconds, "--nokill"], deadline);
            stopped = self.row(name, deadline)?.status == Status::Stopped;
            if !stopped && !force {
                return asked.and(Err(Error::failed("it did not shut down in time")));
            }
        }
        if !stopped {
            let killed = self.tool("lxc-stop", name, &["-k"], deadline);
            if self.row(name, deadline)?.status != Status::Stopped {
                return killed.and(Err(Error::failed("it was killed and still runs")));
            }
        }
        self.proxies.close(name);
        self.note_run(name, None)
    }

    fn freeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        match self.refused_unless_running(name, deadline)? {
            Status::Frozen => Ok(()),
            _ => self.tool("lxc-freeze", name, &[], deadline).map(|_| ()),
        }
    }

    fn unfreeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        match self.refused_unless_running(name, deadline)? {
            Status::Running => Ok(()),
            _ => self.tool("lxc-unfreeze", name, &[], deadline).map(|_| ()),
        }
    }

    fn delete(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        self.refused_unless_stopped(name, deadline)?;
        self.heal(name)?;
        self.proxies.close(name);
        self.tool("lxc-destroy", name, &["-s"], deadline).map(|_| ())
    }

    fn rename(&self, name: &ContainerName, to: &ContainerName, deadline: Instant) -> Result<(), Error> {
        if name == to {
            return Err(Error::AlreadyExists(to.to_string()));
        }
        let _lock = self.locks.lock(&[name, to], deadline)?;
        self.refused_unless_stopped(name, deadline)?;
        self.heal(name)?;
        self.move_to(name, to)
    }

    fn snapshot(&self, name: &ContainerName, snapshot: &SnapshotName, deadline: Instant) -> Result<(), Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        self.refused_unless_stopped(name, deadline)?;
        self.copy(name, snapshot, deadline)
    }

    fn set_env(&self, name: &ContainerName, changes: &[EnvChange], deadline: Instant) -> Result<(), Error> {
        let edit = |config: &mut LxcConfig| {
            for EnvChange { key, value } in changes {
                config.set_env(key.as_str(), value.as_ref().map(|value| value.reveal()));
            }
        };
        self.edit(name, edit, deadline)
    }

    fn check_env(
        &self,
        name: &ContainerName,
        key: &EnvKey,
        test: &dyn Fn(&str) -> bool,
        _deadline: Instant,
    ) -> Result<EnvState, Error> {
        Ok(match self.config(name)?.env(key.as_str()) {
            None => EnvState::Absent,
            Some(value) if test(value) => EnvState::Matches,
            Some(_) => EnvState::Differs,
        })
    }

    fn write_file(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error> {
        if file.content.len() > MAX_FILE {
            return Err(Error::refused("the file is too long"));
        }
        let (root, file) = (self.root(name, deadline)?, file.clone());
        self.inside(name, deadline, move || root.write(&file))
    }

    fn read_file(
        &self,
        name: &ContainerName,
        path: &ContainerPath,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (root, path) = (self.root(name, deadline)?, path.clone());
        self.inside(name, deadline, move || root.read(&path))
    }

    fn remove_file(&self, name: &ContainerName, path: &ContainerPath, deadline: Instant) -> Result<(), Error> {
        let (root, path) = (self.root(name, deadline)?, path.clone());
        self.inside(name, deadline, move || root.remove(&path))
    }

    fn logs(&self, name: &ContainerName, limits: LogLimits, _deadline: Instant) -> Result<Logs, Error> {
        self.read_console(name, limits)
    }

    fn journal(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Option<Logs>, Error> {
        self.read_journal(name, limits, deadline)
    }

    fn ensure_proxy(&self, name: &ContainerName, socket: &Path, deadline: Instant) -> Result<(), Error> {
        let socket = host_path(socket)?;
        self.edit(name, |config| config.set_note("proxy", Some(socket)), deadline)?;
        self.open_proxy(name, deadline)
    }

    fn remove_proxy(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error> {
        self.edit(name, |config| config.set_note("proxy", None), deadline)?;
        self.proxies.close(name);
        Ok(())
    }
}
