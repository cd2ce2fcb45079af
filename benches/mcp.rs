//! Measures the MCP endpoint against the plain routes in the same run, and the memory of idle notification streams.
//!
//! `cargo bench --bench mcp`. After `--`, a number sets the milliseconds of a round, and a word selects one part:
//! `lists`, `calls`, `sending` or `streams`. Rounds alternate; the numbers are medians at 32 connections. Bare hyper
//! replies with as many bytes as the endpoint. Targets: `tools/list` at least 0.5 of the rate of whoami; 100 idle
//! streams use less than 2 MB and write nothing to the disk.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use support::daemon::Daemon;
use support::events::Events;
use support::hello::{Hello, serve_if_asked};
use support::{measured, median, percentile, proc_number, quiet_daemon, request};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const STREAMS: usize = 100;
/// The most streams that one credential may open.
const STREAMS_OF_ONE: usize = 8;
const NOW: &str = "2026-07-28";
const WHOAMI: &str = "/api/auth/whoami";

/// Every part, in the order in which they are measured.
const PARTS: [&str; 4] = ["lists", "calls", "sending", "streams"];

fn main() {
    if serve_if_asked() {
        return;
    }
    let millis = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1500);
    let wanted = std::env::args().skip(1).find(|text| PARTS.contains(&text.as_str()));
    let is_wanted = |part: &str| wanted.as_deref().is_none_or(|wanted| wanted == part);
    let bench = Bench::start(Duration::from_millis(millis));
    if PARTS[..3].iter().any(|part| is_wanted(part)) {
        bench.head();
    }
    for (part, measure) in [
        ("lists", Bench::lists as fn(&Bench)),
        ("calls", Bench::calls),
        ("sending", Bench::sending),
        ("streams", idle_streams),
    ] {
        if is_wanted(part) {
            measure(&bench);
        }
    }
}

/// A daemon with an agent and some messages.
struct Bench {
    daemon: Daemon,
    token: String,
    round: Duration,
}

impl Bench {
    fn start(round: Duration) -> Self {
        let daemon = quiet_daemon();
        let token = agent(&daemon, "atlas");
        for n in 0..20 {
            let body = json!({"content": format!("message {n} of common length, as agents write them to each other")});
            daemon.client(&token).post("/api/v1/messages", body).expect(200);
        }
        Self { daemon, token, round }
    }

    fn head(&self) {
        let round = self.round;
        println!(
            "MCP beside the plain route; {ROUNDS} alternating rounds of {round:?}, {CONNECTIONS} connections, medians"
        );
        println!(
            "{:>30} {:>10} {:>10} {:>7} {:>10} {:>8} {:>9} {:>9} {:>8}",
            "", "route/s", "mcp/s", "ratio", "hyper/s", "p99 ms", "route us", "mcp us", "bytes"
        );
    }

    fn lists(&self) {
        for (name, headers) in [("tools/list", ""), ("tools/list, gzip", "Accept-Encoding: gzip\r\n")] {
            self.compare(name, &self.get(WHOAMI), &with(&self.post("tools/list", &json!({})), headers));
        }
    }

    fn calls(&self) {
        for (name, path, ours) in [
            ("ping, whoami", WHOAMI, self.post("ping", &json!({}))),
            ("auth_whoami, whoami", WHOAMI, self.tool("auth_whoami", &json!({}))),
            ("messages_list, messages", "/api/v1/messages?limit=20", self.tool("messages_list", &json!({"limit": 20}))),
            ("tasks_list, tasks", "/api/v1/tasks", self.tool("tasks_list", &json!({}))),
        ] {
            self.compare(name, &self.get(path), &ours);
        }
    }

    fn sending(&self) {
        let said = json!({"content": "a message of common length, as agents write them"});
        let route = request("POST", "/api/v1/messages", &self.token, &said.to_string());
        self.compare("messages_send, messages", &route, &self.tool("messages_send", &said));
    }

    fn get(&self, path: &str) -> Vec<u8> {
        request("GET", path, &self.token, "")
    }

    /// A request of a legacy client; most clients are legacy.
    fn post(&self, method: &str, params: &Value) -> Vec<u8> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        request("POST", "/mcp", &self.token, &body)
    }

    fn tool(&self, name: &str, arguments: &Value) -> Vec<u8> {
        self.post("tools/call", &json!({"name": name, "arguments": arguments}))
    }

    fn compare(&self, name: &str, route: &[u8], ours: &[u8]) {
        let (pid, address, round) = (self.daemon.pid(), &self.daemon.address, self.round);
        let bytes = reply_bytes(address, ours);
        let hello = Hello::start(bytes);
        let all = |one: &[u8]| vec![one.to_vec(); CONNECTIONS];
        let sides =
            [(address, all(route), pid), (address, all(ours), pid), (&hello.address, all(ours), hello.child.id())];
        for (address, requests, pid) in &sides {
            measured(address, requests, *pid, round / 5);
        }
        let (mut rates, mut cpu, mut p99) = ([vec![], vec![], vec![]], [vec![], vec![], vec![]], vec![]);
        for _ in 0..ROUNDS {
            for (side, (address, requests, pid)) in sides.iter().enumerate() {
                let (rate, latencies, micros) = measured(address, requests, *pid, round);
                rates[side].push(rate);
                cpu[side].push(micros);
                if side == 1 {
                    p99.push(percentile(&latencies, 0.99));
                }
            }
        }
        let [plain, mcp, bare] = rates.map(|all| median(&all));
        println!(
            "{name:>30} {plain:>10.0} {mcp:>10.0} {:>7.2} {bare:>10.0} {:>8.2} {:>9.1} {:>9.1} {bytes:>8}",
            mcp / plain,
            median(&p99),
            median(&cpu[0]),
            median(&cpu[1])
        );
    }
}

/// Inserts `headers` after the request line.
fn with(request: &[u8], headers: &str) -> Vec<u8> {
    let at = request.windows(2).position(|two| two == b"\r\n").expect("a first line") + 2;
    [&request[..at], headers.as_bytes(), &request[at..]].concat()
}

/// Returns the length of the reply's body as sent, in bytes.
fn reply_bytes(address: &str, request: &[u8]) -> usize {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(&with(request, "Connection: close\r\n")).expect("a request");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a reply");
    reply.len() - reply.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") - 4
}

fn agent(daemon: &Daemon, name: &str) -> String {
    daemon.operator().post("/api/agents", json!({"name": name})).expect(200);
    let issued = daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    issued["token"].as_str().expect("a token").to_owned()
}

fn idle_streams(bench: &Bench) {
    let daemon = &bench.daemon;
    let agents = STREAMS.div_ceil(STREAMS_OF_ONE);
    let tokens: Vec<String> = (0..agents).map(|n| agent(daemon, &format!("listener-{n}"))).collect();
    let listen = |token: &str| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": NOW,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({"notifications": {"resourcesListChanged": true}, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}).to_string();
        let headers = [
            ("MCP-Protocol-Version", NOW),
            ("Mcp-Method", "subscriptions/listen"),
            ("Accept", "application/json, text/event-stream"),
        ];
        Events::ask("POST", &daemon.address, token, "/mcp", &headers, &body)
    };
    // The first stream of each agent has costs of its own, which do not count.
    for token in &tokens {
        drop(listen(token));
    }
    std::thread::sleep(Duration::from_secs(2));
    let (before, written_before) = (memory(daemon), written(daemon));
    let streams: Vec<Events> = (0..STREAMS).map(|n| listen(&tokens[n / STREAMS_OF_ONE])).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    std::thread::sleep(Duration::from_secs(20));
    println!("{STREAMS} idle streams: {} kB more memory (target: below 2,000)", memory(daemon).saturating_sub(before));
    println!("{STREAMS} idle streams, 20 s: {} bytes written (target: none)", written(daemon) - written_before);
}

/// Resident memory in kB.
fn memory(daemon: &Daemon) -> u64 {
    proc_number(daemon.pid(), "status", "VmRSS:")
}

/// Bytes written to the disk so far.
fn written(daemon: &Daemon) -> u64 {
    proc_number(daemon.pid(), "io", "write_bytes:")
}
