//! The parts that all jobs share: the store, the runtimes, the threads, the agents' sockets.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::check::DatabaseCheck;
use super::error::OperationError;
use super::nodes::{NodeHandle, Nodes};
use super::runner::Runner;
use super::settles::QueuedSettles;
use super::sockets::AgentSockets;
use super::unwritten::UnwrittenEnds;
use crate::config::{NodeSettings, Watched};
use crate::containers::{self, ContainerPlace, Containers, Driver, NodeName, Runtime, RuntimeOptions};
use crate::rest::stream::Signal;
use crate::store::Store;
use crate::store::agents::{self, Agent};
use crate::store::operations::Operation;
use crate::threads::lock;
use crate::time::{Clock, Micros};

/// Threads that call the container runtime; also the number of parts of a bulk operation that run at once.
const THREADS: usize = 4;
/// Threads that only read from the runtime, so that a container whose journal hangs delays no operation.
const LOOKERS: usize = 4;
/// Seconds that the runtime may take to reply at all.
const PROBE: u64 = 5;
/// The most jobs that may wait.
const QUEUE: usize = 1024;

/// The parts that all jobs share.
pub struct Jobs {
    /// The database.
    pub store: Arc<Store>,
    /// Raised whenever an operation has changed.
    pub changed: Signal,
    /// The requested check of the database.
    pub check: DatabaseCheck,
    /// The agents' own sockets.
    pub sockets: AgentSockets,
    /// The clock that decides about expiry and removals.
    pub clock: Arc<Clock>,
    /// The container runtimes of other machines.
    pub nodes: Nodes,
    /// The URL at which agents on nodes reach this box.
    pub(super) public_url: Watched<Option<String>>,
    containers: Containers,
    runner: Runner,
    lookers: Runner,
    /// True while the daemon stops.
    ends: Arc<AtomicBool>,
    /// The operations that the last run left open, until a start continues them.
    cut: Mutex<Vec<Operation>>,
    /// When this run of the daemon began.
    pub(crate) began: Micros,
    /// The ids of agents whose failed deployment is being removed.
    pub(super) removals: Mutex<HashSet<String>>,
    /// The freezes and thaws of containers that wait to be carried out.
    pub(super) settles: QueuedSettles,
    /// The ends of operations that are still to be written.
    pub(super) unwritten: UnwrittenEnds,
    /// The last logged error of a runtime that does not reply.
    away: Mutex<Option<String>>,
    /// True while the start-up migration has not reached the runtime yet.
    pub(crate) migration_due: AtomicBool,
    /// The ids of agents whose containers may have a token that was never activated.
    pub(super) undelivered: Mutex<HashSet<String>>,
    /// The folders of the host below which containers may get a mount.
    pub(crate) mount_roots: Watched<Vec<PathBuf>>,
}

/// The settings of the runtimes.
pub struct JobSettings {
    /// The runtime of this box, and where it is searched.
    pub runtime: RuntimeOptions,
    /// The folders of the host below which containers may get a mount.
    pub mount_roots: Watched<Vec<PathBuf>>,
    /// The settings of the nodes.
    pub nodes: Watched<Arc<Vec<NodeSettings>>>,
    /// The folder of the key that identifies this box to nodes.
    pub nodes_folder: PathBuf,
    /// The URL at which agents on nodes reach this box.
    pub public_url: Watched<Option<String>>,
}

/// The runtimes that existed when a request came in. Transactions decide by them, because they must not ask a runtime.
pub struct Runtimes {
    here: Result<(), OperationError>,
    nodes: Vec<NodeName>,
}

impl Runtimes {
    /// Checks that there is a runtime for this agent's container.
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

    /// Checks that this box has a runtime.
    ///
    /// # Errors
    /// `container_runtime_unavailable`.
    pub fn here(&self) -> Result<(), OperationError> {
        self.here.clone()
    }
}

impl Jobs {
    /// Starts the threads. `cut`: the operations that the last run left open. `sockets`: the directory for the agents'
    /// sockets.
    ///
    /// # Errors
    /// A thread cannot be started.
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
            settles: QueuedSettles::default(),
            unwritten: UnwrittenEnds::default(),
            ends: Arc::default(),
            undelivered: Mutex::default(),
            containers: Containers::new(settings.runtime),
            changed: Signal::new(),
            check: DatabaseCheck::default(),
            sockets: AgentSockets::new(sockets),
            runner: Runner::start(THREADS, QUEUE)?,
            lookers: Runner::start(LOOKERS, QUEUE)?,
        })
    }

    /// Takes the operations that the last run left open and that are not continued yet.
    pub fn take_cut(&self) -> Vec<Operation> {
        std::mem::take(&mut *lock(&self.cut))
    }

    /// Keeps operations of the last run that could not be continued now.
    pub(crate) fn keep_cut(&self, ops: impl IntoIterator<Item = Operation>) {
        lock(&self.cut).extend(ops);
    }

    /// Stops taking work and waits, at most `patience`, for running work.
    pub fn stop(&self, patience: Duration) {
        self.ends.store(true, Ordering::Relaxed);
        let end = Instant::now() + patience;
        self.runner.stop(patience);
        self.lookers.stop(end.saturating_duration_since(Instant::now()));
        self.nodes.stop(end);
    }

    /// A flag that is set when the daemon stops, so that long work can give up.
    pub(super) fn ends(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ends)
    }

    /// Notes that an agent's container may have a token that was never activated.
    pub(crate) fn keep_undelivered(&self, agent_id: &str) {
        lock(&self.undelivered).insert(agent_id.to_owned());
    }

    /// True once after a delivery to this agent whose outcome is unknown.
    pub(crate) fn take_undelivered(&self, agent_id: &str) -> bool {
        lock(&self.undelivered).remove(agent_id)
    }

    /// Returns the host's container runtime.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, also if the host has none.
    pub fn driver(&self) -> Result<Arc<dyn Driver>, OperationError> {
        let driver = self.containers.driver()?;
        if driver.runtime() == Runtime::None {
            return Err(OperationError::NoRuntime);
        }
        Ok(driver)
    }

    /// Returns the runtime that has this agent's container, on this box or a node.
    ///
    /// # Errors
    /// Those of [`Jobs::driver`], or the settings do not name the node.
    pub fn driver_of(&self, agent: &Agent) -> Result<Arc<dyn Driver>, OperationError> {
        self.driver_on(agent.container_name.as_deref().and_then(ContainerPlace::node_in).as_ref())
    }

    /// Returns the runtime of a node, or of this box if `node` is `None`.
    ///
    /// # Errors
    /// Those of [`Jobs::driver_of`].
    pub fn driver_on(&self, node: Option<&NodeName>) -> Result<Arc<dyn Driver>, OperationError> {
        match node {
            None => self.driver(),
            Some(node) => Ok(self.nodes.get(node)?.driver()),
        }
    }

    /// Returns the runtime that a token is delivered to; errors are those of drivers.
    pub(super) fn delivery_driver(&self, node: Option<&NodeName>) -> Result<Arc<dyn Driver>, containers::Error> {
        let Some(node) = node else { return self.containers.driver() };
        self.nodes.get(node).map(|node| -> Arc<dyn Driver> { node.driver() }).map_err(|error| match error {
            OperationError::Container(error) => error,
            other => containers::Error::Refused(other.to_string()),
        })
    }

    /// Returns the runtimes that exist now.
    pub fn runtimes(&self) -> Runtimes {
        Runtimes { here: self.driver().map(|_| ()), nodes: self.nodes.names() }
    }

    /// Asks a runtime, of a node or of this box, whether it replies at all; blocks for at most some seconds. One that
    /// replies with an error counts as present.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, with the reason.
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

    /// Logs once that the runtime is away, and once that it replies again.
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

    /// True if the runtime of this agent's container did not reply when it was last asked. Asks nobody.
    pub fn is_away(&self, agent_id: &str) -> bool {
        let place = self.store.lookup(|conn| agents::container_of(conn, agent_id));
        match place.ok().flatten().as_deref().and_then(ContainerPlace::node_in) {
            Some(node) => self.nodes.is_away(&node),
            None => lock(&self.away).is_some(),
        }
    }

    /// Notes that the runtime of this agent's container did not reply.
    pub(super) fn note_away(&self, agent: &Agent, doing: &str, error: &OperationError) {
        match agent.container_name.as_deref().and_then(ContainerPlace::node_in).map(|node| self.nodes.get(&node)) {
            Some(Ok(node)) => node.note(Err(error)),
            Some(Err(_)) => {}
            None => self.note_runtime(doing, Err(error)),
        }
    }

    /// Returns the host's container runtime, or the driver that stands for none.
    ///
    /// # Errors
    /// `container_runtime_unavailable` if the chosen runtime is missing.
    pub fn any_driver(&self) -> Result<Arc<dyn Driver>, OperationError> {
        Ok(self.containers.driver()?)
    }

    /// Runs `work` on a thread that may wait for the runtime. Work on the same agent runs one after the other.
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

    /// As [`Jobs::run`], for work that only reads from the runtime; it has threads of its own.
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

    /// As [`Jobs::look`], on the threads of a node, or of this box if `node` is `None`. Work with the same key runs one
    /// after the other.
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

    /// Returns the node that an agent's container is on. Work for a node that the settings do not name fails on any
    /// thread.
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

/// The deadline of a call that may take `seconds`.
pub(crate) fn within(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
