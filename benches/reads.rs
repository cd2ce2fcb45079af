//! Measures reads against bare hyper that replies with as many bytes, in the same run.
//!
//! `cargo bench --bench reads`. Each row alternates rounds of both; the numbers are medians. In most rows nothing is
//! written meanwhile, so the daemon may reuse replies. In the row `made anew` an agent changes for every few replies,
//! so that no reply can be reused for long.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use support::daemon::{Client, Daemon};
use support::hello::{Hello, serve_if_asked};
use support::{measured, median, quiet_daemon, request};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(700);
const CONNECTIONS: usize = 8;

struct Row {
    name: &'static str,
    path: &'static str,
    token: String,
    target: &'static str,
}

fn main() {
    if serve_if_asked() {
        return;
    }
    let daemon = quiet_daemon();
    let (own, jwt) = fill(&daemon);
    let operator = daemon.operator().token().to_owned();
    let row = |name, path, token: &String, target| Row { name, path, token: token.clone(), target };
    let rows = [
        row("agents list, 20 agents", "/api/agents", &operator, "0.5"),
        row("agents list, its own", "/api/agents", &own, "0.6"),
        row("agents list, JWT", "/api/agents", &jwt, "0.6"),
        row("one agent", "/api/agents/a1", &operator, "0.6"),
        row("/auth/me, JWT", "/auth/me", &jwt, "0.6"),
        row("aX list, 20 agents", "/api/v1/agents", &operator, "0.3"),
        row("aX presence", "/api/v1/agents/presence", &operator, "0.3"),
        row("Agentex list", "/agents", &operator, "0.3"),
        row("notifications, 100", "/api/notifications?limit=100", &operator, "0.3"),
        row("audit, 100", "/api/audit?limit=100", &operator, "0.3"),
        row("/api", "/api", &operator, "50 us"),
        row("/openapi.json", "/openapi.json", &operator, "50 us"),
    ];
    println!(
        "{CONNECTIONS} connections, {ROUNDS} alternating rounds of {ROUND:?}, medians; processor time of the server"
    );
    println!(
        "{:<24} {:>8} {:>9} {:>9} {:>6} {:>7} {:>9} {:>9}",
        "", "bytes", "hyper/s", "taosd/s", "ratio", "target", "hyper us", "taosd us"
    );
    for row in &rows {
        measure(&daemon, row, row.name, "");
    }
    let tag = daemon.operator().get("/api/agents").expect(200).header("etag").expect("a tag").to_owned();
    let unchanged = Row { target: "0.7", ..row("agents list, 304", "/api/agents", &operator, "") };
    measure(&daemon, &unchanged, unchanged.name, &format!("If-None-Match: {tag}\r\n"));
    let zipped = row("/openapi.json, gzip", "/openapi.json", &operator, "50 us");
    measure(&daemon, &zipped, zipped.name, "Accept-Encoding: gzip\r\n");
    while_written(&daemon, || measure(&daemon, &rows[0], "the same, made anew", ""));
}

/// Creates 20 agents and 100 notifications. Returns an agent's token and the token that it is exchanged for.
fn fill(daemon: &Daemon) -> (String, String) {
    let operator = daemon.operator();
    for number in 0..20 {
        operator.post("/api/agents", json!({"name": format!("a{number}")})).expect(200);
    }
    for number in 0..100 {
        operator.post("/api/ui/notify", json!({"title": format!("t{number}"), "body": "b".repeat(100)})).expect(200);
    }
    let issued = operator.post("/api/agents/a1/token/issue", json!({})).expect(200).json();
    let own = issued["token"].as_str().expect("a token").to_owned();
    let exchanged = daemon.client(&own).post("/auth/exchange", json!({})).expect(200).json();
    (own, exchanged["access_token"].as_str().expect("a token").to_owned())
}

fn measure(daemon: &Daemon, row: &Row, name: &str, header: &str) {
    let text = String::from_utf8(request("GET", row.path, &row.token, "")).expect("ASCII");
    let ours = vec![text.replacen("\r\n", &format!("\r\n{header}"), 1).into_bytes(); CONNECTIONS];
    let bytes = length(daemon, row, header);
    let hello = Hello::start(bytes);
    let theirs = vec![request("GET", "/", &row.token, ""); CONNECTIONS];
    let (mut bare, mut full, mut bare_cpu, mut cpu) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let (rate, _, micros) = measured(&hello.address, &theirs, hello.child.id(), ROUND);
        let (own_rate, _, own_micros) = measured(&daemon.address, &ours, daemon.pid(), ROUND);
        // The first round warms up.
        if round > 0 {
            bare.push(rate);
            bare_cpu.push(micros);
            full.push(own_rate);
            cpu.push(own_micros);
        }
    }
    let (bare, full) = (median(&bare), median(&full));
    println!(
        "{name:<24} {bytes:>8} {bare:>9.0} {full:>9.0} {:>6.2} {:>7} {:>9.1} {:>9.1}",
        full / bare,
        row.target,
        median(&bare_cpu),
        median(&cpu)
    );
}

fn length(daemon: &Daemon, row: &Row, header: &str) -> usize {
    let client = match header.trim_end().split_once(": ") {
        Some((name, value)) => daemon.client(&row.token).with(name, value),
        None => daemon.client(&row.token),
    };
    client.try_send("GET", row.path, None).expect("a reply").body.len()
}

/// Runs `work` while another thread changes an agent again and again.
fn while_written(daemon: &Daemon, work: impl FnOnce()) {
    let (over, client): (_, Client) = (Arc::new(AtomicBool::new(false)), daemon.operator());
    let until = Arc::clone(&over);
    let writer = std::thread::spawn(move || {
        for number in 0.. {
            if until.load(Ordering::Relaxed) {
                return;
            }
            client.put("/api/agents/a0", json!({"host": format!("h{number}")})).expect(200);
        }
    });
    work();
    over.store(true, Ordering::Relaxed);
    let _ = writer.join();
}
