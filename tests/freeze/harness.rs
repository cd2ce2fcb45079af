//! Helpers that the tests of freezing share.

use std::time::{Duration, Instant};

use serde_json::json;
use taosd::secret::Issued;

use crate::support::{Client, Daemon, Reply, text};

pub const WHOAMI: &str = "/api/auth/whoami";

#[track_caller]
pub fn freeze(daemon: &Daemon, name: &str) -> Reply {
    daemon.operator().post(&format!("/api/agents/{name}/freeze"), json!({"reason": "alarm"})).expect(200)
}

#[track_caller]
pub fn thaw(daemon: &Daemon, name: &str) -> Reply {
    daemon.operator().post(&format!("/api/agents/{name}/thaw"), json!({})).expect(200)
}

/// Issues a token of an agent with the agent's own scopes.
#[track_caller]
pub fn token(daemon: &Daemon, name: &str) -> Client {
    let path = format!("/api/agents/{name}/token/issue");
    daemon.client(&text(&daemon.operator().post(&path, json!({})).expect(200).json(), "token"))
}

/// Exchanges the client's credential for a short-lived token.
#[track_caller]
pub fn exchange(daemon: &Daemon, key: &Client) -> Client {
    let reply = key.post("/auth/exchange", json!({})).expect(200).json();
    daemon.client(&text(&reply, "access_token"))
}

/// An event stream that a client reads.
pub struct Stream(std::net::TcpStream);

impl Stream {
    /// Opens the stream and reads the head of the reply.
    #[track_caller]
    pub fn open(client: &Client, address: &str, path: &str) -> Self {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).expect("a connection");
        let token = client.token();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(stream.read(&mut byte).expect("a head"), 1);
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Returns true if the daemon ends the stream within `time`.
    pub fn ends_within(&mut self, time: std::time::Duration) -> bool {
        use std::io::Read;
        self.0.set_read_timeout(Some(time)).expect("a timeout");
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).is_ok()
    }
}

/// Stores a decoy with this secret, as if it had been planted. Returns its id.
pub fn decoy(daemon: &Daemon, agent: &str, kind: &str, freeze: bool, issued: &Issued) -> String {
    let id = format!("wire-{}", issued.key_id);
    daemon.execute(
        "INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, planted, created_by, created_at)
        VALUES (?1, ?2, ?3, ?4, '/root/.config/' || ?3, ?5, 1, 'user:operator', 1)",
        (&id, agent, kind, issued.hash.as_bytes().as_slice(), freeze),
    );
    id
}

/// Waits until it holds.
#[track_caller]
pub fn eventually(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not within ten seconds");
        std::thread::sleep(Duration::from_millis(10));
    }
}
