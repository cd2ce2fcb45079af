//! Reads write nothing to the disk. The daemon collects the uses of credentials, and writes them once a period and at
//! the stop.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::Daemon;

/// Only warnings are logged, because the access log would be written too.
const QUIET: (&str, &str) = ("RUST_LOG", "warn");

/// Returns the bytes that the process has caused to be written to disks, as the kernel counts them.
fn written(daemon: &Daemon) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", daemon.pid())).unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// Returns the length and the time of the last change of the files that a write changes.
fn files(daemon: &Daemon) -> Vec<(u64, SystemTime)> {
    let look = |name: &str| {
        let meta = fs::metadata(daemon.data.join(name)).unwrap();
        (meta.len(), meta.modified().unwrap())
    };
    ["taosd.db", "taosd.db-wal"].map(look).to_vec()
}

fn last_used(daemon: &Daemon) -> serde_json::Value {
    daemon.operator().get("/api/agents/atlas/token").expect(200).json()["last_used_at"].clone()
}

fn with_agent(env: &[(&str, &str)]) -> (Daemon, String) {
    let daemon = Daemon::with(&[], env);
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    let issued = daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    let token = issued["token"].as_str().unwrap().to_owned();
    (daemon, token)
}

#[test]
fn a_thousand_authenticated_reads_write_no_byte() {
    let (daemon, token) = with_agent(&[QUIET]);
    let agent = daemon.client(&token);
    agent.get("/api/auth/whoami").expect(200);
    let before = (written(&daemon), files(&daemon));
    for n in 0..1000 {
        let path = ["/api/auth/whoami", "/api/agents", "/api/agents/atlas"][n % 3];
        agent.get(path).expect(200);
    }
    assert_eq!((written(&daemon), files(&daemon)), before);
}

#[test]
fn the_last_use_is_on_disk_after_a_stop() {
    let (mut daemon, token) = with_agent(&[]);
    daemon.client(&token).get("/api/auth/whoami").expect(200);
    assert!(last_used(&daemon).is_null(), "not written at once");
    daemon.restart();
    assert!(last_used(&daemon).is_string());
}

#[test]
fn an_idle_daemon_flushes_once_and_then_writes_nothing() {
    let (daemon, token) = with_agent(&[QUIET, ("TAOSD_SWEEP_INTERVAL", "1")]);
    daemon.client(&token).get("/api/auth/whoami").expect(200);
    std::thread::sleep(Duration::from_millis(2500));
    // Looks at the files, because a request would be a use.
    let before = (written(&daemon), files(&daemon));
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!((written(&daemon), files(&daemon)), before, "an idle daemon wrote");
    assert!(last_used(&daemon).is_string());
}
