//! The containers that agents live in: one small trait, one driver for Incus and LXD (the same REST API), one for
//! classic LXC, and one that says there is none (DESIGN D14).
//!
//! This room knows nothing of agents, tokens, grants or the database. It gives its callers what start-up injection,
//! lifecycle, deploy and archive are made of, and keeps three promises: no secret in an argument list, a log line or
//! an error; no failure that reads like "there is no such container"; no call that outlives its deadline.

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

/// Where an agent finds the daemon from inside its container.
pub const INSIDE_ADDRESS: &str = "127.0.0.1:6969";

/// What a runtime says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Which runtime.
    pub runtime: Runtime,
    /// Its version; empty where there is none.
    pub version: String,
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its processes run.
    Running,
    /// Its processes are held still.
    Frozen,
    /// It has no processes.
    Stopped,
    /// The runtime says that it is broken.
    Error,
    /// Between two of the others.
    Other,
}

/// One container as the runtime sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// Its name.
    pub name: ContainerName,
    /// What it does.
    pub status: Status,
    /// The owner it was created for ([`CreateSpec::owner`]); `None` where another program made it.
    pub owner: Option<String>,
    /// Its first address that is neither loopback nor link-local, IPv4 before IPv6.
    pub ip: Option<String>,
    /// Every address that it says it has; who is root inside may say anything.
    pub addresses: Vec<IpAddr>,
    /// The host's ends of its network cards, as the runtime made them: what may lie behind them is a network of its.
    pub links: Vec<String>,
    /// Folders of the host's that the daemon gave it ([`CreateSpec::mounts`]).
    pub mounts: Vec<PathBuf>,
    /// Memory in use, in MiB.
    pub memory_mb: Option<u64>,
    /// Its memory limit, in MiB.
    pub memory_limit_mb: Option<u64>,
    /// How many processors it may use.
    pub cpu_cores: Option<u32>,
    /// Tells one run of the container from the next, through restarts of it, of the runtime and of the host. `None`
    /// while it does not run. Compare only for equality: equal to the one noted when a token was delivered means that
    /// the processes inside may still have the environment from before.
    pub boot: Option<String>,
}

/// How much a list says of each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What the runtime has written down: name, status, owner, limits. The rest may be `None`.
    Brief,
    /// All of [`ContainerState`]. LXD looks into each running container for it, one after the other: some 20 ms each
    /// on a fast machine.
    Full,
}

/// A container runtime. Every call blocks until it is done or `deadline` has come, and may be made from many threads.
///
/// Calls that bring about a state (`start`, `stop`, `freeze`, `unfreeze`, `set_env`, `ensure_proxy`, `remove_proxy`,
/// `remove_file`) succeed where it holds already: repeating one after a crash is safe. Errors: see [`Error`].
pub trait Driver: Send + Sync {
    /// Which runtime this is; asks nobody.
    fn runtime(&self) -> Runtime;

    /// The node that it is on; `None`: this box, whose Unix sockets its containers can be led to.
    fn node(&self) -> Option<&str> {
        None
    }

    /// Asks the runtime for its version: proves that it answers.
    fn info(&self, deadline: Instant) -> Result<Info, Error>;

    /// The names of the images that it has; none where it knows none by name.
    fn images(&self, _deadline: Instant) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// All containers, whoever made them; those whose names are outside [`ContainerName`]'s rule are left out.
    /// One request.
    fn list(&self, detail: Detail, deadline: Instant) -> Result<Vec<ContainerState>, Error>;

    /// One container.
    fn get(&self, name: &ContainerName, deadline: Instant) -> Result<ContainerState, Error>;

    /// What ran when the host went down and does not run now, where the runtime itself does not start it again (classic
    /// LXC).
    fn ran_before_boot(&self, _deadline: Instant) -> Result<Vec<ContainerName>, Error> {
        Ok(Vec::new())
    }

    /// Whether the runtime is at work on a container of this name that it may not show yet.
    fn is_at_work(&self, name: &ContainerName, deadline: Instant) -> Result<bool, Error>;

    /// Makes a container and does not start it. [`Error::AlreadyExists`] where the name is taken; after any other
    /// error nothing is left of it, or what is left has the owner of `spec` and can be deleted; so also after
    /// [`Error::Cancelled`].
    fn create(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error>;

    /// Takes away what a making that was cut has left beside the container's place.
    fn clear_draft(&self, _name: &ContainerName, _deadline: Instant) -> Result<(), Error> {
        Ok(())
    }

    /// Starts it; a frozen one is unfrozen. After [`Error::Cancelled`] it may run.
    fn start(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error>;

    /// Asks it to shut down and waits for `grace`. If it still runs then, it is killed (`force`), or the call fails
    /// and it runs on. No grace and `force` kills at once. A frozen one is unfrozen to shut down.
    fn stop(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error>;

    /// `stop` and `start`: its processes begin anew, with the environment of the configuration.
    fn restart(&self, name: &ContainerName, grace: Duration, force: bool, deadline: Instant) -> Result<(), Error> {
        self.stop(name, grace, force, deadline)?;
        self.start(name, deadline.into())
    }

    /// Holds its processes still. [`Error::Refused`] where it does not run.
    fn freeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Lets its processes go on. [`Error::Refused`] where it does not run.
    fn unfreeze(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Deletes it with its snapshots. [`Error::Refused`] unless it is stopped.
    fn delete(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Renames it. [`Error::Refused`] unless it is stopped, [`Error::AlreadyExists`] where `to` is taken.
    fn rename(&self, name: &ContainerName, to: &ContainerName, deadline: Instant) -> Result<(), Error>;

    /// Keeps a copy of it as it is now, inside the runtime. [`Error::AlreadyExists`] where it has one of this name.
    /// Classic LXC refuses unless it is stopped.
    fn snapshot(&self, name: &ContainerName, snapshot: &SnapshotName, deadline: Instant) -> Result<(), Error>;

    /// Sets and removes variables, all at once or none. Processes that run keep the environment they have.
    fn set_env(&self, name: &ContainerName, changes: &[EnvChange], deadline: Instant) -> Result<(), Error>;

    /// Looks at one variable of the configuration through `test`, so that a caller compares hashes and the value stays
    /// here.
    fn check_env(
        &self,
        name: &ContainerName,
        key: &EnvKey,
        test: &dyn Fn(&str) -> bool,
        deadline: Instant,
    ) -> Result<EnvState, Error>;

    /// Writes a file, replacing what was there, and makes sure that it has arrived. In a stopped container it lands on
    /// the root disk: write secrets into running ones, under `/run`.
    fn write_file(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error>;

    /// What a file holds, up to [`MAX_FILE`] bytes; `None` where no plain file is. May be a secret.
    fn read_file(
        &self,
        name: &ContainerName,
        path: &ContainerPath,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// Removes a file, if it is there.
    fn remove_file(&self, name: &ContainerName, path: &ContainerPath, deadline: Instant) -> Result<(), Error>;

    /// The end of its console log.
    fn logs(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Logs, Error>;

    /// The end of its journal; `None` where it does not run, or systemd does not run in it. Its own `journalctl` reads
    /// it, the one program that is ever run inside.
    fn journal(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Option<Logs>, Error>;

    /// Makes the container's [`INSIDE_ADDRESS`] lead to this Unix socket of the host's, now (if it runs) and after
    /// every start. Call it again when the daemon starts: classic LXC has nobody else to hold the address open.
    fn ensure_proxy(&self, name: &ContainerName, socket: &Path, deadline: Instant) -> Result<(), Error>;

    /// Takes that way away.
    fn remove_proxy(&self, name: &ContainerName, deadline: Instant) -> Result<(), Error>;
}
