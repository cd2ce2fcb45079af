//! A thousand agents wait for their owner and hold no thread. Each goes on within moments of the decision.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Daemon, SOON, parse, text};

const AGENTS: usize = 1000;
const MEASURED: usize = 200;

fn threads(daemon: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("a count");
    line.trim().parse().expect("a number")
}

/// Sends a call that waits, without reading the reply.
fn begin(daemon: &Daemon, agent: &Client, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!(
        "GET /api/requests/{id}?wait=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        agent.token()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    stream
}

#[test]
fn a_thousand_wait_without_a_thread_and_go_on_at_once() {
    let daemon = Daemon::with(
        &[],
        &[
            ("TAOSD_MAX_CONNECTIONS", "4096"),
            ("TAOSD_MAX_CONNECTIONS_PER_PEER", "4096"),
            ("TAOSD_REQUESTS_PER_MINUTE", "0"),
            ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
            ("TAOSD_LOG", "error"),
        ],
    );
    let before = threads(&daemon);
    let operator = daemon.operator();
    let asked: Vec<(Client, String)> = (0..AGENTS)
        .map(|nth| {
            let name = format!("a{nth}");
            daemon.agent(&name);
            let agent = crate::requests::harness::token(&daemon, &operator, &name);
            let body = json!({"kind": "scope", "scope": ["agents.token.read"], "reason": "r"});
            let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
            (agent, id)
        })
        .collect();
    let waiting: Vec<_> = asked.into_iter().map(|(agent, id)| (begin(&daemon, &agent, &id), agent, id)).collect();
    std::thread::sleep(Duration::from_millis(500));
    // A busy daemon may have started a worker or two.
    let during = threads(&daemon);
    assert!(during <= before + 4, "{before} threads before, {during} with {AGENTS} waiting");
    operator.get("/api/auth/whoami").expect(200);
    let mut took: Vec<Duration> = waiting
        .into_iter()
        .take(MEASURED)
        .enumerate()
        .map(|(nth, (mut stream, agent, id))| {
            let began = Instant::now();
            operator.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
            let mut raw = Vec::new();
            stream.read_to_end(&mut raw).expect("the reply");
            let reply = parse(&raw).expect("a reply").json();
            assert_eq!(reply["state"], "approved");
            agent.get(&format!("/api/agents/a{nth}/token")).expect(200);
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    let (median, p99) = (took[MEASURED / 2], took[MEASURED * 99 / 100]);
    eprintln!(
        "{AGENTS} waiting, {before} threads before, {during} then; approve to the next call: {median:?}, p99 {p99:?}"
    );
    assert!(took[MEASURED - 1] < SOON, "{:?}", took[MEASURED - 1]);
}
