//! What the MCP endpoint costs beside the plain routes of the same run, and what idle streams of notices hold.
//!
//! `cargo bench --bench mcp`; a number after `--` is the milliseconds of a round. Rounds alternate; the numbers are medians
//! at 32 connections. Targets: `tools/list` at least 0.5 of whoami's rate; 100 idle streams below 2 MB and without a write
//! to the disk.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::daemon::Daemon;
use support::events::Events;
use support::{measured, median, percentile, proc_number, quiet_daemon, request};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const STREAMS: usize = 100;
/// Streams of one credential at the most.
const STREAMS_OF_ONE: usize = 8;
const NOW: &str = "2026-07-28";

fn main() {
    let millis = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1500);
    let round = Duration::from_millis(millis);
    let daemon = quiet_daemon();
    let token = agent(&daemon, "atlas");
    for n in 0..20 {
        let body = json!({"content": format!("message {n} of common length, as agents write them to each other")});
        daemon.client(&token).post("/api/v1/messages", body).expect(200);
    }
    println!(
        "MCP beside the plain route; {ROUNDS} alternating rounds of {round:?}, {CONNECTIONS} connections, medians"
    );
    println!(
        "{:>30} {:>10} {:>10} {:>7} {:>8} {:>9} {:>9} {:>8}",
        "", "route/s", "mcp/s", "ratio", "p99 ms", "route us", "mcp us", "bytes"
    );
    let tool =
        |name: &str, arguments: Value| post("tools/call", &token, &json!({"name": name, "arguments": arguments}));
    for (name, path, ours) in [
        ("tools/list, whoami", "/api/auth/whoami", post("tools/list", &token, &json!({}))),
        ("ping, whoami", "/api/auth/whoami", post("ping", &token, &json!({}))),
        ("auth_whoami, whoami", "/api/auth/whoami", tool("auth_whoami", json!({}))),
        ("messages_list, messages", "/api/v1/messages?limit=20", tool("messages_list", json!({"limit": 20}))),
        ("tasks_list, tasks", "/api/v1/tasks", tool("tasks_list", json!({}))),
    ] {
        compare(&daemon, name, &request("GET", path, &token, ""), &ours, round);
    }
    let said = json!({"content": "a message of common length, as agents write them"});
    let route = request("POST", "/api/v1/messages", &token, &said.to_string());
    compare(&daemon, "messages_send, messages", &route, &tool("messages_send", said), round);
    idle_streams(&daemon);
}

fn agent(daemon: &Daemon, name: &str) -> String {
    daemon.operator().post("/api/agents", json!({"name": name})).expect(200);
    let issued = daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    issued["token"].as_str().expect("a token").to_owned()
}

/// A request of a legacy client, as most are.
fn post(method: &str, token: &str, params: &Value) -> Vec<u8> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    request("POST", "/mcp", token, &body)
}

fn compare(daemon: &Daemon, name: &str, route: &[u8], ours: &[u8], round: Duration) {
    let all = |one: &[u8]| vec![one.to_vec(); CONNECTIONS];
    let (route, ours) = (all(route), all(ours));
    for requests in [&route, &ours] {
        measured(&daemon.address, requests, daemon.pid(), round / 5);
    }
    let (mut plain, mut mcp, mut p99, mut plain_cpu, mut cpu) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (rate, _, micros) = measured(&daemon.address, &route, daemon.pid(), round);
        plain.push(rate);
        plain_cpu.push(micros);
        let (rate, latencies, micros) = measured(&daemon.address, &ours, daemon.pid(), round);
        mcp.push(rate);
        cpu.push(micros);
        p99.push(percentile(&latencies, 0.99));
    }
    let bytes = reply_bytes(daemon, &ours[0]);
    let (plain, mcp) = (median(&plain), median(&mcp));
    println!(
        "{name:>30} {plain:>10.0} {mcp:>10.0} {:>7.2} {:>8.2} {:>9.1} {:>9.1} {bytes:>8}",
        mcp / plain,
        median(&p99),
        median(&plain_cpu),
        median(&cpu)
    );
}

/// How long the body of the reply is.
fn reply_bytes(daemon: &Daemon, request: &[u8]) -> usize {
    let text = String::from_utf8_lossy(request);
    let (_, body) = text.split_once("\r\n\r\n").expect("a body");
    let token = text.split("Bearer ").nth(1).and_then(|rest| rest.split('\r').next()).expect("a token");
    daemon.client(token).send("POST", "/mcp", Some(body.as_bytes())).body.len()
}

fn idle_streams(daemon: &Daemon) {
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
    // What the first one of each brings with it is no part of a stream.
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

/// Bytes that have gone to the disk.
fn written(daemon: &Daemon) -> u64 {
    proc_number(daemon.pid(), "io", "write_bytes:")
}
