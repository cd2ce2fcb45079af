//! Exit codes of `taosd`: 1 failure, 2 usage, 3 data directory in use, 4 damaged or foreign file.

use std::fs;

use rusqlite::Connection;

use crate::support::Daemon;

/// A daemon that has not been started, with this as its database file.
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
