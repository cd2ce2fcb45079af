//! What jobs share: the store, the runtime, the threads, the agents' sockets.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::check::DatabaseCheck;
use super::error::OperationError;
use super::runner::Runner;
use super::sockets::AgentSockets;
use crate::config::Watched;
use crate::containers::{self, Containers, Driver, Runtime, RuntimeOptions};
use crate::rest::stream::Signal;
use crate::store::Store;
use crate::store::operations::Operation;
use crate::threads::lock;
use crate::time::{Clock, Micros};

/// Threads that talk to the container runtime; also how many parts of a bulk operation run at once.
const THREADS: usize = 4;
/// Threads that only look: a container whose journal does not answer holds up no operation.
const LOOKERS: usize = 4;
/// Seconds that the runtime may take to say that it is there.
const PROBE: u64 = 5;
/// Jobs that may wait.
const QUEUE: usize = 1024;

/// What jobs share.
pub struct Jobs {
    /// The database.
    pub store: Arc<Store>,
    /// Raised whenever an operation has changed.
    pub changed: Signal,
    /// The check of the database that was asked for.
    pub check: DatabaseCheck,
    /// The agents' own sockets.
    pub sockets: AgentSockets,
    /// The clock that ends and removals go by.
    pub clock: Arc<Clock>,
    pub(super) containers: Containers,
    runner: Runner,
    lookers: Runner,
    /// The daemon stops.
    ends: Arc<AtomicBool>,
    /// What the last run left open, until a start takes it up.
    cut: Mutex<Vec<Operation>>,
    /// When this run of the daemon began.
    pub(crate) began: Micros,
    /// Agents whose failed deployment is being taken away.
    pub(super) removals: Mutex<HashSet<String>>,
    /// What the log last said of a runtime that does not answer.
    away: Mutex<Option<String>>,
    /// The start-up migration could not ask the runtime yet.
    pub(crate) migration_due: AtomicBool,
    /// Folders of the host's below which containers may be given one.
    pub(crate) mount_roots: Watched<Vec<PathBuf>>,
}

impl Jobs {
    /// Starts the threads. `sockets` is the directory for the agents' sockets.
    ///
    /// `cut`: the operations that the last run left open.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(
        store: Arc<Store>,
        clock: Arc<Clock>,
        cut: Vec<Operation>,
        runtime: RuntimeOptions,
        mount_roots: Watched<Vec<PathBuf>>,
        sockets: PathBuf,
    ) -> std::io::Result<Self> {
        Ok(Self {
            store,
            clock,
            mount_roots,
            cut: Mutex::new(cut),
            began: Micros::now(),
            migration_due: AtomicBool::new(false),
            away: Mutex::default(),
            removals: Mutex::default(),
            ends: Arc::default(),
            containers: Containers::new(runtime),
            changed: Signal::new(),
            check: DatabaseCheck::default(),
            sockets: AgentSockets::new(sockets),
            runner: Runner::start(THREADS, QUEUE)?,
            lookers: Runner::start(LOOKERS, QUEUE)?,
        })
    }

    /// The operations that the last run left open; empty from the second call on.
    pub fn take_cut(&self) -> Vec<Operation> {
        std::mem::take(&mut *lock(&self.cut))
    }

    /// Takes no new work and waits, at most `patience`, for what runs.
    pub fn stop(&self, patience: Duration) {
        self.ends.store(true, Ordering::Relaxed);
        let end = Instant::now() + patience;
        self.runner.stop(patience);
        self.lookers.stop(end.saturating_duration_since(Instant::now()));
    }

    /// Is set when the daemon stops, for long work that can be given up.
    pub(super) fn ends(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ends)
    }

    /// The host's container runtime.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, also where the host has none.
    pub fn driver(&self) -> Result<Arc<dyn Driver>, OperationError> {
        let driver = self.containers.driver()?;
        if driver.runtime() == Runtime::None {
            return Err(OperationError::NoRuntime);
        }
        Ok(driver)
    }

    /// Asks the runtime whether it answers at all; blocks for some seconds at the most. One that answers with an error
    /// is there.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, with the way in which it is away.
    pub fn ask_runtime(&self) -> Result<Arc<dyn Driver>, OperationError> {
        let driver = self.driver()?;
        let asked = driver.info(within(PROBE)).map_err(|error| error.as_away(driver.runtime()));
        match asked {
            Err(error @ containers::Error::RuntimeUnavailable { .. }) => Err(OperationError::Away(error, None)),
            _ => Ok(driver),
        }
    }

    /// Writes to the log, once, that the runtime is away, and once that it answers again.
    pub fn note_runtime(&self, doing: &str, answered: Result<(), &OperationError>) {
        let mut noted = lock(&self.away);
        match answered {
            Ok(()) if noted.take().is_some() => log::info!("the container runtime answers again"),
            Ok(()) => {}
            Err(error) => {
                let (cause, detail) = (error.cause().unwrap_or_else(|| "-".into()), error.detail());
                let line = format!("{doing} could not ask the container runtime, trying again: {error} ({cause})");
                if noted.as_deref() == Some(detail.as_str()) {
                    log::debug!("{line}");
                } else {
                    log::warn!("{line}");
                    *noted = Some(detail);
                }
            }
        }
    }

    /// The host's container runtime, or the driver that says there is none.
    ///
    /// # Errors
    /// `container_runtime_unavailable` where the one that was chosen is not there.
    pub fn any_driver(&self) -> Result<Arc<dyn Driver>, OperationError> {
        Ok(self.containers.driver()?)
    }

    /// Runs `work` on a thread that may wait for the runtime; work on the same agent runs one after the other.
    ///
    /// # Errors
    /// `busy` if too much is waiting.
    pub fn run(
        self: &Arc<Self>,
        agent_id: Option<&str>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), OperationError> {
        self.queue(&self.runner, agent_id, work)
    }

    /// The same for work that only looks, on threads of its own.
    ///
    /// # Errors
    /// `busy` if too much is waiting.
    pub fn look(
        self: &Arc<Self>,
        agent_id: Option<&str>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), OperationError> {
        self.queue(&self.lookers, agent_id, work)
    }

    fn queue(
        self: &Arc<Self>,
        runner: &Runner,
        key: Option<&str>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), OperationError> {
        let jobs = Arc::clone(self);
        let queued = runner.submit(key.map(str::to_owned), Box::new(move || work(&jobs)));
        queued.map_err(|crate::jobs::operations::runner::RunnerFull| OperationError::Busy)
    }
}

/// The deadline of a call that takes at most so many seconds.
pub(crate) fn within(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
