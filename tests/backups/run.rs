//! Runs `taosd` commands while a daemon runs, or on its data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Daemon;

/// Runs `taosd` with these arguments on the daemon's data. Returns the exit code and the output of both streams.
pub fn taosd(daemon: &Daemon, command: &str, args: &[&Path]) -> (Option<i32>, String) {
    let mut taosd = Command::new(env!("CARGO_BIN_EXE_taosd"));
    taosd.arg(command).arg("--data-dir").arg(&daemon.data).args(args).env("TAOSD_MIN_FREE_BYTES", "0");
    let output = taosd.output().expect("taosd");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("UTF-8");
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

/// Like [`taosd`], but the command must succeed. Returns the output.
#[track_caller]
pub fn good(daemon: &Daemon, command: &str, args: &[&Path]) -> String {
    let (code, said) = taosd(daemon, command, args);
    assert_eq!(code, Some(0), "{command}: {said}");
    said
}

/// The copy that the daemon keeps up to date.
pub fn fresh(daemon: &Daemon) -> PathBuf {
    daemon.data.join("backup/taosd.db")
}

/// Waits until `is_so` returns true, for at most 20 seconds.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a daemon whose database has `rows` rows of 256 KiB each. A copy of them takes longer than a stop.
pub fn with_large_rows(rows: usize) -> Daemon {
    with_rows(rows, "zeroblob(262144)")
}

/// Starts a daemon whose database has `rows` rows of one byte. A check of them takes longer than a few requests.
pub fn with_many_rows(rows: usize) -> Daemon {
    with_rows(rows, "x'00'")
}

/// The rows are the content of a whole file: a start would delete an unfinished one.
fn with_rows(rows: usize, bytes: &str) -> Daemon {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let conn = rusqlite::Connection::open(daemon.database()).expect("the database");
    conn.execute_batch(&format!(
        "BEGIN;
        INSERT INTO upload_contents (id, space_id, hash, size, begun_at)
            SELECT 1, id, zeroblob(32), 0, 0 FROM spaces LIMIT 1;
        WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < {rows})
        INSERT INTO upload_chunks SELECT 1, at, {bytes} FROM n;
        COMMIT"
    ))
    .expect("the rows");
    drop(conn);
    daemon.spawn();
    daemon
}
