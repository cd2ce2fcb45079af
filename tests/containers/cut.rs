//! A connection to a server that a test can cut: open requests and new connections get no reply.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Default)]
struct Shared {
    is_cut: AtomicBool,
    /// Connections that came while it was cut.
    silent: Mutex<Vec<TcpStream>>,
    open: Mutex<Vec<TcpStream>>,
}

/// The relay. Its thread ends with the test's process.
pub struct Cut {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Cut {
    /// Starts a relay to the server at this address.
    pub fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, shared) = (listener.local_addr().expect("an address"), Arc::<Shared>::default());
        let (of, server) = (Arc::clone(&shared), server.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of.is_cut.load(Ordering::SeqCst) {
                    of.silent.lock().unwrap().push(stream);
                } else if let Err(error) = join(&of, &stream, &server) {
                    eprintln!("the wire: {error}");
                }
            }
        });
        Self { address, shared }
    }

    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
        self.shared.silent.lock().unwrap().clear();
    }
}

fn join(shared: &Shared, client: &TcpStream, server: &str) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let mut open = shared.open.lock().unwrap();
    open.extend([client.try_clone()?, server.try_clone()?]);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client.try_clone()?)] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}
