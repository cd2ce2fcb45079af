//! Anybody who can write the file can cut the end of the audit, and the chain still verifies. A head that was saved
//! elsewhere before shows the cut. A head comes from the route or from the log.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::backups::run::{good, wait_until};
use crate::support::{Daemon, TempDir};

/// Returns the exit code and the output of `taosd check --head`.
fn check(daemon: &Daemon, head: &str) -> (Option<i32>, String) {
    let mut taosd = Command::new(env!("CARGO_BIN_EXE_taosd"));
    taosd.arg("check").arg("--data-dir").arg(&daemon.data).args(["--head", head]).env("TAOSD_MIN_FREE_BYTES", "0");
    let output = taosd.output().expect("taosd");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[track_caller]
fn refused(daemon: &Daemon, head: &str, why: &str) {
    let (code, said) = check(daemon, head);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(why), "{said}");
}

/// Removes the last rows of the chain, as an attacker would who knows its format.
fn cut(daemon: &Daemon, rows: i64) {
    let conn = Connection::open(daemon.database()).expect("the database");
    conn.execute("DELETE FROM audit WHERE seq > (SELECT max(seq) FROM audit) - ?1", [rows]).expect("a cut");
    conn.execute(
        "UPDATE meta SET value = (SELECT seq || ':' || lower(hex(hash)) FROM audit ORDER BY seq DESC LIMIT 1)
            WHERE key = 'audit_head'",
        [],
    )
    .expect("a head that fits");
}

#[test]
fn a_head_from_the_route_proves_what_came_before_it() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    let told = daemon.operator().get("/api/audit/head").expect(200).json();
    assert_eq!(
        told.as_object().map(|told| told.keys().map(String::as_str).collect::<Vec<_>>()),
        Some(vec!["seq", "hash", "at", "key_id", "signature"])
    );
    let key = daemon.data.join("box.key");
    assert_eq!(fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o600);
    daemon.agent("bert");
    let (code, said) = check(&daemon, &told.to_string());
    assert_eq!(code, Some(0), "while it runs: {said}");
    daemon.restart();
    assert_eq!(daemon.operator().get("/api/audit/head").expect(200).json()["key_id"], told["key_id"]);
    assert_eq!(daemon.stop(), Some(0));
    let file = dir.path().join("head");
    fs::write(&file, told.to_string()).expect("a file");
    let (code, said) = check(&daemon, file.to_str().expect("UTF-8"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("made with this box's key") && said.contains("is as told"), "{said}");

    for (name, value) in [("at", json!("2020-01-01T00:00:00.000Z")), ("seq", json!(1)), ("signature", json!("AAAA"))] {
        let mut other = told.clone();
        other[name] = value;
        refused(&daemon, &other.to_string(), "the head was altered");
    }
    let backup = daemon.data.join("backup/taosd.db");
    let bytes = fs::read(&key).expect("the key");
    let secret = bytes.trim_ascii_end();
    assert!(!fs::read(&backup).expect("a backup").windows(secret.len()).any(|window| window == secret));
    fs::remove_file(&key).expect("no key");
    assert!(check(&daemon, &told.to_string()).1.contains("not checked"));
    daemon.spawn();
    assert_eq!(daemon.stop(), Some(0));
    refused(&daemon, &told.to_string(), "made with the key");
    fs::write(&key, &bytes).expect("the key again");

    cut(&daemon, 1);
    good(&daemon, "check", &[]);
    let (code, _) = check(&daemon, &told.to_string());
    assert_eq!(code, Some(0), "what was told is still there");
    let rows = told["seq"].as_i64().expect("a number");
    let last: i64 = daemon.number("SELECT max(seq) FROM audit", []);
    cut(&daemon, last - rows + 1);
    good(&daemon, "check", &[]);
    refused(&daemon, &told.to_string(), "rows are missing");
    daemon.spawn();
    for nth in 0..5 {
        daemon.agent(&format!("more{nth}"));
    }
    assert_eq!(daemon.stop(), Some(0));
    good(&daemon, "check", &[]);
    refused(&daemon, &told.to_string(), "the audit was made anew");
}

#[test]
fn the_log_tells_it_at_the_start_and_at_the_stop() {
    let mut daemon = Daemon::start();
    let heads = |daemon: &Daemon| -> Vec<Value> {
        let log = daemon.log_text();
        let lines = log.lines().filter_map(|line| line.split_once("audit head ").map(|(_, head)| head.to_owned()));
        lines.map(|head| serde_json::from_str(&head).expect("JSON")).collect()
    };
    wait_until("a head in the log", || heads(&daemon).len() == 1);
    daemon.agent("atlas");
    assert_eq!(daemon.stop(), Some(0));
    let told = heads(&daemon);
    assert_eq!(told.len(), 2);
    assert!(told[1]["seq"].as_i64() > told[0]["seq"].as_i64());
    let (code, said) = check(&daemon, daemon.log.to_str().expect("UTF-8"));
    assert_eq!(code, Some(0), "{said}");
    cut(&daemon, 1);
    refused(&daemon, daemon.log.to_str().expect("UTF-8"), "rows are missing");
}

#[test]
fn what_holds_no_head_is_told() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    for none in ["{}", "{", "/nonexistent", daemon.database().to_str().expect("UTF-8")] {
        let (code, said) = check(&daemon, none);
        assert_eq!(code, Some(1), "{none}: {said}");
    }
}
