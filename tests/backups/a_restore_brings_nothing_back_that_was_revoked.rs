//! After a restore, sessions and exchanged tokens have ended, and credentials revoked since the backup stay revoked.
//! All other credentials of the backup are valid again. The previous database is kept.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::backups::run::{good, taosd};
use crate::support::{Client, Daemon, TempDir, text};

fn kept(daemon: &Daemon) -> Vec<PathBuf> {
    let entries = fs::read_dir(&daemon.data).expect("the data").flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains("before-restore")).collect()
}

fn token(client: &Client, path: &str, body: Value) -> String {
    let reply = client.post(path, body);
    assert!(reply.status < 300, "{}", reply.text());
    text(&reply.json(), "token")
}

fn is_good(daemon: &Daemon, token: &str) -> bool {
    daemon.client(token).get("/api/auth/whoami").status == 200
}

#[test]
fn what_died_since_stays_dead_and_what_lived_lives() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["atlas", "bert", "carl"] {
        daemon.agent(name);
    }
    let issue = |name: &str| token(&operator, &format!("/api/agents/{name}/token/issue"), json!({}));
    let (lives, rotated, archived) = (issue("atlas"), issue("bert"), issue("carl"));
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    operator.post("/api/users", json!({"username": "bob"})).expect(201);
    let ann = operator.post("/api/users/ann/tokens", json!({"label": "a"})).expect(201).json();
    let bob = operator.post("/api/users/bob/tokens", json!({"label": "b"})).expect(201).json();
    let key = operator.post("/api/v1/keys", json!({"name": "laptop"})).expect(201).json();
    let exchanged = daemon.client(&text(&key, "token")).post("/auth/exchange", json!({})).expect(200).json();
    let jwt = text(&exchanged, "access_token");
    assert!(is_good(&daemon, &jwt));
    let opened = operator.post("/api/sessions", json!({"token": daemon.token})).expect(200);
    let cookie = opened.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let page = |daemon: &Daemon| daemon.anonymous().with("Cookie", &cookie);
    page(&daemon).get("/api/auth/whoami").expect(200);
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);

    let newer = issue("bert");
    operator.delete("/api/agents/carl").expect(200);
    operator.delete(&format!("/api/users/ann/tokens/{}", text(&ann, "id"))).expect(204);
    operator.patch("/api/users/bob", json!({"disabled": true})).expect(200);
    daemon.agent("dora");
    assert_eq!(daemon.stop(), Some(0));

    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("stay invalid") && said.contains("user bob: enabled -> disabled"), "{said}");
    daemon.spawn();
    assert!(is_good(&daemon, &lives), "what was not touched since");
    assert!(!is_good(&daemon, &rotated), "replaced since the backup");
    assert!(!is_good(&daemon, &newer), "made since the backup");
    assert!(!is_good(&daemon, &archived), "its agent was archived since the backup");
    assert!(!is_good(&daemon, &text(&ann, "token")), "revoked since the backup");
    assert!(!is_good(&daemon, &text(&bob, "token")), "its user was disabled since the backup");
    assert!(!is_good(&daemon, &jwt), "exchanged before the restore");
    page(&daemon).get("/api/auth/whoami").expect_error(401, "invalid_token");
    let again = daemon.client(&text(&key, "token")).post("/auth/exchange", json!({})).expect(200).json();
    assert!(is_good(&daemon, &text(&again, "access_token")), "the key itself lives, and signs anew");
    daemon.operator().get("/api/agents/carl").expect_error(404, "agent_not_found");
    daemon.operator().get("/api/agents/dora").expect_error(404, "agent_not_found");
    let rows = daemon.operator().get("/api/audit?action=backups.restore").expect(200).json();
    assert_eq!((rows[0]["actor"].as_str(), rows[0]["resource"].as_str()), (Some("system"), Some("backup:b.db")));

    let old = kept(&daemon);
    assert_eq!(old.len(), 1, "{old:?}");
    let conn = Connection::open(&old[0]).expect("the database of before");
    let dora: i64 =
        conn.query_row("SELECT count(*) FROM agents WHERE slug = 'dora'", [], |row| row.get(0)).expect("a row");
    assert_eq!(dora, 1);
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

#[test]
fn a_restart_alone_ends_no_session_and_no_exchanged_token() {
    let mut daemon = Daemon::start();
    let key = daemon.operator().post("/api/v1/keys", json!({"name": "laptop"})).expect(201).json();
    let exchanged = daemon.client(&text(&key, "token")).post("/auth/exchange", json!({})).expect(200).json();
    daemon.restart();
    assert!(is_good(&daemon, &text(&exchanged, "access_token")));
}

#[test]
fn a_database_too_damaged_to_be_asked_is_kept_and_the_command_says_what_that_means() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    daemon.agent("atlas");
    // The kill leaves a WAL. Then the test overwrites the database.
    daemon.kill();
    let mut bytes = fs::read(daemon.database()).expect("the database");
    bytes.iter_mut().skip(100).for_each(|b| *b = 0xa5);
    fs::write(daemon.database(), &bytes).expect("a damaged database");
    let _ = fs::remove_file(daemon.data.join("taosd.db-shm"));
    fs::write(daemon.data.join("taosd.db-wal"), b"scribble").expect("a damaged WAL");
    let (code, said) = taosd(&daemon, "restore", &[&backup]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("could not be read"), "{said}");
    assert!(!daemon.data.join("taosd.db-wal").exists(), "the old WAL must not be taken for the new file's");
    daemon.spawn();
    daemon.operator().get("/api/agents/atlas").expect_error(404, "agent_not_found");
    daemon.check();
    let old = kept(&daemon);
    assert!(old.iter().any(|path| fs::read(path).is_ok_and(|found| found == bytes)), "{old:?}");
}

#[test]
fn a_restore_after_a_kill_loses_nothing_of_the_database_it_puts_aside() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    daemon.agent("atlas");
    daemon.kill();
    good(&daemon, "restore", &[&backup]);
    daemon.spawn();
    daemon.operator().get("/api/agents/atlas").expect_error(404, "agent_not_found");
    assert_eq!(daemon.stop(), Some(0));
    let old = kept(&daemon);
    assert_eq!(old.len(), 1, "{old:?}");
    good(&daemon, "restore", &[&old[0]]);
    daemon.spawn();
    daemon.operator().get("/api/agents/atlas").expect(200);
}
