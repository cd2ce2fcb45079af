//! A restore refuses a torn, cut, foreign or newer file with its exit code. The data does not change.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use crate::backups::run::{good, taosd};
use crate::support::{Daemon, TempDir};

/// Returns a stopped daemon with one agent, and a good backup of it.
fn stopped(dir: &TempDir) -> (Daemon, PathBuf) {
    let mut daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    let backup = dir.path().join("good.db");
    good(&daemon, "backup", &[&backup]);
    assert_eq!(daemon.stop(), Some(0));
    (daemon, backup)
}

/// Returns the files in the data directory, sorted by path.
fn contents(daemon: &Daemon) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(&daemon.data)
        .expect("the data")
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.path(), fs::read(entry.path()).expect("a file")))
        .collect();
    files.sort();
    files
}

#[track_caller]
fn refused(daemon: &Daemon, file: &Path, code: i32, reason: &str) {
    let before = contents(daemon);
    let (got, said) = taosd(daemon, "restore", &[file]);
    assert_eq!(got, Some(code), "{said}");
    assert!(said.contains(reason), "{said}");
    assert!(contents(daemon) == before, "{reason}: the data directory has changed");
}

#[test]
fn each_bad_file_is_named_and_nothing_changes() {
    let dir = TempDir::new();
    let (daemon, backup) = stopped(&dir);
    let whole = fs::read(&backup).expect("the backup");
    let bad = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("a bad backup");
        path
    };
    for cut in [4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        refused(&daemon, &bad("cut.db", &whole[..cut]), 4, "damaged");
    }
    refused(&daemon, &bad("empty.db", b""), 4, "not a taosd database");
    refused(&daemon, &bad("short.db", &whole[..50]), 4, "not a taosd database");
    refused(&daemon, &bad("text.db", b"Dear diary"), 4, "not an SQLite file");
    refused(&daemon, &dir.path().join("none.db"), 1, "No such file");
    refused(&daemon, dir.path(), 1, "directory");
    refused(&daemon, &daemon.database(), 1, "the database itself");
    // A torn file: its middle was never written.
    let torn = bad("torn.db", &whole);
    let mut file = fs::OpenOptions::new().write(true).open(&torn).expect("a file");
    file.seek(SeekFrom::Start(whole.len() as u64 / 2 / 4096 * 4096)).expect("the middle");
    file.write_all(&[0; 16 * 4096]).expect("a hole");
    refused(&daemon, &torn, 4, "damaged");
    let foreign = dir.path().join("foreign.db");
    Connection::open(&foreign).expect("a database").execute_batch("CREATE TABLE t (x)").expect("a table");
    refused(&daemon, &foreign, 4, "not a taosd database");
    for (what, sql) in [
        (
            "a changed audit row",
            "DROP TRIGGER audit_is_append_only; UPDATE audit SET actor = 'user:mallory' WHERE seq = 1;
                CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
                BEGIN SELECT raise(ABORT, 'audit rows are never changed'); END",
        ),
        ("a row that points nowhere", "PRAGMA foreign_keys = OFF; UPDATE agents SET owner_user_id = 'nobody'"),
    ] {
        let path = bad("changed.db", &whole);
        Connection::open(&path).expect("a database").execute_batch(sql).unwrap_or_else(|e| panic!("{what}: {e}"));
        refused(&daemon, &path, 4, "damaged");
    }
    let newer = bad("newer.db", &whole);
    Connection::open(&newer).expect("a database").execute_batch("PRAGMA user_version = 999").expect("a version");
    refused(&daemon, &newer, 1, "newer than this taosd");
}

#[test]
fn a_running_daemon_keeps_its_database() {
    let dir = TempDir::new();
    let (mut daemon, backup) = stopped(&dir);
    daemon.spawn();
    let (code, said) = taosd(&daemon, "restore", &[&backup]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("in use"), "{said}");
    daemon.operator().post("/api/agents", json!({"name": "later"})).expect(200);
}

#[test]
fn a_backup_takes_the_place_of_an_older_one_and_of_nothing_else() {
    let dir = TempDir::new();
    let (daemon, backup) = stopped(&dir);
    good(&daemon, "backup", &[&backup]);
    let diary = dir.path().join("diary.txt");
    fs::write(&diary, "Dear diary").expect("a file");
    for (to, reason) in [
        (diary.as_path(), "not a taosd database"),
        (dir.path(), "is not a file"),
        (&daemon.database(), "the database itself"),
        (&dir.path().join("none/b.db"), "No such file"),
    ] {
        let (code, said) = taosd(&daemon, "backup", &[to]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!(fs::read_to_string(&diary).expect("the diary"), "Dear diary");
    let nowhere = Daemon::prepared(None, &[], &[]);
    let (code, said) = taosd(&nowhere, "backup", &[&backup]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
}
