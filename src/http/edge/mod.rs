//! The edge: one thread with an event loop that faces the network (http-edge contract; DESIGN D2).
//!
//! It accepts connections, enforces limits and deadlines, checks the parsed requests, reads bodies and writes replies.
//! The application is behind [`Service`], and its work runs on the [`super::pool`]. The event loop never blocks: it
//! uses no file, no database and no name lookup.

mod accept;
mod body;
pub(crate) mod body_shares;
pub mod check;
mod connection;
mod core;
mod descriptors;
mod gate;
pub mod host;
mod io;
mod listeners;
mod meters;
mod reply;
mod request;
mod run;
mod stalled;

pub use listeners::Listeners;
use std::io::Result;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::meters::EdgeMetrics;
use self::meters::Meters;
use self::run::Control;
pub use super::pool::Worker;
use super::pool::{Pool, States};
use crate::limits::Limits;
use crate::rest::service::Service;

/// A running edge.
pub struct Running {
    handle: Handle,
    thread: JoinHandle<()>,
}

/// A handle on a running edge, for any thread.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Control>,
    meters: Arc<Meters>,
    states: Arc<States>,
}

/// Starts the edge and all its threads.
///
/// # Errors
/// An I/O error if the system refuses a thread or the event loop, or if a listener cannot be used.
pub fn start<S: Service>(service: Arc<S>, mut limits: Limits, listeners: Listeners) -> Result<Running> {
    limits.max_connections = descriptors::connections_that_fit(limits.max_connections, 0);
    let queue = usize::try_from(limits.queue_length).unwrap_or(usize::MAX);
    let pool = Arc::new(Pool::start(limits.worker_count(), queue)?);
    let meters = Arc::new(Meters::default());
    let (commands, orders) = mpsc::unbounded_channel();
    let handle = Handle { commands, meters: Arc::clone(&meters), states: pool.states() };
    let start = run::Start { service, limits, pool, meters, orders };
    let thread = run::spawn(start, listeners)?;
    Ok(Running { handle, thread })
}

impl Running {
    /// Returns a handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the edge has stopped.
    pub fn join(self) {
        if self.thread.join().is_err() {
            log::error!("the edge's thread panicked");
        }
    }
}

impl Handle {
    /// Stops the edge. It accepts no more connections and closes idle ones. Requests whose head has arrived get their
    /// reply, within `stop_timeout`.
    pub fn shutdown(&self) {
        let _ = self.commands.send(Control::Shutdown);
    }

    /// Stops the edge at once, or ends the wait of a [`Handle::shutdown`].
    pub fn cut(&self) {
        let _ = self.commands.send(Control::Cut);
    }

    /// Sets other limits and other additional names for this box. Open connections keep their timeouts and the limit of
    /// their heads. The number of workers does not change.
    pub fn set(&self, mut limits: Limits, allowed_hosts: Vec<String>) {
        let open = self.metrics().connections;
        limits.max_connections = descriptors::connections_that_fit(limits.max_connections, open);
        let _ = self.commands.send(Control::Settings(Box::new(limits), allowed_hosts));
    }

    /// Accepts connections of an agent's container on this socket, which replaces an earlier socket of the same agent.
    pub fn add_agent(&self, id: impl Into<String>, listener: UnixListener) {
        let _ = self.commands.send(Control::AddAgent(id.into(), listener));
    }

    /// Closes an agent's socket. Its connections end after their current request.
    pub fn remove_agent(&self, id: impl Into<String>) {
        let _ = self.commands.send(Control::RemoveAgent(id.into()));
    }

    /// True if the edge's thread responds within `patience`.
    pub fn answers(&self, patience: Duration) -> bool {
        let (tell, told) = sync_channel(1);
        self.commands.send(Control::Ping(tell)).is_ok() && told.recv_timeout(patience).is_ok()
    }

    /// Reads the counters.
    pub fn metrics(&self) -> EdgeMetrics {
        self.meters.read(self.states.queued())
    }

    /// What each worker thread is doing.
    pub fn workers(&self) -> Vec<Worker> {
        self.states.workers()
    }
}
