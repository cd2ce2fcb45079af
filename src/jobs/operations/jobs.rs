//! What jobs share: the store, the runtime, the threads, the agents' sockets.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::check::DatabaseCheck;
use super::error::OperationError;
use super::nodes::{NodeHandle, Nodes};
use super::runner::Runner;
use super::sockets::AgentSockets;
use crate::config::{NodeSettings, Watched};
use crate::containers::{self, ContainerPlace, Containers, Driver, NodeName, Runtime, RuntimeOptions};
use crate::rest::stream::Signal;
use crate::store::Store;
use crate::store::agents::{self, Agent};
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
    /// Other machines' runtimes.
    pub nodes: Nodes,
    /// Where agents on nodes find this box.
    pub(super) public_url: Watched<Option<String>>,
    containers: Containers,
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

/// What the settings say of runtimes.
pub struct JobSettings {
    /// Which runtime of this box, and where it is looked for.
    pub runtime: RuntimeOptions,
    /// Folders of the host's below which containers may be given one.
    pub mount_roots: Watched<Vec<PathBuf>>,
    /// Other machines.
    pub nodes: Watched<Arc<Vec<NodeSettings>>>,
    /// Where the key is that nodes know this box by.
    pub nodes_folder: PathBuf,
    /// Where agents on nodes find this box.
    pub public_url: Watched<Option<String>>,
}

/// Which runtimes there were when a request came in, for transactions to decide by: they ask nobody.
pub struct Runtimes {
    here: Result<(), OperationError>,
    nodes: Vec<NodeName>,
}

impl Runtimes {
    /// Whether the container of this agent has a runtime.
    ///
    /// # Errors
    /// `container_runtime_unavailable`.
    pub fn of(&self, agent: &Agent) -> Result<(), OperationError> {
        match agent.container_name.as_deref().and_then(ContainerPlace::node_in) {
            None => self.here(),
            Some(node) if self.nodes.contains(&node) => Ok(()),
            Some(node) => Err(Nodes::unknown(&node)),
        }
    }

    /// Whether this box has one.
    ///
    /// # Errors
    /// `container_runtime_unavailable`.
    pub fn here(&self) -> Result<(), OperationError> {
        self.here.clone()
    }
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
        settings: JobSettings,
        sockets: PathBuf,
    ) -> std::io::Result<Self> {
        Ok(Self {
            store,
            clock,
            mount_roots: settings.mount_roots,
            nodes: Nodes::new(settings.nodes, settings.nodes_folder),
            public_url: settings.public_url,
            cut: Mutex::new(cut),
            began: Micros::now(),
            migration_due: AtomicBool::new(false),
            away: Mutex::default(),
            removals: Mutex::default(),
            ends: Arc::default(),
            containers: Containers::new(settings.runtime),
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
        self.nodes.stop(end);
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

    /// The runtime that has this agent's container, on this box or a node.
    ///
    /// # Errors
    /// As [`Jobs::driver`], or the settings do not name the node.
    pub fn driver_of(&self, agent: &Agent) -> Result<Arc<dyn Driver>, OperationError> {
        self.driver_on(agent.container_name.as_deref().and_then(ContainerPlace::node_in).as_ref())
    }

    /// The runtime of a node, or of this box.
    ///
    /// # Errors
    /// As [`Jobs::driver_of`].
    pub fn driver_on(&self, node: Option<&NodeName>) -> Result<Arc<dyn Driver>, OperationError> {
        match node {
            None => self.driver(),
            Some(node) => Ok(self.nodes.get(node)?.driver()),
        }
    }

    /// The runtime that a token is delivered to, in the words of drivers.
    pub(super) fn delivery_driver(&self, node: Option<&NodeName>) -> Result<Arc<dyn Driver>, containers::Error> {
        let Some(node) = node else { return self.containers.driver() };
        self.nodes.get(node).map(|node| -> Arc<dyn Driver> { node.driver() }).map_err(|error| match error {
            OperationError::Container(error) => error,
            other => containers::Error::Refused(other.to_string()),
        })
    }

    /// Which runtimes there are now.
    pub fn runtimes(&self) -> Runtimes {
        Runtimes { here: self.driver().map(|_| ()), nodes: self.nodes.names() }
    }

    /// Asks a runtime, of a node or of this box, whether it answers at all; blocks for some seconds at the most. One that
    /// answers with an error is there.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, with the way in which it is away.
    pub fn ask_runtime(&self, node: Option<&NodeName>) -> Result<Arc<dyn Driver>, OperationError> {
        let driver = self.driver_on(node)?;
        let asked = driver.info(within(PROBE)).map_err(|error| error.as_away(driver.as_ref()));
        let answered = match asked {
            Err(error @ containers::Error::RuntimeUnavailable { .. }) => Err(OperationError::Away(error, None)),
            _ => Ok(driver),
        };
        if let Some(node) = node {
            self.nodes.get(node)?.note(answered.as_ref().map(|_| ()));
        }
        answered
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
        match self.node_of(agent_id) {
            Some(node) => self.queue(&node.runner, agent_id, work),
            None => self.queue(&self.runner, agent_id, work),
        }
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
        match self.node_of(agent_id) {
            Some(node) => self.queue(&node.lookers, agent_id, work),
            None => self.queue(&self.lookers, agent_id, work),
        }
    }

    /// The same on the threads of a node, or of this box; work of one key runs one after the other.
    ///
    /// # Errors
    /// `busy` if too much is waiting; the settings do not name the node.
    pub fn look_on(
        self: &Arc<Self>,
        node: Option<&NodeName>,
        key: Option<&str>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), OperationError> {
        match node {
            Some(node) => self.queue(&self.nodes.get(node)?.lookers, key, work),
            None => self.queue(&self.lookers, key, work),
        }
    }

    /// Runs `work` that asks every node, on threads that may wait for all of them.
    ///
    /// # Errors
    /// `busy` if too much is waiting.
    pub fn look_over_nodes(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), OperationError> {
        if self.nodes.is_empty() {
            return self.queue(&self.lookers, None, work);
        }
        self.queue(self.nodes.gatherers()?.as_ref(), None, work)
    }

    /// The node that an agent's container is on. Work for one that the settings do not name fails wherever it runs.
    fn node_of(&self, agent_id: Option<&str>) -> Option<Arc<NodeHandle>> {
        let agent_id = agent_id.filter(|_| !self.nodes.is_empty())?;
        let place = self.store.lookup(|conn| agents::container_of(conn, agent_id)).ok()??;
        self.nodes.get(&ContainerPlace::node_in(&place)?).ok()
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
