//! A small application behind a real edge, and raw sockets to use it. The scenarios share these.
//!
//! A scenario names paths only through [`Target`], so that it can test another server with the same routes.

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

/// The longest time that "at once" may take, however busy the machine is. It only distinguishes an event from a
/// timeout, a poll or a stall, which last at least twice as long. No test asserts a speed; `benches/` measure speed.
pub const SOON: Duration = Duration::from_secs(10);

/// A served address, and the paths that the scenarios use.
pub struct Target {
    pub address: SocketAddr,
    /// Replies 200 to anyone.
    pub public: &'static str,
    /// Replies 200 with the token, and 401 without it.
    pub private: &'static str,
    /// Accepts a JSON body with the token.
    pub post: &'static str,
}

impl Target {
    pub fn at(address: SocketAddr) -> Self {
        Self { address, public: "/healthz", private: "/api/auth/whoami", post: "/api/agents" }
    }
}

/// An edge in this process. It is stopped on drop.
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

    /// Listens on a loopback port in addition to `listeners`.
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

    /// Sends one request on its own connection.
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

/// Returns the authenticated GET as bytes.
pub fn get_private(target: &Target) -> String {
    get(target.private, &format!("Authorization: Bearer {TOKEN}\r\n"))
}

/// Returns a GET with more header lines.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// Returns a POST with the token, more header lines and this body.
pub fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n{body}")
}

/// Waits until `check` returns true, for at most `patience`.
pub fn eventually(patience: Duration, what: &str, mut check: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + patience;
    while !check() {
        assert!(std::time::Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
