//! The thread of the edge, from its listeners to its orderly end.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::Result;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::timeout;

use super::accept::{self, Listener};
use super::core::{Core, PoolOutcome, Rules};
use super::gate::ConnectionGate;
use super::host::AllowedHosts;
use super::listeners::Listeners;
use super::meters::Meters;
use crate::http::pool::Pool;
use crate::limits::{Limits, seconds};
use crate::rest::service::Service;

/// The commands of other threads to the edge.
pub(super) enum Control {
    Shutdown,
    Cut,
    /// Asks for a response, to see that the thread runs.
    Ping(SyncSender<()>),
    AddAgent(String, StdUnixListener),
    RemoveAgent(String),
    /// Other limits and other additional names for this box.
    Settings(Box<Limits>, Vec<String>),
}

/// The parts that the thread starts with.
pub(super) struct Start<S: Service> {
    pub(super) service: Arc<S>,
    pub(super) limits: Limits,
    pub(super) pool: Arc<Pool<PoolOutcome<S>>>,
    pub(super) meters: Arc<Meters>,
    pub(super) orders: UnboundedReceiver<Control>,
}

/// Creates the event loop and its thread.
pub(super) fn spawn<S: Service>(start: Start<S>, listeners: Listeners) -> Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let guard = runtime.enter();
    let mut addresses = Vec::new();
    let mut sources = Vec::new();
    for listener in listeners.tcp {
        listener.set_nonblocking(true)?;
        addresses.push(listener.local_addr()?);
        sources.push(Listener::Tcp(TcpListener::from_std(listener)?));
    }
    if let Some(listener) = listeners.operator {
        listener.set_nonblocking(true)?;
        sources.push(Listener::Operator(UnixListener::from_std(listener)?));
    }
    drop(guard);
    let machine = rustix::system::uname();
    let own = AllowedHosts::new(&addresses, machine.nodename().to_str().ok());
    let hosts = own.and(&listeners.allowed_hosts);
    std::thread::Builder::new().name("edge".to_owned()).spawn(move || run(runtime, start, sources, own, hosts))
}

fn run<S: Service>(runtime: Runtime, start: Start<S>, sources: Vec<Listener>, own: AllowedHosts, hosts: AllowedHosts) {
    let Start { service, limits, pool, meters, mut orders } = start;
    let local = LocalSet::new();
    let until = local.block_on(&runtime, async {
        let core = Rc::new(Core::new(service, Rules::new(limits, hosts), Arc::clone(&pool), meters));
        let (delivering, watching) = (Arc::clone(&pool), Arc::clone(&pool));
        spawn_local(async move { delivering.deliver().await });
        spawn_local(async move { watching.watch().await });
        Edge { core, own, open: Vec::new(), agents: HashMap::new() }.live(sources, &mut orders).await
    });
    // Dropping the tasks cuts what is left of the connections.
    drop(local);
    runtime.shutdown_background();
    if !pool.close(until) {
        log::warn!("requests were still running when stop_timeout ended");
    }
}

struct Edge<S: Service> {
    core: Rc<Core<S>>,
    /// The box's own names.
    own: AllowedHosts,
    open: Vec<Door>,
    agents: HashMap<String, Door>,
}

/// An accepting listener. After its drop it accepts no more, and its connections end after their current request.
struct Door {
    accepting: AbortHandle,
    gate: Rc<ConnectionGate>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        self.gate.close();
    }
}

impl<S: Service> Edge<S> {
    /// Runs until the stop command. Returns the latest time to wait for running work.
    async fn live(mut self, sources: Vec<Listener>, orders: &mut UnboundedReceiver<Control>) -> Instant {
        for source in sources {
            let door = self.open(source);
            self.open.push(door);
        }
        loop {
            match orders.recv().await {
                Some(Control::AddAgent(id, listener)) => self.add_agent(id, listener),
                Some(Control::RemoveAgent(id)) => drop(self.agents.remove(&id)),
                Some(Control::Settings(limits, more)) => self.core.set_rules(Rules::new(*limits, self.own.and(&more))),
                Some(Control::Ping(tell)) => drop(tell.try_send(())),
                Some(Control::Shutdown) => break,
                // If no handle is left, nothing could ever stop the edge.
                Some(Control::Cut) | None => return Instant::now(),
            }
        }
        let patience = seconds(self.core.rules().limits.stop_timeout);
        let until = Instant::now() + patience;
        self.open.clear();
        self.agents.clear();
        let gone = drained(&self.core);
        match timeout(patience, first(gone, cut(orders))).await {
            Ok(First::Left) | Err(_) => until,
            Ok(First::Right) => Instant::now(),
        }
    }

    fn open(&self, source: Listener) -> Door {
        let gate = Rc::<ConnectionGate>::default();
        let accepting = spawn_local(accept::accept(self.core.clone(), source, gate.clone())).abort_handle();
        Door { accepting, gate }
    }

    fn add_agent(&mut self, id: String, listener: StdUnixListener) {
        let ready = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
        match ready {
            Ok(listener) => {
                let door = self.open(Listener::Agent(listener, id.clone()));
                self.agents.insert(id, door);
            }
            Err(error) => log::error!("the socket of agent {id} cannot be used: {error}"),
        }
    }
}

/// Resolves when no connection is left.
async fn drained<S: Service>(core: &Core<S>) {
    loop {
        let left = core.crowd.left.notified();
        if core.meters.read(0).connections == 0 {
            return;
        }
        left.await;
    }
}

/// Resolves when the wait must end. All other commands are ignored.
async fn cut(orders: &mut UnboundedReceiver<Control>) {
    loop {
        match orders.recv().await {
            Some(Control::Cut) => return,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

enum First {
    Left,
    Right,
}

async fn first(left: impl Future<Output = ()>, right: impl Future<Output = ()>) -> First {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if left.as_mut().poll(cx).is_ready() {
            return Poll::Ready(First::Left);
        }
        right.as_mut().poll(cx).map(|()| First::Right)
    })
    .await
}
