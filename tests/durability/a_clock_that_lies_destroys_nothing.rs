//! The clock jumps to an impossible time. The daemon removes nothing for its age and ends nothing for good until a time
//! server confirms the time, or the clock jumps back. It still refuses credentials that have expired by the wrong
//! clock.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use taosd::store::Swept;

use crate::false_clock::FalseClock;
use crate::support::{AxReply, Daemon, TempDir, text};

const SWEPT: (&str, &str) = ("TAOSD_SWEEP_INTERVAL", "1");

fn count(daemon: &Daemon, sql: &str) -> i64 {
    Connection::open(daemon.database()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Counts the rows of every table from which a sweep removes by age.
fn all(daemon: &Daemon) -> Vec<(Swept, i64)> {
    let rows = |table: &Swept| {
        // A trimmed audit keeps its checkpoint, and an ended credential keeps its row.
        let counted = match table {
            Swept::Audit => "WHERE outcome <> 'checkpoint'",
            Swept::Credentials => "WHERE state = 'active'",
            _ => "",
        };
        (*table, count(daemon, &format!("SELECT count(*) FROM {table} {counted}")))
    };
    Swept::ALL.iter().map(rows).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..150 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}");
}

fn titles(daemon: &Daemon) -> Vec<Value> {
    let rows = daemon.operator().get("/api/notifications").expect(200).json();
    rows.as_array().unwrap().iter().map(|row| row["title"].clone()).collect()
}

fn alarms(daemon: &Daemon) -> usize {
    titles(daemon).iter().filter(|title| *title == "The clock cannot be believed").count()
}

/// Makes an agent, a keyed request, a notification and a backup. Returns the agent's token, which is good for a day.
fn furnish(daemon: &Daemon) -> String {
    daemon.agent("atlas");
    let operator = daemon.operator();
    let body = json!({"expires_in_days": 1});
    let token = text(&operator.post("/api/agents/atlas/token/issue", body).expect(200).json(), "token");
    operator.with("Idempotency-Key", "k1").post("/api/agents", json!({"name": "keyed"})).expect(200);
    daemon.client(&token).post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect(200);
    operator.post("/api/backups?wait=30", json!({})).expect(200);
    token
}

/// Returns the file names of the backups.
fn backups(daemon: &Daemon) -> BTreeSet<String> {
    let rows = daemon.operator().get("/api/backups").expect(200).json();
    rows.as_array().unwrap().iter().map(|row| row["file"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_visit_to_the_far_future_leaves_everything_in_place() {
    let clock = FalseClock::find();
    let mut daemon = clock.daemon(&[SWEPT, ("TAOSD_TIME_SYNC_FILE", "/nonexistent")]);
    daemon.spawn();
    let token = furnish(&daemon);
    let (before, first) = (all(&daemon), backups(&daemon));
    clock.jump("+70y");
    daemon.client(&token).get("/api/auth/whoami").expect_error(401, "invalid_token");
    eventually("the admins are told", || alarms(&daemon) == 1);
    // A sweep that trusts the clock would run in this time, and so would one at a start.
    std::thread::sleep(Duration::from_millis(2500));
    for _ in 0..9 {
        daemon.operator().post("/api/backups?wait=30", json!({})).expect(200);
    }
    daemon.restart();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(daemon.log_text().contains("The clock jumped forward"), "{}", daemon.log_text());
    clock.jump("+0");
    eventually("the clock is believed again", || daemon.log_text().contains("the clock is right again"));
    std::thread::sleep(Duration::from_millis(1500));
    let after = all(&daemon);
    assert!(before.iter().zip(&after).all(|(was, is)| is.1 >= was.1), "{before:?} {after:?}");
    daemon.client(&token).get("/api/auth/whoami").expect(200);
    // After one more backup only seven stay. Those with a time in the future go first.
    let known = backups(&daemon);
    daemon.operator().post("/api/backups?wait=30", json!({})).expect(200);
    let kept = backups(&daemon);
    assert_eq!((kept.len(), kept.difference(&known).count()), (7, 1), "the new one stays: {kept:?}");
    assert!(kept.is_superset(&first), "that of before the jump stays: {kept:?}");
    assert_eq!(alarms(&daemon), 1);
    daemon.check();
}

/// Inserts a row with the current time into each table that [`furnish`] leaves empty.
fn furnish_the_rest(daemon: &Daemon) {
    let now = count(daemon, "SELECT max(at) FROM audit");
    let hour = now + 3_600_000_000;
    let space = daemon.text("SELECT id FROM spaces LIMIT 1", []);
    daemon.execute(
        "INSERT INTO context (space_id, key, value, bytes, ttl, expires_at, created_by, created_at, updated_at)
            VALUES (?1, 'k', '1', 2, 3600, ?3, 'user:u', ?2, ?2)",
        (&space, now, hour),
    );
    daemon.execute(
        "INSERT INTO tasks (id, space_id, title, status, priority, creator, creator_name, owner_user_id, created_at,
            updated_at, finished_at) VALUES ('t', ?1, 't', 'done', 1, 'user:u', 'u', 'u', ?2, ?2, ?2)",
        (&space, now),
    );
    daemon.execute("INSERT INTO upload_contents (space_id, size, begun_at) VALUES (?1, 1, ?2)", (&space, now));
    daemon.execute(
        "INSERT INTO messages (id, space_id, seq, channel, message_type, conversation_id, author, author_name, content,
            mentions, attachments, metadata, bytes, created_at, updated_at)
            VALUES ('m', ?1, 1, 'main', 'text', 'm', 'user:u', 'u', 'c', '[]', '[]', '{}', 1, ?2, ?2)",
        (&space, now),
    );
    daemon.execute("INSERT OR REPLACE INTO message_counts VALUES (?1, 1, 1, 1, 1)", [&space]);
    daemon.execute("INSERT INTO message_client_ids VALUES ('user:u', 'c', 'm', ?1)", [now]);
}

/// Settings with a webhook, and with permission for a channel, at an address where nobody listens. So what is sent
/// there waits.
fn deaf_receivers(dir: &TempDir) -> String {
    let (config, secret) = (dir.path().join("taosd.toml"), dir.path().join("secret"));
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let hook = format!("[webhook]\nurl = \"http://127.0.0.1:1/\"\nsecret_file = \"{}\"\n", secret.display());
    std::fs::write(&config, format!("channel_hosts = [\"127.0.0.1\"]\n{hook}")).unwrap();
    config.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn of_every_table_that_is_swept_nothing_goes_until_a_time_server_confirms_the_jump() {
    let clock = FalseClock::find();
    let (dir, synced) = (TempDir::new(), clock.file_beside("synchronized"));
    let env = [SWEPT, ("TAOSD_TIME_SYNC_FILE", synced.to_str().unwrap()), ("TAOSD_CONFIG", &deaf_receivers(&dir))];
    let mut daemon = clock.daemon(&env);
    daemon.spawn();
    daemon.execute(
        "INSERT INTO channels (id, user_id, kind, min_level, created_at, updated_at, url)
            SELECT 'h', id, 'ntfy', 'low', 1, 1, 'https://127.0.0.1:1/t' FROM users WHERE username = 'operator'",
        [],
    );
    furnish(&daemon);
    furnish_the_rest(&daemon);
    let before = all(&daemon);
    assert!(before.iter().all(|(_, rows)| *rows > 0), "put a row into each: {before:?}");
    clock.jump("+25550d");
    eventually("the admins are told", || alarms(&daemon) == 1);
    // Time for several sweeps, and for several attempts at the receivers.
    std::thread::sleep(Duration::from_millis(4500));
    let after = all(&daemon);
    assert!(before.iter().zip(&after).all(|(was, is)| is.1 >= was.1), "{before:?} {after:?}");
    // The same rows go once the time is sure. This shows that each table has rows to lose.
    clock.confirm(&synced, 25_550);
    for (table, rows) in after {
        let left = |rows| all(&daemon).into_iter().any(|(one, left)| one == table && left < rows);
        eventually(&format!("what is old of {table} goes"), || left(rows));
    }
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_write_makes_no_room_by_a_clock_in_doubt() {
    let clock = FalseClock::find();
    let mut daemon = clock.daemon(&[("TAOSD_TIME_SYNC_FILE", "/nonexistent"), ("TAOSD_WORKSPACE_CONTEXT_KEYS", "1")]);
    daemon.spawn();
    let set = |key: &str| daemon.operator().post("/api/v1/context", json!({"key": key, "value": "v", "ttl": 60}));
    set("first").expect(200);
    clock.jump("+70y");
    set("second").expect_ax(413, "quota_exceeded");
    assert_eq!(count(&daemon, "SELECT count(*) FROM context WHERE key = 'first'"), 1);
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_time_server_confirms_a_jump_and_what_is_old_by_it_goes() {
    let clock = FalseClock::find();
    let synced = clock.file_beside("synchronized");
    let mut daemon = clock.daemon(&[SWEPT, ("TAOSD_TIME_SYNC_FILE", synced.to_str().unwrap())]);
    daemon.spawn();
    let token = furnish(&daemon);
    clock.jump("+2y");
    eventually("the jump is noticed", || alarms(&daemon) == 1);
    assert_eq!(count(&daemon, "SELECT count(*) FROM idempotency"), 1);
    clock.confirm(&synced, 2 * 365);
    eventually("what is old goes", || count(&daemon, "SELECT count(*) FROM idempotency") == 0);
    let dated = "SELECT count(*) FROM credentials WHERE expires_at IS NOT NULL AND state = 'active'";
    eventually("and what has expired", || count(&daemon, dated) == 0);
    clock.jump("+0");
    eventually("the way back is doubted again", || daemon.log_text().contains("The clock jumped back"));
    daemon.client(&token).get("/api/auth/whoami").expect_error(401, "invalid_token");
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn what_is_written_before_the_time_is_known_is_dated_no_earlier_than_what_is_known() {
    let clock = FalseClock::find();
    let mut daemon = clock.daemon(&[SWEPT, ("TAOSD_TIME_SYNC_FILE", "/nonexistent")]);
    daemon.spawn();
    let token = furnish(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    let newest = "SELECT max(at) FROM audit";
    let before = count(&daemon, newest);
    // A board without a battery for its clock.
    clock.jump("-40y");
    daemon.spawn();
    daemon.agent("early");
    daemon.client(&token).post("/api/ui/notify", json!({"title": "early", "body": "b"})).expect(200);
    let row = count(&daemon, "SELECT at FROM audit ORDER BY seq DESC LIMIT 1");
    assert!(row >= before, "{row} {before}");
    eventually("the admins are told", || alarms(&daemon) == 1);
    // The network sets the clock.
    clock.jump("+0");
    std::thread::sleep(Duration::from_millis(2500));
    assert!(titles(&daemon).contains(&json!("early")));
    daemon.client(&token).get("/api/auth/whoami").expect(200);
    daemon.check();
}
