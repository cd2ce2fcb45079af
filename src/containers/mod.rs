//! The containers that agents live in: one small trait, one driver for Incus and LXD (the same REST API), one for
//! classic LXC, and one for a box without a runtime (DESIGN D14).
//!
//! This module knows nothing of agents, tokens, grants or the database. It provides the steps of token delivery,
//! lifecycle, deploy and archive. It keeps three promises: no secret is in an argument list, a log line or an error; no
//! other failure reads like "there is no such container"; no call outlives its deadline.

mod address;
mod away;
pub(crate) mod classic_lxc;
mod detect;
mod error;
pub(crate) mod incus_lxd;
mod journal;
mod locks;
mod name;
pub mod node;
mod none;
mod size;
pub(crate) mod text;
mod until;
mod values;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use away::Away;
pub use classic_lxc::ClassicLxc;
pub use detect::{Choice, Containers, RuntimeOptions, SocketPlaces};
pub use error::{Error, Runtime};
pub use incus_lxd::IncusLxd;
pub use journal::{LogSource, read_log};
pub use name::{ContainerName, ImageName, InvalidName, SnapshotName};
pub use node::{ContainerPlace, NodeName, NodeOptions};
pub use none::NoRuntime;
pub use size::parse_bytes;
pub use text::{LogLimits, Logs};
pub use until::Until;
pub use values::{ContainerPath, CreateSpec, EnvChange, EnvKey, EnvState, EnvValue, FileSpec, MAX_FILE, Mount};

/// The address of the daemon, as seen from inside an agent's container.
pub const INSIDE_ADDRESS: &str = "127.0.0.1:6969";

/// The kind and the version of a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The kind of runtime.
    pub runtime: Runtime,
    /// Its version; empty if it has none.
    pub version: String,
}

/// The status of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its processes run.
    Running,
    /// Its processes are paused.
    Frozen,
    /// It has no processes.
    Stopped,
    /// The runtime reports an error.
    Error,
    /// Any other status, such as a change from one to another.
    Other,
}

/// One container as the runtime sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// Its name.
    pub name: ContainerName,
    /// Its status.
    pub status: Status,
    /// The owner it was created for ([`CreateSpec::owner`]); `None` if another program created it.
    pub owner: Option<String>,
    /// Its first address that is neither loopback nor link-local, IPv4 before IPv6.
    pub ip: Option<String>,
    /// All addresses that it reports. Do not trust them: root inside can report any address.
    pub addresses: Vec<IpAddr>,
    /// The host's ends of its network cards, as the runtime made them. The container's networks are behind them.
    pub links: Vec<String>,
    /// The host's folders that the daemon mounted in it ([`CreateSpec::mounts`]).
    pub mounts: Vec<PathBuf>,
    /// Memory in use, in MiB.
    pub memory_mb: Option<u64>,
    /// Its memory limit, in MiB.
    pub memory_limit_mb: Option<u64>,
    /// The number of processors it may use.
    pub cpu_cores: Option<u32>,
    /// Identifies one run of the container, across restarts of it, of the runtime and of the host; `None` if it does
    /// not run. Compare it only for equality. If it equals the value noted when a token was delivered, the processes
    /// inside may still have the environment from before.
    pub boot: Option<String>,
}

/// How much detail a list has of each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The stored facts: name, status, owner, limits. The other fields may be `None`.
    Brief,
    /// All of [`ContainerState`], except for containers whose state cannot be read. LXD then inspects the running
    /// containers one after the other: some 20 ms each on a fast machine.
    Full,
}

/// A container runtime. Every call blocks until it is done or `deadline` has passed, and may be made from many threads.
///
/// The calls that set a state (`start`, `stop`, `freeze`, `unfreeze`, `set_env`, `ensure_proxy`, `remove_proxy`,
/// `remove_file`) succeed if the state is set already, so a caller can repeat one after a crash. Errors: see [`Error`].
pub trait Driver: Send + Sync {
    /// The kind of runtime, without a request.
    fn runtime(&self) -> Runtime;

    /// The node that the runtime is on; `None` for this box, whose Unix sockets its containers can reach by a proxy.
    fn node(&self) -> Option<&str> {
        None
    }

    /// The memory, processors and load of the runtime's machine.
    fn capacity(&self, deadline: Instant) -> Result<node::Capacity, Error>;

    /// Asks the runtime for its version, which proves that it answers.
    fn info(&self, deadline: Instant) -> Result<Info, Error>;

    /// The names of the runtime's images; empty if its images have no names.
    fn images(&self, _deadline: Instant) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// All containers, whoever created them, by one request. Containers whose names break the rule of [`ContainerName`]
    /// are left out.
    fn list(&self, detail: Detail, deadline: Instant) -> Result<Vec<ContainerState>, Error>;

    /// One container. Root inside decides how long its addresses are. If they are too many to be read, this has no more
    /// than [`Driver::brief`], and a running container has no `boot`.
    fn get(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error>;

    /// The stored facts of one container, as in a [`Detail::Brief`] list. Nothing inside can make them unreadable.
    fn brief(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error> {
        self.get(name, deadline)
    }

    /// The containers that ran when the host went down and do not run now, if the runtime does not start them again
    /// itself (classic LXC).
    fn ran_before_boot(&self, _deadline: Instant) -> Result<Vec<ContainerName>, Error> {
        Ok(Vec::new())
    }

    /// Whether the runtime is working on a container of this name, which it may not list yet.
    fn is_at_work(&self, name: &ContainerName, deadline: Instant) -> Result<bool, Error>;

    /// Creates a container and does not start it. [`Error::AlreadyExists`] if the name is taken. After any other error,
    /// [`Error::Cancelled`] too, nothing is left, or what is left has the owner of `spec` and can be deleted.
    fn create(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error>;

    /// Removes the files that an interrupted `create` has left beside the container's folder.
    fn clear_draft(&self, _name: &ContainerName, _deadline: Instant) -> Result<(), Error> {
        Ok(())
    }

    /// Starts it, or unfreezes it if it is frozen. After [`Error::Cancelled`] it may run.
    fn start(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error>;

    /// Asks it to shut down and waits for `grace`. If it still runs then, `force` kills it; without `force` the call
    /// fails and it runs on. With no grace and `force` it is killed at once. A frozen one is unfrozen to shut down.
    fn stop(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error>;

    /// Calls `stop` and `start`: its processes begin anew, with the environment of the configuration.
    fn restart(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error> {
        self.stop(name, grace, force, deadline)?;
        self.start(name, deadline.into())
    }

    /// Freezes its processes. [`Error::Refused`] if it does not run.
    fn freeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Unfreezes its processes. [`Error::Refused`] if it does not run.
    fn unfreeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Deletes it with its snapshots. [`Error::Refused`] unless it is stopped.
    fn delete(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Renames it. [`Error::Refused`] unless it is stopped, [`Error::AlreadyExists`] if `to` is taken.
    fn rename(&self, name: &ContainerName, to: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Takes a snapshot of it, kept by the runtime. [`Error::AlreadyExists`] if it has one of this name. Classic LXC
    /// refuses unless it is stopped.
    fn snapshot(&self, name: &ContainerName, snapshot: &SnapshotName, deadline: Instant) -> Result<(), Error>;

    /// Sets and removes variables, all or none. Running processes keep the environment they have.
    fn set_env(&self, name: &ContainerName, changes: &[EnvChange], deadline: Instant) -> Result<(), Error>;

    /// Applies `test` to the configured value of one variable, so that a caller can compare hashes and the value does
    /// not leave the driver.
    fn check_env(
        &self,
        name: &ContainerName,
        key: &EnvKey,
        test: &dyn Fn(&str) -> bool,
        deadline: Instant,
    ) -> Result<EnvState, Error>;

    /// Writes a file, replacing an existing one, and verifies that it has arrived. In a stopped container the file is
    /// on the root disk, so write secrets only into running ones, under `/run`.
    fn write_file(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error>;

    /// The content of a file, up to [`MAX_FILE`] bytes; `None` if the path is not a plain file. May be a secret.
    fn read_file(
        &self,
        name: &ContainerName,
        path: &ContainerPath,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// Removes a file, if it exists.
    fn remove_file(&self, name: &ContainerName, path: &ContainerPath, deadline: Instant) -> Result<(), Error>;

    /// The end of its console log.
    fn logs(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Logs, Error>;

    /// The end of its journal; `None` if it does not run, or systemd does not run in it. The container's own
    /// `journalctl` reads it, the only program that the daemon ever runs inside.
    fn journal(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Option<Logs>, Error>;

    /// Connects the container's [`INSIDE_ADDRESS`] to this Unix socket of the host, now (if it runs) and after every
    /// start. Call it again when the daemon starts: in classic LXC only the daemon holds the address open.
    fn ensure_proxy(&self, name: &ContainerName, socket: &Path, deadline: Instant) -> Result<(), Error>;

    /// Removes the connection that `ensure_proxy` has made.
    fn remove_proxy(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;
}
