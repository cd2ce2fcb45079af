//! Pages of the database are overwritten while the daemon is stopped.

use std::fs;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::process::Command;

use rusqlite::Connection;
use serde_json::json;

use crate::support::Daemon;

/// The bytes of a page in a new database.
const PAGE: u64 = 2048;

/// Returns a stopped daemon with forty agents.
fn registry() -> Daemon {
    let mut daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    for n in 0..40 {
        daemon.operator().post("/api/agents", json!({"name": format!("agent{n}")})).expect(200);
        let persona = json!({"soul_md": "x".repeat(3000), "agent_md": ""});
        daemon.operator().patch(&format!("/api/agents/agent{n}/persona"), persona).expect(200);
    }
    assert_eq!(daemon.stop(), Some(0));
    daemon
}

fn overwrite(daemon: &Daemon, page: u64) {
    let mut file = fs::OpenOptions::new().write(true).open(daemon.database()).unwrap();
    file.seek(SeekFrom::Start((page - 1) * PAGE)).unwrap();
    file.write_all(&[0xa5; PAGE as usize]).unwrap();
}

fn root_page(daemon: &Daemon, table: &str) -> u64 {
    let conn = Connection::open(daemon.database()).unwrap();
    conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap()
}

fn check_fails(daemon: &Daemon) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_taosd"));
    let output = check.arg("check").arg(daemon.database()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("WRONG"));
}

#[test]
fn a_damaged_table_is_a_503_and_the_others_are_served() {
    let mut daemon = registry();
    overwrite(&daemon, root_page(&daemon, "agents"));
    check_fails(&daemon);
    daemon.spawn();
    let operator = daemon.operator();
    operator.get("/api/agents").expect_error(503, "storage_damaged");
    operator.get("/api/agents/agent1").expect_error(503, "storage_damaged");
    operator.post("/api/agents", json!({"name": "more"})).expect_error(503, "storage_damaged");
    // `/readyz` reports the same error as the requests, and keeps reporting it.
    let ready = daemon.anonymous().get("/readyz").expect_error(503, "not_ready").json();
    assert!(ready["checks"]["database"].as_str().unwrap().contains("damaged"), "{ready}");
    operator.get("/api/users").expect(200);
    operator.get("/api/audit").expect(200);
    operator.post("/api/users", json!({"username": "ada"})).expect(201);
    let told = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let rows = operator.get("/api/notifications").expect(200).json();
        rows.as_array().unwrap().iter().find(|row| row["title"] == "The database file is damaged").cloned()
    });
    assert_eq!(told.expect("the admins are told")["level"], "high");
    daemon.anonymous().get("/readyz").expect_error(503, "not_ready");
    assert_eq!(daemon.stop(), Some(0));
    assert!(!daemon.log_text().contains("panicked"), "{}", daemon.log_text());
}

#[test]
fn a_damaged_schema_ends_the_start_with_4() {
    let daemon = registry();
    let mut file = fs::OpenOptions::new().write(true).open(daemon.database()).unwrap();
    // The first page keeps its header, which has our application id. The list of tables after it is destroyed.
    file.seek(SeekFrom::Start(100)).unwrap();
    file.write_all(&[0xa5; 3996]).unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("damaged") && said.contains("restore a backup"), "{said}");
    check_fails(&daemon);
}

#[test]
fn whatever_page_is_overwritten_nothing_panics() {
    let original = registry();
    let whole = fs::read(original.database()).unwrap();
    let pages = whole.len() as u64 / PAGE;
    for page in (2..=pages).step_by(usize::try_from(pages / 16).unwrap().max(1)) {
        let mut daemon = Daemon::prepared(Some(&original.data), &[], &[]);
        fs::write(original.database(), &whole).unwrap();
        for rest in ["taosd.db-wal", "taosd.db-shm"] {
            let _ = fs::remove_file(original.data.join(rest));
        }
        overwrite(&original, page);
        let mut child = daemon.command().stdout(std::process::Stdio::piped()).spawn().unwrap();
        // Reads the ready line. An empty line means that the daemon has ended.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            assert_eq!(child.wait().unwrap().code(), Some(4), "page {page}");
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        daemon.spawn();
        for path in ["/api/agents", "/api/agents/agent7", "/api/users", "/api/grants", "/api/audit", "/readyz"] {
            let reply = daemon.operator().get(path);
            assert!([200, 401, 404, 503].contains(&reply.status), "page {page}, {path}: {}", reply.text());
        }
        let reply = daemon.operator().post("/api/agents", json!({"name": "more"}));
        assert!([200, 401, 503].contains(&reply.status), "page {page}: {}", reply.text());
        daemon.stop();
        assert!(!daemon.log_text().contains("panicked"), "page {page}: {}", daemon.log_text());
    }
}
