//! Measures what the idle daemon costs, and how soon it replies.
//!
//! `cargo bench --bench footprint` measures: bytes written to disk by authenticated reads (target 0); resident memory
//! when idle (target 11 MB), after 1,000 concurrent connections and after an upload of 25 MiB (target 20 MB each); time
//! from start to first reply with 100,000 agents (target 50 ms, median); sizes of the binaries (target 8 MB each).

mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::json;
use support::daemon::Daemon;
use support::{load, median, proc_number, quiet_daemon, request};

const AGENTS: u32 = 100_000;
const STARTS: usize = 15;
const CONNECTIONS: usize = 1000;
/// The most bytes that one file may have.
const UPLOAD: usize = 25 * 1024 * 1024;

fn main() {
    println!("{:<64} {:>10} {:>10}", "", "found", "target");
    reads_write_nothing();
    at_rest();
    after_many_connections();
    after_an_upload();
    start_with_many_agents();
    for path in [env!("CARGO_BIN_EXE_taosd"), env!("CARGO_BIN_EXE_taosctl")] {
        let size = fs::metadata(path).expect("a binary").len() as f64 / 1e6;
        let name = path.rsplit('/').next().unwrap_or(path);
        line(&format!("size of {name}, MB"), size, 8.0);
    }
}

fn line(what: &str, found: f64, target: f64) {
    let verdict = if found <= target { "" } else { "  MISSED" };
    println!("{what:<64} {found:>10.1} {target:>10.1}{verdict}");
}

/// Measures the bytes that authenticated reads write to disk. The access log goes to `/dev/null`.
fn reads_write_nothing() {
    let daemon = quiet_daemon();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    let requests: Vec<Vec<u8>> = ["/api/auth/whoami", "/api/agents", "/api/agents/atlas"]
        .map(|path| request("GET", path, &daemon.token, ""))
        .to_vec();
    // Long enough for every reader to open its connection, even on a busy machine.
    load(&daemon.address, &requests, Duration::from_secs(1));
    let before = proc_number(daemon.pid(), "io", "write_bytes: ");
    let (_, replies) = load(&daemon.address, &requests, Duration::from_secs(2));
    let written = proc_number(daemon.pid(), "io", "write_bytes: ") - before;
    line(&format!("bytes written by {} authenticated reads", replies.len()), written as f64, 0.0);
}

fn at_rest() {
    let daemon = quiet_daemon();
    daemon.operator().get("/api/agents").expect(200);
    std::thread::sleep(Duration::from_secs(1));
    line("resident memory at rest, MB", resident(&daemon, "VmRSS:"), 11.0);
    println!(
        "{:<64} {:>10.1} {:>10}",
        "  of these its own, not pages of the program's file",
        resident(&daemon, "RssAnon:"),
        "-"
    );
}

/// A field of `/proc/PID/status` in MB.
fn resident(daemon: &Daemon, field: &str) -> f64 {
    proc_number(daemon.pid(), "status", field) as f64 / 1000.0
}

fn after_many_connections() {
    let daemon = quiet_daemon();
    let all = vec![request("GET", "/api/auth/whoami", &daemon.token, ""); CONNECTIONS];
    load(&daemon.address, &all, Duration::from_millis(500));
    std::thread::sleep(Duration::from_secs(2));
    line("resident memory after 1,000 connections, MB", resident(&daemon, "VmRSS:"), 20.0);
}

fn after_an_upload() {
    let daemon = quiet_daemon();
    let file = vec![b'x'; UPLOAD];
    let head =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\n";
    let form = [head.as_bytes(), &file, b"\r\n--b--\r\n"].concat();
    let client = daemon.operator().with("Content-Type", "multipart/form-data; boundary=b");
    client.send("POST", "/api/v1/uploads/", Some(&form)).expect(201);
    line("resident memory after an upload of 25 MiB, MB", resident(&daemon, "VmRSS:"), 20.0);
}

fn start_with_many_agents() {
    let mut daemon = quiet_daemon();
    assert_eq!(daemon.stop(), Some(0));
    add_agents(&daemon);
    let mut took = Vec::new();
    for _ in 0..STARTS {
        took.push(start(&daemon));
    }
    line(&format!("ms from start to first answer, {AGENTS} agents"), median(&took), 50.0);
    daemon.spawn();
    for _ in 0..20 {
        daemon.operator().get("/api/agents?limit=500").expect(200);
    }
    std::thread::sleep(Duration::from_secs(1));
    let rss = resident(&daemon, "VmRSS:");
    println!("{:<64} {rss:>10.1} {:>10}", format!("resident memory with {AGENTS} agents, after listing, MB"), "-");
}

fn add_agents(daemon: &Daemon) {
    let mut conn = Connection::open(daemon.database()).expect("the database");
    let (user, space): (String, String) = conn
        .query_row("SELECT owner_user_id, id FROM spaces", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the operator");
    let tx = conn.transaction().expect("a transaction");
    for n in 0..AGENTS {
        let id = taosd::store::new_id();
        tx.prepare_cached(
            "INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by,
                status, scope, created_at, updated_at)
             VALUES (?1, ?2, ?2, 'space_agent', ?3, ?4, ?4, 'bench', 'registered', '[]', ?5, ?5)",
        )
        .and_then(|mut insert| insert.execute(params![id, format!("agent-{n}"), user, space, n]))
        .expect("an agent");
        tx.prepare_cached(
            "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
             VALUES (?1, ?2, ?3, 'owner', 'bench', ?4)",
        )
        .and_then(|mut insert| insert.execute(params![taosd::store::new_id(), user, id, n]))
        .expect("a grant");
    }
    tx.commit().expect("a commit");
}

/// Returns the milliseconds from the start of the process to its first authenticated reply.
fn start(daemon: &Daemon) -> f64 {
    let begun = Instant::now();
    let mut command = daemon.command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taosd");
    let mut ready = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().expect("a pipe")), &mut ready)
        .expect("the ready line");
    let address = ready.strip_prefix("taosd listening on http://").and_then(|rest| rest.split(' ').next());
    let there = daemon.at(address.expect("an address"));
    there.get("/api/agents/agent-77777").expect(200);
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let _ = child.wait();
    took
}
