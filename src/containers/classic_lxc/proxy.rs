//! Connects a container's `127.0.0.1:6969` to a Unix socket of the host, since LXC has no proxy device. A thread enters
//! the container's network name space and opens the listener there, and the daemon relays its connections.
//!
//! A socket mounted into the container instead would be a dead file after each start of the daemon, and every client
//! would have to know of it. The listener belongs to one run of the container and to this process: it is opened again
//! at each start of either.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::client::relay::{Relay, RelayHandle};
use crate::containers::{ContainerName, INSIDE_ADDRESS};
use crate::threads::lock;

/// The open connections.
#[derive(Default)]
pub(super) struct Proxies {
    state: Mutex<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    relay: Option<Relay>,
    open: HashMap<ContainerName, Open>,
}

struct Open {
    boot: String,
    socket: PathBuf,
    _way: RelayHandle,
}

impl Proxies {
    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        lock(&self.state)
    }

    /// Opens the listener for this run of the container, unless it is open. `network` is its network name space.
    pub(super) fn open(
        &self,
        name: &ContainerName,
        boot: &str,
        network: BorrowedFd<'_>,
        socket: &Path,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let ProxyState { relay, open } = &mut *state;
        if open.get(name).is_some_and(|open| open.boot == boot && open.socket == socket) {
            return Ok(());
        }
        open.remove(name);
        let listener = listen_inside(network)?;
        let relay = match relay {
            Some(relay) => relay,
            None => relay.insert(Relay::start()?),
        };
        let way = relay.carry(listener, socket)?;
        open.insert(name.clone(), Open { boot: boot.to_owned(), socket: socket.to_owned(), _way: way });
        Ok(())
    }

    pub(super) fn close(&self, name: &ContainerName) {
        self.lock().open.remove(name);
    }
}

/// A socket stays in the name space in which it was made, so the thread that entered it can end.
fn listen_inside(network: BorrowedFd<'_>) -> io::Result<TcpListener> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(network, Some(LinkNameSpaceType::Network))?;
            TcpListener::bind(INSIDE_ADDRESS)
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that listens has failed")))
    })
}
