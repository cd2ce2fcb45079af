//! Accepts connections: identifies the peer, checks the connection limits, and handles errors of accept.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::spawn_local;

use super::connection;
use super::core::Core;
use super::gate::ConnectionGate;
use super::io::{Socket, Wire};
use super::meters::count;
use super::request::ConnectionContext;
use crate::rest::codes;
use crate::rest::head::Peer;
use crate::rest::service::Service;

/// The pause after a failed accept: without a free descriptor the next try would fail at once.
const REST: Duration = Duration::from_millis(50);
/// The most refusals past the connection limit that are sent at once. Further connections are dropped without a reply.
const REFUSALS: usize = 8;

/// A source of connections.
pub(super) enum Listener {
    /// The TCP network.
    Tcp(TcpListener),
    /// The operator's socket.
    Operator(UnixListener),
    /// The socket of one agent's container.
    Agent(UnixListener, String),
}

struct Arrival {
    socket: Socket,
    peer: Peer,
    local: Option<IpAddr>,
}

impl Listener {
    async fn accept(&self) -> io::Result<Arrival> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                // If the socket was reset meanwhile, this fails and the first read reports it.
                let _ = stream.set_nodelay(true);
                let local = stream.local_addr().ok().map(|a| a.ip());
                Ok(Arrival { socket: Socket::Tcp(stream), peer: Peer::Ip(from.ip()), local })
            }
            Self::Operator(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = credentials(&stream)?;
                Ok(Arrival { socket: Socket::Unix(stream), peer, local: None })
            }
            Self::Agent(listener, id) => {
                let (stream, _) = listener.accept().await?;
                Ok(Arrival { socket: Socket::Unix(stream), peer: Peer::Agent { id: id.clone() }, local: None })
            }
        }
    }
}

/// Identifies the peer by its kernel credentials.
fn credentials(stream: &UnixStream) -> io::Result<Peer> {
    let who = stream.peer_cred()?;
    let pid = who.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
    Ok(Peer::Unix { uid: who.uid(), gid: who.gid(), pid })
}

/// Accepts connections until the task is aborted.
pub(super) async fn accept<S: Service>(core: Rc<Core<S>>, listener: Listener, gate: Rc<ConnectionGate>) {
    loop {
        match listener.accept().await {
            Ok(arrival) => take_in(&core, arrival, &gate),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                count(&core.meters.accept_errors);
                if core.may_log_accept_error() {
                    log::warn!("a connection could not be accepted: {error}");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn take_in<S: Service>(core: &Rc<Core<S>>, arrival: Arrival, gate: &Rc<ConnectionGate>) {
    count(&core.meters.accepted);
    let key = arrival.peer.key();
    let admission = core.admit(key.clone());
    let wire = Rc::new(Wire::new(arrival.socket, core.rules().timeouts, core.scratch.clone(), core.stalled.clone()));
    match admission {
        Some(admission) => {
            let link = ConnectionContext { wire, peer: arrival.peer, key, local: arrival.local, gate: gate.clone() };
            spawn_local(connection::serve(core.clone(), Rc::new(link), admission));
        }
        None => {
            count(&core.meters.refused_connections);
            if core.refusals.get() < REFUSALS {
                core.refusals.set(core.refusals.get() + 1);
                spawn_local(turn_away(core.clone(), wire));
            }
        }
    }
}

async fn turn_away<S: Service>(core: Rc<Core<S>>, wire: Rc<Wire>) {
    connection::refuse(&core, &wire, codes::TOO_MANY_CONNECTIONS).await;
    core.refusals.set(core.refusals.get() - 1);
}
