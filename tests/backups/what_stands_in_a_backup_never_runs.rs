//! A foreign backup may contain its own triggers, views, tables and indexes. None of them runs. `check` and `restore`
//! refuse the file and name the foreign object, and so does a start on a file that was copied into place.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::backups::run::{good, taosd};
use crate::support::{Daemon, TempDir};

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

fn hostile() -> Vec<(&'static str, String, &'static str)> {
    vec![
        (
            "a trigger that makes admins",
            "CREATE TRIGGER z AFTER UPDATE ON credentials BEGIN UPDATE users SET role = 'admin'; END".into(),
            "the trigger z is not taosd's",
        ),
        (
            "a trigger without an end",
            format!("CREATE TRIGGER z AFTER INSERT ON audit BEGIN {ENDLESS}; END"),
            "the trigger z is not taosd's",
        ),
        ("a view", format!("CREATE VIEW v AS {ENDLESS}"), "the view v is not taosd's"),
        ("a table", "CREATE TABLE t (x)".into(), "the table t is not taosd's"),
        ("an index", "CREATE INDEX i ON users (role)".into(), "the index i is not taosd's"),
        ("a virtual table", "CREATE VIRTUAL TABLE f USING fts5 (x)".into(), "the table f is not taosd's"),
        (
            "a trigger of ours that does something else",
            "DROP TRIGGER audit_is_append_only; CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN
                SELECT 1; END"
                .into(),
            "the trigger audit_is_append_only is not as taosd makes it",
        ),
        ("a trigger of ours less", "DROP TRIGGER audit_is_append_only".into(), "audit_is_append_only is missing"),
        (
            "a column that computes",
            "ALTER TABLE users ADD COLUMN x TEXT AS (upper(username)) VIRTUAL".into(),
            "the table users is not as taosd makes it",
        ),
        (
            "an older file with a trigger",
            "CREATE TRIGGER z AFTER INSERT ON operations BEGIN UPDATE users SET role = 'admin'; END;
                PRAGMA user_version = 1"
                .into(),
            "the trigger z is not taosd's",
        ),
    ]
}

/// Changes of the schema's own table, which no statement could make: they would hide from a comparison by the name, or
/// from one that reads SQL in another way than SQLite.
fn disguised() -> Vec<(&'static str, String, &'static str)> {
    let rename = "BEGIN UPDATE users SET display_name = 'mallory'; END";
    let schema = |sql: String| format!("PRAGMA writable_schema = ON; {sql}");
    let insert = |kind: &str, name: &str, body: &str| {
        let row = format!("'{kind}', '{name}', 'audit', 0, 'CREATE TRIGGER {name} AFTER INSERT ON audit {body}'");
        schema(format!("INSERT INTO sqlite_schema VALUES ({})", row.replace("'mallory'", "''mallory''")))
    };
    let update = |name: &str, was: &str, is: &str| {
        schema(format!("UPDATE sqlite_schema SET sql = replace(sql, '{was}', {is}) WHERE name = '{name}'"))
    };
    let changed = "the trigger tasks_count_up is not as taosd makes it";
    let when = "WHEN new.finished_at IS NULL";
    vec![
        (
            "a trigger with the name of a table of statistics",
            insert("trigger", "sqlite_stat1", rename),
            "the trigger sqlite_stat1 is not taosd's",
        ),
        ("the other such name", insert("trigger", "sqlite_stat4", rename), "the trigger sqlite_stat4 is not taosd's"),
        (
            "a text that looks like a name",
            update("tasks_count_up", when, "'WHEN new.finished_at IS \"NULL\"'"),
            changed,
        ),
        (
            "a condition that is a comment to SQLite",
            update("tasks_count_up", when, &format!("'/*/ {when} /* */'")),
            changed,
        ),
        (
            "a statement that is a comment to others",
            update(
                "tasks_count_up",
                "BEGIN",
                "'BEGIN /*/ -- */ UPDATE users SET display_name = ''mallory'';' || char(10)",
            ),
            changed,
        ),
        (
            "a statement behind a zero byte",
            update("users", " STRICT", "' /* ' || char(0) || ' */ STRICT'"),
            "the SQL of the table users has a zero byte",
        ),
    ]
}

fn stopped(dir: &TempDir) -> (Daemon, PathBuf) {
    let mut daemon = Daemon::start();
    daemon.operator().post("/api/users", json!({"username": "ann"})).expect(201);
    let backup = dir.path().join("good.db");
    good(&daemon, "backup", &[&backup]);
    assert_eq!(daemon.stop(), Some(0));
    (daemon, backup)
}

#[test]
fn it_is_refused_and_named_in_time() {
    let dir = TempDir::new();
    let (daemon, backup) = stopped(&dir);
    let database = fs::read(daemon.database()).expect("the database");
    for (what, sql, why) in hostile().into_iter().chain(disguised()) {
        let file = dir.path().join("hostile.db");
        fs::copy(&backup, &file).expect("a copy");
        Connection::open(&file).expect("a database").execute_batch(&sql).unwrap_or_else(|e| panic!("{what}: {e}"));
        let begun = Instant::now();
        for command in ["check", "restore"] {
            let (code, said) = taosd(&daemon, command, &[&file]);
            assert_eq!(code, Some(4), "{what}, {command}: {said}");
            assert!(said.contains(why), "{what}, {command}: {said}");
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} held it up");
        assert!(fs::read(daemon.database()).expect("the database") == database, "{what}: the database has changed");
        fs::copy(&file, daemon.database()).expect("a copy in place");
        let (code, said) = daemon.refused_start();
        assert_eq!(code, Some(4), "{what}, start: {said}");
        assert!(said.contains(why), "{what}, start: {said}");
        fs::write(daemon.database(), &database).expect("the database again");
    }
    good(&daemon, "check", &[&backup]);
    good(&daemon, "restore", &[&backup]);
}
