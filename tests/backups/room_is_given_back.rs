//! Deleted rows free space in the file and in its backups: automatically in quiet minutes, or at once with
//! `taosd compact`. If only the time of a credential's last use has changed, the daemon writes no new copy.

use std::fs;

use rusqlite::Connection;
use serde_json::json;

use crate::backups::run::{fresh, good, taosd, wait_until};
use crate::support::Daemon;

const EVERY_SECOND: &[(&str, &str)] = &[("TAOSD_BACKUP_INTERVAL", "1")];
const MEBIBYTE: u64 = 1 << 20;

fn bytes(path: &std::path::Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

/// Inserts many rows into the database of a stopped daemon and deletes them. Sets `auto_vacuum` to the given mode.
fn swell(daemon: &Daemon, auto_vacuum: &str) {
    let conn = Connection::open(daemon.database()).expect("the database");
    conn.execute_batch(&format!("PRAGMA auto_vacuum = {auto_vacuum}; VACUUM")).expect("a mode");
    conn.execute_batch(
        "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at, status, body)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            SELECT 'user:x', 'POST /x', i, zeroblob(32), 'o', 1, 200, randomblob(8000) FROM n;
         DELETE FROM idempotency;",
    )
    .expect("rows that go");
}

#[test]
fn a_quiet_daemon_gives_room_back_by_itself() {
    let mut daemon = Daemon::with(&[], EVERY_SECOND);
    assert_eq!(daemon.stop(), Some(0));
    swell(&daemon, "INCREMENTAL");
    assert!(bytes(&daemon.database()) > 12 * MEBIBYTE);
    daemon.spawn();
    wait_until("the file is small again", || bytes(&daemon.database()) < 3 * MEBIBYTE);
    wait_until("the log tells it", || daemon.log_text().contains("to the disk in"));
    daemon.operator().get("/api/agents").expect(200);
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

#[test]
fn a_new_database_can_give_room_back_and_its_copies_hold_no_free_page() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.number("PRAGMA auto_vacuum", []), 2);
    assert_eq!(daemon.stop(), Some(0));
    swell(&daemon, "NONE");
    let backup = daemon.data.join("b.db");
    good(&daemon, "backup", &[&backup]);
    assert!(bytes(&backup) < 3 * MEBIBYTE && bytes(&daemon.database()) > 12 * MEBIBYTE);
    let conn = Connection::open(&backup).expect("the backup");
    let free: i64 = conn.query_row("PRAGMA freelist_count", [], |row| row.get(0)).expect("a number");
    assert_eq!(free, 0);
    good(&daemon, "check", &[&backup]);
}

#[test]
fn compact_makes_an_older_database_small_and_loses_nothing() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    let (code, said) = taosd(&daemon, "compact", &[]);
    assert_eq!(code, Some(3), "while it runs: {said}");
    assert_eq!(daemon.stop(), Some(0));
    swell(&daemon, "NONE");
    let rows = daemon.rows();
    let said = good(&daemon, "compact", &[]);
    assert!(said.contains("bytes,") && bytes(&daemon.database()) < 3 * MEBIBYTE, "{said}");
    assert!(daemon.rows() == rows);
    assert_eq!(daemon.number("PRAGMA auto_vacuum", []), 2);
    let left: Vec<_> = fs::read_dir(&daemon.data).expect("the data").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
    // The kill leaves a WAL.
    daemon.spawn();
    daemon.agent("bert");
    daemon.kill();
    good(&daemon, "compact", &[]);
    daemon.spawn();
    daemon.operator().get("/api/agents/bert").expect(200);
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

#[test]
fn the_time_of_a_last_use_is_worth_no_new_copy() {
    use std::os::unix::fs::MetadataExt;
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    let issued = daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    assert_eq!(daemon.stop(), Some(0));
    let copied = fs::metadata(fresh(&daemon)).expect("the copy").ino();
    for _ in 0..2 {
        daemon.spawn();
        daemon.client(issued["token"].as_str().expect("a token")).get("/api/auth/whoami").expect(200);
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(fs::metadata(fresh(&daemon)).expect("the copy").ino(), copied, "only a last use has changed");
    }
    daemon.spawn();
    daemon.agent("bert");
    assert_eq!(daemon.stop(), Some(0));
    assert_ne!(fs::metadata(fresh(&daemon)).expect("the copy").ino(), copied);
}
