//! The container runtimes of other machines. Each node has its own threads, so that one that hangs delays nobody else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::OperationError;
use super::jobs::{Jobs, within};
use super::runner::Runner;
use crate::client::identity::Identity;
use crate::config::{NodeSettings, Watched};
use crate::containers::node::Capacity;
use crate::containers::{self, Away, Driver, IncusLxd, Info, NodeName, NodeOptions, Runtime};
use crate::threads::lock;

/// Threads that work on a node, and as many that only read from it.
const THREADS: usize = 2;
/// The most jobs of a node that may wait.
const QUEUE: usize = 256;
/// Threads that wait for the replies of all nodes: a node that hangs delays no work on this box or on another node.
const GATHERERS: usize = 2;
/// The most questions to all nodes that may wait.
const GATHERED: usize = 64;
/// Seconds that a node may take to report its capacity.
const CALL: u64 = 5;
/// How long the choice of a machine waits for all nodes.
const CHOICE: Duration = Duration::from_secs(6);
/// Waiting processes per processor above which a machine is chosen only if all machines are above it.
const CROWDED: f64 = 2.0;

/// A node's reply to the question what it has.
pub type Answered = Result<(Info, Capacity), OperationError>;

/// Asks every node what it has, each on its own threads. Nodes that have not replied by `end` are left out.
pub fn ask_all(jobs: &Arc<Jobs>, end: Instant) -> Vec<(NodeName, Answered)> {
    let (tell, told) = channel();
    for name in jobs.nodes.names() {
        let tell = tell.clone();
        let queued = jobs.nodes.get(&name).and_then(|node| {
            jobs.look_on(Some(&name), None, move |_| {
                // The receiver may be gone if this took too long.
                let _ = tell.send((node.name.clone(), node.ask()));
            })
        });
        if let Err(error) = queued {
            log::debug!("node {name} could not be asked what it has: {error}");
        }
    }
    drop(tell);
    let mut answers = Vec::new();
    while let Ok(answer) = told.recv_timeout(end.saturating_duration_since(Instant::now())) {
        answers.push(answer);
    }
    answers
}

/// Chooses the machine for a container that may be anywhere; `None` means this box. It is the one with the most free
/// memory. One with more than two waiting processes per processor is chosen only if all are like that.
pub fn roomiest(jobs: &Arc<Jobs>) -> Option<NodeName> {
    let here = jobs.driver().ok().and_then(|driver| {
        let asked = driver.capacity(within(CALL));
        asked.map_err(|error| log::warn!("this box is not chosen for a container: {error}")).ok()
    });
    let here = here.map(|has| (None, has));
    let answers = ask_all(jobs, Instant::now() + CHOICE).into_iter();
    let there = answers.filter_map(|(name, answered)| Some((Some(name), answered.ok()?.1)));
    // If two are equal, this box is chosen, then the first by name.
    let all = here.into_iter().chain(there);
    all.max_by_key(|(name, has)| (room(has), std::cmp::Reverse(name.clone())))?.0
}

/// How suitable a machine is for one more container; greater is better.
fn room(has: &Capacity) -> (bool, u64) {
    #[allow(clippy::cast_precision_loss, reason = "a few processors")]
    let is_crowded = has.load.is_some_and(|load| load > CROWDED * has.cores.max(1) as f64);
    (!is_crowded, has.memory.saturating_sub(has.memory_used))
}

/// The nodes in the settings.
pub struct Nodes {
    settings: Watched<Arc<Vec<NodeSettings>>>,
    /// The folder of this box's key and certificate.
    folder: PathBuf,
    identity: Mutex<Option<Arc<Identity>>>,
    met: Mutex<BTreeMap<NodeName, Arc<NodeHandle>>>,
    gatherers: Mutex<Option<Arc<Runner>>>,
}

/// A node, with its driver and its threads.
pub struct NodeHandle {
    /// The node's name.
    pub name: NodeName,
    driver: Mutex<(Arc<NodeOptions>, Arc<IncusLxd>)>,
    pub(super) runner: Runner,
    pub(super) lookers: Runner,
    /// True while a look at it is running.
    looking: AtomicBool,
    /// True until its agents have been served after the start, or after it was away.
    unserved: AtomicBool,
    /// The last logged error, while it is away.
    away: Mutex<Option<String>>,
}

impl Nodes {
    /// The nodes of these settings. `folder` holds this box's key and certificate, or will hold them.
    pub(super) fn new(settings: Watched<Arc<Vec<NodeSettings>>>, folder: PathBuf) -> Self {
        Self { settings, folder, identity: Mutex::default(), met: Mutex::default(), gatherers: Mutex::default() }
    }

    /// Returns the names of the nodes, in the order of the settings.
    pub fn names(&self) -> Vec<NodeName> {
        self.settings.now().iter().map(|node| node.options.name.clone()).collect()
    }

    /// True if the settings name no nodes.
    pub fn is_empty(&self) -> bool {
        self.settings.now().is_empty()
    }

    /// True if this node did not reply when it was last asked. Asks nobody.
    pub fn is_away(&self, name: &NodeName) -> bool {
        let met = lock(&self.met).get(name).cloned();
        met.is_some_and(|node| node.is_away())
    }

    /// Returns the threads that ask all nodes and wait for each. They start at the first call.
    pub(super) fn gatherers(&self) -> Result<Arc<Runner>, OperationError> {
        let mut gatherers = lock(&self.gatherers);
        if let Some(gatherers) = gatherers.as_ref() {
            return Ok(Arc::clone(gatherers));
        }
        let made = Runner::start(GATHERERS, GATHERED).map_err(|why| OperationError::Internal(why.to_string()))?;
        Ok(Arc::clone(gatherers.insert(Arc::new(made))))
    }

    /// The error for a node that the settings do not name.
    pub(super) fn unknown(name: &NodeName) -> OperationError {
        let none = containers::Error::unavailable(Runtime::Incus, Away::Absent, "the settings do not name it");
        none.on(Some(name.as_str())).into()
    }

    /// Returns the path of the certificate that a node has to trust.
    ///
    /// # Errors
    /// There is none, and none can be made.
    pub fn certificate(&self) -> Result<PathBuf, OperationError> {
        Ok(self.identity()?.place().to_owned())
    }

    fn identity(&self) -> Result<Arc<Identity>, OperationError> {
        let mut identity = lock(&self.identity);
        if let Some(identity) = identity.as_ref() {
            return Ok(Arc::clone(identity));
        }
        let made = Identity::open(&self.folder);
        let made = made.map_err(|why| OperationError::Internal(format!("{}: {why}", self.folder.display())))?;
        Ok(Arc::clone(identity.insert(Arc::new(made))))
    }

    /// Returns a node with its present settings.
    ///
    /// # Errors
    /// The settings do not name it, or this box's key cannot be used.
    pub fn get(&self, name: &NodeName) -> Result<Arc<NodeHandle>, OperationError> {
        let settings = self.settings.now();
        let Some(wanted) = settings.iter().find(|node| node.options.name == *name) else {
            return Err(Self::unknown(name));
        };
        let make = || {
            let driver = IncusLxd::on_node(Arc::clone(&wanted.options), self.identity()?.as_ref());
            driver.map(Arc::new).map_err(OperationError::Internal)
        };
        let mut met = lock(&self.met);
        if let Some(node) = met.get(name) {
            let mut driver = lock(&node.driver);
            if *driver.0 != *wanted.options {
                *driver = (Arc::clone(&wanted.options), make()?);
            }
            drop(driver);
            return Ok(Arc::clone(node));
        }
        let start = || Runner::start(THREADS, QUEUE).map_err(|why| OperationError::Internal(why.to_string()));
        let node = Arc::new(NodeHandle {
            name: name.clone(),
            driver: Mutex::new((Arc::clone(&wanted.options), make()?)),
            runner: start()?,
            lookers: start()?,
            looking: AtomicBool::default(),
            unserved: AtomicBool::new(true),
            away: Mutex::default(),
        });
        met.insert(name.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Stops the threads of all nodes; waits until `end` at most.
    pub(super) fn stop(&self, end: Instant) {
        for node in std::mem::take(&mut *lock(&self.met)).into_values() {
            node.runner.stop(end.saturating_duration_since(Instant::now()));
            node.lookers.stop(Duration::ZERO);
        }
        if let Some(gatherers) = lock(&self.gatherers).take() {
            gatherers.stop(Duration::ZERO);
        }
    }
}

impl NodeHandle {
    /// The node's container runtime.
    pub fn driver(&self) -> Arc<IncusLxd> {
        Arc::clone(&lock(&self.driver).1)
    }

    /// The settings for reaching the node.
    pub fn options(&self) -> Arc<NodeOptions> {
        Arc::clone(&lock(&self.driver).0)
    }

    /// Asks the node what it has; blocks for at most some seconds.
    ///
    /// # Errors
    /// `container_runtime_unavailable`, with the reason.
    pub fn ask(&self) -> Answered {
        let (driver, end) = (self.driver(), within(CALL));
        let asked = driver.info(end).and_then(|info| Ok((info, driver.capacity(end)?)));
        let answered = asked.map_err(|error| OperationError::from(error.as_away(driver.as_ref())));
        self.note(answered.as_ref().map(|_| ()));
        answered
    }

    /// True if no other look is running; the look must end with [`NodeHandle::looked`].
    pub fn may_look(&self) -> bool {
        !self.looking.swap(true, Ordering::Relaxed)
    }

    /// Ends a look.
    pub fn looked(&self) {
        self.looking.store(false, Ordering::Relaxed);
    }

    /// True once after a start of the daemon, and once after the node was away: its agents must be served now that it
    /// replies.
    pub fn take_unserved(&self) -> bool {
        self.unserved.swap(false, Ordering::Relaxed)
    }

    /// True if it did not reply when it was last asked.
    pub fn is_away(&self) -> bool {
        lock(&self.away).is_some()
    }

    /// Logs once that the node is away, and once that it replies again.
    pub fn note(&self, answered: Result<(), &OperationError>) {
        let mut noted = lock(&self.away);
        match answered {
            Ok(()) if noted.take().is_some() => log::info!("node {} answers again", self.name),
            Ok(()) => {}
            Err(error) => {
                // Operations that were begun there are ended when the node replies again.
                self.unserved.store(true, Ordering::Relaxed);
                let (detail, cause) = (error.detail(), error.cause().unwrap_or_else(|| "-".into()));
                if noted.as_deref() != Some(detail.as_str()) {
                    log::warn!("{detail} ({cause}) Its agents are left as they are until it answers.");
                    *noted = Some(detail);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_decides_among_those_that_are_not_crowded() {
        let has = |memory, memory_used, load| Capacity { memory, memory_used, cores: 2, load };
        let quiet = room(&has(8, 2, Some(0.5)));
        assert!(quiet > room(&has(8, 4, None)));
        assert!(quiet > room(&has(100, 2, Some(4.5))));
        assert!(room(&has(100, 2, Some(4.0))) > quiet);
        assert_eq!(room(&has(1, 2, None)), (true, 0));
    }
}
