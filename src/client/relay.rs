//! Relays TCP connections to Unix sockets, byte for byte, like a proxy device, which not every container runtime has.
//! It knows nothing of HTTP; the edge at the other end has the limits and timeouts.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;

/// The most connections of one relay handle at once.
const MAX_CONNECTIONS: usize = 64;
/// The pause after a failed accept, such as one without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One thread that relays for any number of listeners. Dropping it ends them all.
pub struct Relay {
    runtime: Handle,
    _until_dropped: oneshot::Sender<()>,
}

/// One listener that is relayed to a socket. Dropping it closes the listener and its connections, and waits until that
/// is done, so that the address is free again.
pub struct RelayHandle {
    task: AbortHandle,
    closed: Receiver<()>,
}

/// How long a drop waits for the close.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.task.abort();
        // Nothing is ever sent: this waits for the error after the sender is dropped.
        let _ = self.closed.recv_timeout(CLOSE_WAIT);
    }
}

impl Relay {
    /// Starts the thread.
    ///
    /// # Errors
    /// An I/O error if the system refuses a thread or a file descriptor.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (sender, dropped) = oneshot::channel::<()>();
        thread::Builder::new().name("relay".to_owned()).spawn(move || {
            // Ends when the sender is dropped, which comes as an error.
            let _ = runtime.block_on(dropped);
        })?;
        Ok(Self { runtime: handle, _until_dropped: sender })
    }

    /// Relays the connections of `listener` to the socket at `path`, which is opened again for each connection.
    ///
    /// # Errors
    /// An I/O error if the listener cannot be watched.
    pub fn carry(&self, listener: TcpListener, path: &Path) -> io::Result<RelayHandle> {
        listener.set_nonblocking(true)?;
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (open, closed) = channel();
        let task = self.runtime.spawn(accept(open, listener, path.to_owned()));
        Ok(RelayHandle { task: task.abort_handle(), closed })
    }
}

/// `_open` is the first argument, because arguments are dropped from the last to the first: it outlives the listener.
async fn accept(_open: Sender<()>, listener: tokio::net::TcpListener, path: PathBuf) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropping this ends the connections together with the listener.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((mut inside, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let path = path.clone();
        connections.spawn(async move {
            let _place = place;
            // A failure on either side closes both, and the other side needs to see no more than that.
            if let Ok(mut outside) = UnixStream::connect(path).await {
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            }
        });
    }
}
