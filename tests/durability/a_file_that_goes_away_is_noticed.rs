//! Somebody removes or replaces the database's files while the daemon runs. The daemon acknowledges no write that would
//! be lost, `/readyz` reports the problem, and the daemon recovers once the file is back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Daemon, TempDir};

/// More readers than the daemon has workers.
const READERS: usize = 32;

fn not_ready(daemon: &Daemon) {
    let ready = daemon.anonymous().get("/readyz").expect_error(503, "not_ready").json();
    assert!(ready["checks"]["database"].as_str().unwrap().contains("removed or replaced"), "{ready}");
    daemon.anonymous().get("/healthz").expect(200);
}

#[test]
fn whichever_file_goes_writes_are_refused_until_it_is_back() {
    for file in ["taosd.db", "taosd.db-wal", "taosd.db-shm"] {
        let mut daemon = Daemon::start();
        daemon.agent("before");
        let (place, away) = (daemon.data.join(file), daemon.data.join("away"));
        fs::rename(&place, &away).unwrap();
        let refused = daemon.operator().post("/api/agents", json!({"name": "lost"}));
        refused.expect_error(503, "storage_gone");
        not_ready(&daemon);
        daemon.operator().get("/api/agents/before").expect(200);
        // Another file with that name is not the file in use, even if its bytes are the same.
        fs::copy(&away, &place).unwrap();
        daemon.operator().post("/api/users", json!({"username": "lost"})).expect_error(503, "storage_gone");
        not_ready(&daemon);
        fs::rename(&away, &place).unwrap();
        daemon.operator().post("/api/agents", json!({"name": "after"})).expect(200);
        daemon.anonymous().get("/readyz").expect(200);
        daemon.restart();
        for name in ["before", "after"] {
            daemon.operator().get(&format!("/api/agents/{name}")).expect(200);
        }
        daemon.check();
    }
}

#[test]
fn what_a_removed_file_held_is_saved_and_can_be_restored() {
    let mut daemon = Daemon::start();
    daemon.agent("kept");
    fs::remove_file(daemon.database()).unwrap();
    daemon.operator().post("/api/agents", json!({"name": "lost"})).expect_error(503, "storage_gone");
    let rescued = daemon.data.join("taosd.db.rescued");
    for _ in 0..100 {
        if rescued.exists() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(fs::metadata(&rescued).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(daemon.stop(), Some(0));
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
    let mut restore = Command::new(env!("CARGO_BIN_EXE_taosd"));
    let output = restore.arg("restore").arg("--data-dir").arg(&daemon.data).arg(&rescued).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    daemon.spawn();
    daemon.operator().get("/api/agents/kept").expect(200);
    daemon.check();
}

#[test]
fn the_webhook_is_told_although_nothing_can_be_written() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new();
    let (secret, config) = (dir.path().join("secret"), dir.path().join("taosd.toml"));
    fs::write(&secret, "0123456789abcdef0123").unwrap();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let text =
        format!("[webhook]\nurl = '{url}'\nsecret_file = '{}'\n[containers]\nruntime = 'none'\n", secret.display());
    fs::write(&config, text).unwrap();
    let daemon = Daemon::with(&["--config", config.to_str().unwrap()], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    fs::remove_file(daemon.database()).unwrap();
    let (mut stream, _) = receiver.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut said = String::new();
    let mut bytes = [0; 4096];
    while !said.contains("The database file is gone") {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert!(said.starts_with("POST /hook"), "{said}");
    assert!(daemon.log_text().contains("the database file is gone"), "{}", daemon.log_text());
}

/// The daemon opens a few connections to the database at the start, and more when more requests read at once.
#[test]
fn who_begins_to_read_meanwhile_reads_from_the_file_in_use() {
    for file in ["taosd.db", "taosd.db-wal", "taosd.db-shm"] {
        let mut daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "16"), ("TAOSD_MAX_CONNECTIONS_PER_PEER", "100")]);
        daemon.agent("before");
        let (place, away) = (daemon.data.join(file), daemon.data.join("away"));
        fs::rename(&place, &away).unwrap();
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| read(&daemon, "before"));
            }
            thread::sleep(Duration::from_millis(100));
            fs::copy(&away, &place).unwrap();
        });
        fs::rename(&away, &place).unwrap();
        daemon.agent("after");
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| read(&daemon, "after"));
            }
        });
        daemon.anonymous().get("/readyz").expect(200);
        daemon.restart();
        read(&daemon, "after");
        daemon.check();
    }
}

fn read(daemon: &Daemon, agent: &str) {
    for _ in 0..50 {
        daemon.operator().get(&format!("/api/agents/{agent}")).expect(200);
    }
}
