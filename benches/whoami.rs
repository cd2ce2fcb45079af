//! Authenticated requests a second of the real daemon, beside a bare hyper server on one thread in the same run.
//!
//! `cargo bench --bench whoami`. Rounds alternate; the numbers are medians. Each server is a process of its own, and
//! one thread of the bench sends to both. Target: the daemon reaches at least 0.6 of the rate of bare hyper. On a
//! machine with other work, compare the processor time per request instead.

mod support;

use std::time::Duration;

use support::hello::{Hello, serve_if_asked};
use support::{load, measured, median, percentile, quiet_daemon, request};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);

fn main() {
    if serve_if_asked() {
        return;
    }
    let daemon = quiet_daemon();
    daemon.operator().post("/api/agents", serde_json::json!({"name": "atlas"})).expect(200);
    let issued = daemon.operator().post("/api/agents/atlas/token/issue", serde_json::json!({})).expect(200).json();
    let token = issued["token"].as_str().expect("a token");
    let hello = Hello::start(5);
    println!("GET /api/auth/whoami with an agent's token; {ROUNDS} alternating rounds of {ROUND:?}, medians");
    println!(
        "{:>11} {:>10} {:>10} {:>7} {:>8} {:>8} {:>9} {:>9}",
        "connections", "hyper/s", "taosd/s", "ratio", "p50 ms", "p99 ms", "hyper us", "taosd us"
    );
    for connections in [32, 64] {
        let ours = vec![request("GET", "/api/auth/whoami", token, ""); connections];
        let theirs = vec![request("GET", "/", token, ""); connections];
        // Warm both up.
        load(&hello.address, &theirs, ROUND / 5);
        load(&daemon.address, &ours, ROUND / 5);
        let (mut bare, mut full, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
        let (mut bare_cpu, mut cpu) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            let (rate, _, micros) = measured(&hello.address, &theirs, hello.child.id(), ROUND);
            bare.push(rate);
            bare_cpu.push(micros);
            let (rate, latencies, micros) = measured(&daemon.address, &ours, daemon.pid(), ROUND);
            cpu.push(micros);
            full.push(rate);
            p50.push(percentile(&latencies, 0.5));
            p99.push(percentile(&latencies, 0.99));
        }
        let (bare, full) = (median(&bare), median(&full));
        println!(
            "{connections:>11} {bare:>10.0} {full:>10.0} {:>7.2} {:>8.2} {:>8.2} {:>9.1} {:>9.1}",
            full / bare,
            median(&p50),
            median(&p99),
            median(&bare_cpu),
            median(&cpu)
        );
    }
}
