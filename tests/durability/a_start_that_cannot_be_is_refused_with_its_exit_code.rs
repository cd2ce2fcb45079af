//! Exit codes of `taosd`: 1 failure, 2 usage, 3 data directory in use, 4 damaged or foreign file.

use std::fs;

use rusqlite::Connection;

use crate::support::Daemon;

/// Prepares a daemon with this database file. Does not start it.
fn with_file(make: impl FnOnce(&std::path::Path)) -> Daemon {
    let daemon = Daemon::prepared(None, &[], &[]);
    fs::create_dir_all(&daemon.data).unwrap();
    make(&daemon.database());
    daemon
}

#[test]
fn a_second_daemon_on_the_same_directory_ends_with_3_and_the_first_goes_on() {
    let first = Daemon::start();
    let socket = first.data.join("other.sock");
    let second = Daemon::prepared(Some(&first.data), &["--socket", socket.to_str().unwrap()], &[]);
    let (code, said) = second.refused_start();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("in use by another taosd"), "{said}");
    first.operator().get("/api/agents").expect(200);
}

#[test]
fn nobody_can_take_the_lock_away() {
    let first = Daemon::start();
    let socket = first.data.join("s2.sock");
    let socket = ["--socket", socket.to_str().unwrap()];
    // In releases with a lock file, somebody could remove it as stale.
    let _ = fs::remove_file(first.data.join("taosd.lock"));
    let (code, said) = Daemon::prepared(Some(&first.data), &socket, &[]).refused_start();
    assert_eq!(code, Some(3), "{said}");
    // The same directory by another name, and the same file in another directory.
    let elsewhere = crate::support::TempDir::new();
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(&first.data, &link).unwrap();
    let (code, said) = Daemon::prepared(Some(&link), &socket, &[]).refused_start();
    assert_eq!(code, Some(3), "{said}");
    let other = elsewhere.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::hard_link(first.database(), other.join("taosd.db")).unwrap();
    let (code, said) = Daemon::prepared(Some(&other), &socket, &[]).refused_start();
    assert_eq!(code, Some(3), "{said}");
    // Commands that only read work while the daemon runs, and do not release its lock.
    first.check();
    let copy = elsewhere.path().join("copy.db");
    let mut backup = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
    let done = backup.arg("backup").arg("--data-dir").arg(&first.data).arg(&copy).status().unwrap();
    assert!(done.success() && copy.exists());
    for command in [&["operator-token", "--rotate"][..], &["restore", copy.to_str().unwrap()]] {
        let mut taosd = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
        let output = taosd.args(command).arg("--data-dir").arg(&first.data).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    first.operator().get("/api/agents").expect(200);
    assert!(!fs::exists(first.data.join("taosd.lock")).unwrap(), "nothing is left that could be taken away");
}

#[test]
fn a_lock_file_of_an_older_release_counts_too() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let old = fs::File::create(daemon.data.join("taosd.lock")).unwrap();
    old.lock().unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(3), "{said}");
    drop(old);
    daemon.spawn();
}

#[test]
fn a_box_that_lost_its_database_is_not_begun_anew_unasked() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    daemon.kill();
    let kept = fs::read(daemon.database()).unwrap();
    let token = fs::read(daemon.data.join("operator.token")).unwrap();
    fs::remove_file(daemon.database()).unwrap();
    let lost = |daemon: &Daemon, names: &str| {
        let (code, said) = daemon.refused_start();
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains(names) && said.contains("taosd restore") && said.contains("--new-box"), "{said}");
        assert!(!daemon.database().exists() || fs::metadata(daemon.database()).unwrap().len() == 0);
        assert_eq!(fs::read(daemon.data.join("operator.token")).unwrap(), token);
    };
    lost(&daemon, "taosd.db-wal");
    // An empty file is no database either.
    fs::write(daemon.database(), "").unwrap();
    lost(&daemon, "taosd.db-wal");
    fs::remove_file(daemon.database()).unwrap();
    fs::rename(daemon.data.join("taosd.db-wal"), daemon.data.join("kept-wal")).unwrap();
    lost(&daemon, "operator.token");
    let mut rotate = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
    let output = rotate.args(["operator-token", "--rotate", "--data-dir"]).arg(&daemon.data).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    // With the files put back, the daemon starts as before.
    fs::write(daemon.database(), kept).unwrap();
    fs::rename(daemon.data.join("kept-wal"), daemon.data.join("taosd.db-wal")).unwrap();
    daemon.spawn();
    daemon.operator().get("/api/agents/atlas").expect(200);
    assert_eq!(daemon.stop(), Some(0));
    // The up-to-date copy also shows that there was a box here.
    for file in ["taosd.db", "operator.token"] {
        fs::remove_file(daemon.data.join(file)).unwrap();
    }
    let (code, said) = daemon.refused_start();
    assert_eq!((code, said.contains("backup/taosd.db")), (Some(4), true), "{said}");
    let mut anew = Daemon::prepared(Some(&daemon.data), &["--new-box"], &[]);
    anew.spawn();
    assert_eq!(anew.operator().get("/api/agents").expect(200).json(), serde_json::json!([]));
}

#[test]
fn the_lock_of_a_killed_daemon_is_gone_with_it() {
    let mut daemon = Daemon::start();
    daemon.kill();
    daemon.spawn();
    daemon.operator().get("/api/agents").expect(200);
}

#[test]
fn a_file_that_is_no_database_ends_with_4_and_is_left_alone() {
    let daemon = with_file(|path| fs::write(path, "dear diary, this is no database at all\n".repeat(100)).unwrap());
    let before = fs::read(daemon.database()).unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("is not a taosd database"), "{said}");
    assert_eq!(fs::read(daemon.database()).unwrap(), before);
}

#[test]
fn the_database_of_another_program_ends_with_4_and_is_left_alone() {
    let daemon = with_file(|path| {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');").unwrap();
    });
    let before = fs::read(daemon.database()).unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("is not a taosd database"), "{said}");
    assert_eq!(fs::read(daemon.database()).unwrap(), before);
}

#[test]
fn the_database_of_another_program_with_a_wal_beside_it_ends_with_4_too() {
    let daemon = with_file(|path| {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        conn.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');").unwrap();
        // Not closed: the WAL stays.
        std::mem::forget(conn);
    });
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
    let conn = Connection::open(daemon.database()).unwrap();
    let text: String = conn.query_row("SELECT text FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(text, "mine");
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1, "nothing of ours is in it");
}

#[test]
fn a_database_cut_off_after_its_head_ends_with_4() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let whole = fs::read(daemon.database()).unwrap();
    fs::write(daemon.database(), &whole[..50]).unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(4), "{said}");
}

#[test]
fn an_empty_file_becomes_a_new_registry() {
    let mut daemon = with_file(|path| fs::write(path, "").unwrap());
    daemon.spawn();
    daemon.operator().get("/api/agents").expect(200);
}

#[test]
fn a_file_of_a_newer_release_ends_with_1_and_says_what_to_do() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    Connection::open(daemon.database()).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("newer than this taosd's") && said.contains("restore a backup"), "{said}");
}

#[test]
fn a_setting_that_cannot_be_used_ends_with_2_and_names_the_setting() {
    for (args, env, names) in [
        (&["--listen", "nowhere"][..], &[][..], "nowhere"),
        (&[], &[("TAOSD_HEAD_TIMEOUT", "soon")], "TAOSD_HEAD_TIMEOUT"),
        (&[], &[("TAOSD_WORKERS", "9999")], "workers"),
        (&["--config", "/nonexistent/taosd.toml"], &[], "/nonexistent/taosd.toml"),
        (&["--no-such-flag"], &[], "--no-such-flag"),
    ] {
        let (code, said) = Daemon::prepared(None, args, env).refused_start();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(names), "{said}");
    }
}

#[test]
fn a_file_in_the_place_of_the_socket_is_kept() {
    let folder = crate::support::TempDir::new();
    let place = folder.path().join("taosd.toml");
    fs::write(&place, "mine").unwrap();
    let (code, said) = Daemon::prepared(None, &["--socket", place.to_str().unwrap()], &[]).refused_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no socket"), "{said}");
    assert_eq!(fs::read_to_string(&place).unwrap(), "mine");
}
