//! Measures durable writes a second: the gain of group commit on one disk.
//!
//! `TMPDIR=DIR cargo bench --bench writes` measures the disk of DIR. Rounds alternate; the numbers are medians. The
//! reference is the same disk in the same run: one connection, WAL, `synchronous=FULL`, one small row a commit. Target:
//! 32 clients together reach at least 5 times that rate. `BENCH_FSYNC_MS=5` makes each sync of the disk 5 ms slower, as
//! on an SD card.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use support::slow_disk;
use support::{cpu_seconds, load, median, percentile, quiet_daemon, request};
use taosd::store::audit::{self, AuditEntry, AuditOutcome};
use taosd::store::{Result, Store, StoreOptions};
use taosd::time::Micros;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const CLIENTS: usize = 32;

fn main() {
    if slow_disk::run_on_it_if_asked() {
        return;
    }
    let daemon = quiet_daemon();
    let requests: Vec<Vec<u8>> = (0..CLIENTS)
        .map(|n| {
            daemon.operator().post("/api/agents", json!({"name": format!("agent{n}")})).expect(200);
            request("POST", &format!("/api/agents/agent{n}/token/issue"), &daemon.token, "{}")
        })
        .collect();
    let notice = r#"{"title": "The build is done", "body": "All tests have passed."}"#;
    let inserts = vec![request("POST", "/api/ui/notify", &daemon.token, notice); CLIENTS];
    let beside = daemon.data.with_file_name("reference");
    fs::create_dir(&beside).expect("a directory");
    let reference = Reference::new(&beside.join("serial.db"));
    let store = Arc::new(open(beside.join("store")));
    println!("{ROUNDS} alternating rounds of {ROUND:?}, medians; {CLIENTS} clients; data under {}", beside.display());
    let (mut serial, mut one, mut many) = (vec![], vec![], vec![]);
    let (mut http_one, mut http, mut inserted) = (vec![], vec![], vec![]);
    let (mut p99, mut cpu) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        serial.push(reference.round());
        one.push(store_round(&store, 1));
        many.push(store_round(&store, CLIENTS));
        http_one.push(load(&daemon.address, &requests[..1], ROUND).0);
        inserted.push(load(&daemon.address, &inserts, ROUND).0);
        let before = cpu_seconds(daemon.pid());
        let (rate, latencies) = load(&daemon.address, &requests, ROUND);
        cpu.push((cpu_seconds(daemon.pid()) - before) * 1e6 / latencies.len() as f64);
        http.push(rate);
        p99.push(percentile(&latencies, 0.99));
    }
    let base = median(&serial);
    println!("{:<58} {:>9} {:>7}", "", "writes/s", "ratio");
    for (name, rates) in [
        ("one connection, one row a commit (reference)", &serial),
        ("store: an audit row, 1 thread", &one),
        ("store: an audit row, 32 threads", &many),
        ("HTTP: issue an agent's token, 1 client", &http_one),
        ("HTTP: issue an agent's token, 32 clients", &http),
        ("HTTP: notify, 32 clients", &inserted),
    ] {
        println!("{name:<58} {:>9.0} {:>7.2}", median(rates), median(rates) / base);
    }
    println!("HTTP, 32 clients: p99 {:.1} ms, processor {:.0} us a request", median(&p99), median(&cpu));
}

/// The serial commit rate of the disk.
struct Reference(Connection);

impl Reference {
    fn new(path: &Path) -> Self {
        let conn = Connection::open(path).expect("a database");
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL");
        conn.pragma_update(None, "synchronous", "FULL").expect("FULL");
        conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)").expect("a table");
        Self(conn)
    }

    fn round(&self) -> f64 {
        let (begun, mut commits) = (Instant::now(), 0);
        let mut insert = self.0.prepare("INSERT INTO t (text) VALUES ('a small row')").expect("a statement");
        while begun.elapsed() < ROUND {
            insert.execute([]).expect("a commit");
            commits += 1;
        }
        f64::from(commits) / begun.elapsed().as_secs_f64()
    }
}

fn open(dir: PathBuf) -> Store {
    Store::open(&StoreOptions { dir, readers: 1, slow_query_ms: 600_000, new_box: false }).expect("a store")
}

fn store_round(store: &Arc<Store>, threads: usize) -> f64 {
    let written = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let write = || {
        let (store, written) = (Arc::clone(store), Arc::clone(&written));
        std::thread::spawn(move || {
            while begun.elapsed() < ROUND {
                store.write(|conn| -> Result<()> { audit::append(conn, &entry()) }).expect("a write");
                written.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let threads: Vec<_> = (0..threads).map(|_| write()).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
    written.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn entry() -> AuditEntry {
    AuditEntry {
        at: Micros::now(),
        actor: "user:bench".into(),
        action: "agents.create".into(),
        resource: "agent:bench".into(),
        outcome: AuditOutcome::Ok,
        count: 1,
        request_id: "-".into(),
    }
}
