//! Requests that wait hold no memory of their bodies: however many wait, another body is received, such as the one of
//! a freeze.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::requests::harness::token;
use crate::support::{Client, Daemon, text};

const BODY: usize = 200_000;
/// The bodies of these agents together take nearly all memory for bodies.
const AGENTS: usize = 5;

/// Begins a call that waits, with a large body.
fn begin(daemon: &Daemon, agent: &Client, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!(
        "GET /api/requests/{id}?wait=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
        Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n",
        agent.token()
    );
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(format!("{{}}{}", " ".repeat(BODY - 2)).as_bytes()).expect("a body");
    stream
}

#[test]
fn a_freeze_is_received_while_large_requests_wait() {
    let bounds = [("TAOSD_MAX_BODY_BYTES", "262144"), ("TAOSD_MAX_BODY_BYTES_IN_FLIGHT", "1048576")];
    let daemon = Daemon::with(&[], &bounds);
    let operator = daemon.operator();
    let mut waiting = Vec::new();
    for nth in 0..AGENTS {
        let name = format!("a{nth}");
        daemon.agent(&name);
        let agent = token(&daemon, &operator, &name);
        let body = json!({"kind": "scope", "scope": ["agents.token.read"], "reason": "r"});
        let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
        waiting.push(begin(&daemon, &agent, &id));
    }
    std::thread::sleep(Duration::from_millis(500));
    let freeze = format!("{{\"reason\": \"too much is asked\"{}}}", " ".repeat(BODY));
    operator.send("POST", "/api/freeze", Some(freeze.as_bytes())).expect(200);
}
