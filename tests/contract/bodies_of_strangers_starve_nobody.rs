//! Fifty-three connections announce a body and stall. They delay nobody else, whatever credential they show.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Daemon, SOON};

const SOCKETS: usize = 53;
const BYTES: usize = 600_000;

fn stall(daemon: &Daemon, method: &str, path: &str, header: &str) -> Vec<TcpStream> {
    let one = |_| {
        let mut socket = TcpStream::connect(&daemon.address).expect("a connection");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Type: application/json\r\nContent-Length: {BYTES}\r\n\r\n"
        );
        // A connection that was refused at once may be closed already.
        let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&vec![b' '; BYTES - 1]));
        socket
    };
    (0..SOCKETS).map(one).collect()
}

/// Makes a hundred writes. None may wait until a stalled body times out.
fn writes(client: &Client) {
    for n in 0..100 {
        let start = Instant::now();
        client.put("/api/agents/a", json!({"host": format!("h{n}"), "qmd_index": "x".repeat(200)})).expect(200);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}

#[test]
fn stalled_bodies_hold_up_nobody_else() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    daemon.agent("a");
    let good = format!("Authorization: Bearer {}\r\n", daemon.user_token("operator", &["agents.*"]).token());
    let other = daemon.member("ann", &["*"]);
    daemon.grant("user:ann", daemon.record("a")["id"].as_str().expect("an id"), "editor");
    let junk = "Authorization: Bearer x\r\n";
    for (method, path, header) in [
        ("POST", "/auth/exchange", junk),
        ("POST", "/api/agents", junk),
        ("POST", "/api/sessions", junk),
        ("POST", "/api/v1/security/honeypot", junk),
        ("POST", "/agents/forward/name/a/x", "x-agent-api-key: x\r\n"),
        ("POST", "/api/agents", "Cookie: taos_session=x\r\n"),
        ("POST", "/api/agents", &good),
    ] {
        let stalled = stall(&daemon, method, path, header);
        writes(&other);
        drop(stalled);
    }
}

#[test]
fn what_the_head_decides_is_told_before_the_body_is_waited_for() {
    let daemon = Daemon::start();
    let token = &daemon.token;
    let auth = format!("Authorization: Bearer {token}\r\n");
    for (path, headers, status) in [
        ("/api/agents", "Authorization: Bearer x\r\nContent-Type: application/json\r\n".to_owned(), 401),
        ("/auth/exchange", "Authorization: Bearer x\r\nContent-Type: application/json\r\n".to_owned(), 401),
        ("/api/agents", format!("{auth}Content-Type: text/plain\r\n"), 415),
        ("/api/agents", auth.clone(), 415),
        ("/api/agents", format!("{auth}Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), 415),
        ("/api/agents?no_such_parameter=1", format!("{auth}Content-Type: application/json\r\n"), 422),
        ("/nothing", auth.clone(), 404),
        ("/api", auth, 405),
    ] {
        let mut socket = TcpStream::connect(&daemon.address).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 60000\r\n\r\n");
        socket.write_all(head.as_bytes()).expect("sent");
        let mut start = [0; 12];
        socket.read_exact(&mut start).expect("a reply before the body");
        assert_eq!(&start, format!("HTTP/1.1 {status}").as_bytes(), "{path} {headers}");
    }
}
