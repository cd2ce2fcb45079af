//! What the scenarios share: a small application behind a real edge, and raw sockets to talk to it.
//!
//! A scenario names paths through [`Target`] only, so that it can be pointed at another server with the same routes.

pub mod app;
pub mod child;
pub mod raw;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use taosd::http::edge::{self, Handle, Listeners, Running};
use taosd::limits::Limits;

pub use app::{App, OTHER, TOKEN};
pub use child::Process;
pub use raw::{Client, Reply};

/// The longest that "at once" may take, however busy the machine is. It only tells an event from a timeout, a poll or a
/// stall, which last twice as long or more. No test asserts a speed; `benches/` measure how fast things are.
pub const SOON: Duration = Duration::from_secs(10);

/// A served address and the paths the scenarios use.
pub struct Target {
    pub address: SocketAddr,
    /// Answers 200 to anyone.
    pub public: &'static str,
    /// Answers 200 with the token, 401 without.
    pub private: &'static str,
    /// Takes a JSON body with the token.
    pub post: &'static str,
}

impl Target {
    pub fn at(address: SocketAddr) -> Self {
        Self { address, public: "/healthz", private: "/api/auth/whoami", post: "/api/agents" }
    }
}

/// An edge in this process; stopped on drop.
pub struct Server {
    pub target: Target,
    pub edge: Handle,
    pub app: Arc<App>,
    running: Option<Running>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::on(change, Listeners::default())
    }

    /// Listens on a port of loopback beside what `listeners` has.
    pub fn on(change: impl FnOnce(&mut Limits), mut listeners: Listeners) -> Self {
        let mut limits = Limits { stop_timeout: 5, ..Limits::default() };
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listeners.tcp.push(listener);
        let app = Arc::new(App::new(&limits));
        let running = edge::start(Arc::clone(&app), limits, listeners).unwrap();
        let target = Target { address, public: "/healthz", private: "/api/auth/whoami", post: "/api/agents" };
        Self { target, edge: running.handle(), app, running: Some(running) }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.target.address)
    }

    /// One request on a connection of its own.
    pub fn once(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect();
        client.send(request);
        client.reply()
    }

    /// Asserts that the server still serves a well-behaved client.
    pub fn assert_well(&self) {
        let reply = self.once(get_private(&self.target));
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Waits for the edge to end.
    pub fn join(mut self) {
        self.running.take().unwrap().join();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.edge.cut();
            running.join();
        }
    }
}

/// The authenticated GET, as bytes.
pub fn get_private(target: &Target) -> String {
    get(target.private, &format!("Authorization: Bearer {TOKEN}\r\n"))
}

/// A GET with further header lines.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// A POST with the token, further header lines and a body as given.
pub fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n{body}")
}

/// Waits until `true`, at most `patience`.
pub fn eventually(patience: Duration, what: &str, mut check: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + patience;
    while !check() {
        assert!(std::time::Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
