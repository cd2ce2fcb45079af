//! The edge: one thread with an event loop that faces the network (http-edge contract; DESIGN D2).
//!
//! It accepts, keeps limits and deadlines, checks what the parser lets through, collects bodies and writes replies.
//! The application is behind [`Service`]; its work runs on the [`super::pool`]. The event loop never blocks: no file,
//! no database, no name lookup.

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

/// A hold on a running edge, for any thread.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Control>,
    meters: Arc<Meters>,
    states: Arc<States>,
}

/// Starts the edge: all its threads are made here.
///
/// # Errors
/// A thread or the event loop cannot be had, or a listener cannot be used.
pub fn start<S: Service>(service: Arc<S>, mut limits: Limits, listeners: Listeners) -> Result<Running> {
    limits.max_connections = descriptors::connections_that_fit(limits.max_connections);
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
    /// A hold on it for others.
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
    /// Stops: no more connections; idle ones close; requests whose head has arrived are answered, within
    /// `stop_timeout`.
    pub fn shutdown(&self) {
        let _ = self.commands.send(Control::Shutdown);
    }

    /// Stops at once, or cuts the wait of a [`Handle::shutdown`].
    pub fn cut(&self) {
        let _ = self.commands.send(Control::Cut);
    }

    /// Puts other limits and more names for this machine in force. Open connections keep their times and the size of
    /// their heads; the number of workers stays.
    pub fn set(&self, mut limits: Limits, allowed_hosts: Vec<String>) {
        limits.max_connections = descriptors::connections_that_fit(limits.max_connections);
        let _ = self.commands.send(Control::Settings(Box::new(limits), allowed_hosts));
    }

    /// Takes connections of an agent's container on this socket; replaces an earlier socket of the same agent.
    pub fn add_agent(&self, id: impl Into<String>, listener: UnixListener) {
        let _ = self.commands.send(Control::AddAgent(id.into(), listener));
    }

    /// Closes an agent's socket; its connections end after the request in hand.
    pub fn remove_agent(&self, id: impl Into<String>) {
        let _ = self.commands.send(Control::RemoveAgent(id.into()));
    }

    /// True if the edge's thread answers in time.
    pub fn answers(&self, patience: Duration) -> bool {
        let (tell, told) = sync_channel(1);
        self.commands.send(Control::Ping(tell)).is_ok() && told.recv_timeout(patience).is_ok()
    }

    /// A reading of the counters.
    pub fn metrics(&self) -> EdgeMetrics {
        self.meters.read(self.states.queued())
    }

    /// What each worker thread is doing.
    pub fn workers(&self) -> Vec<Worker> {
        self.states.workers()
    }
}
