//! Warnings before an expiry: one to the owner at each threshold, whatever restarts and crashes come between.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::params;
use serde_json::{Value, json};

use crate::support::{Client, Daemon};

/// Lets a credential end in this many hours, as if it had been issued 90 days before its end.
fn ends_in(daemon: &Daemon, id: &str, hours: i64) {
    let sql = "UPDATE credentials SET issued_at = unixepoch() * 1000000 + (?2 - 90 * 24) * 3600000000,
        expires_at = unixepoch() * 1000000 + ?2 * 3600000000 WHERE id = ?1";
    assert_eq!(daemon.execute(sql, params![id, hours]), 1);
}

fn sweeping() -> Daemon {
    Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1"), ("RUST_LOG", "warn")])
}

fn user_key(daemon: &Daemon, days: i64) -> String {
    let key = daemon.operator().post("/api/v1/keys", json!({"name": "laptop", "expires_in_days": days})).expect(201);
    key.json()["credential_id"].as_str().unwrap().to_owned()
}

/// Waits until a user has `count` notifications. Returns them, oldest first.
fn told(client: &Client, count: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let mut list = client.get("/api/notifications").expect(200).json().as_array().unwrap().clone();
        if list.len() >= count {
            list.reverse();
            assert_eq!(list.len(), count, "{list:?}");
            return list;
        }
        assert!(Instant::now() < end, "{list:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn two_sweeps() {
    thread::sleep(Duration::from_millis(2300));
}

#[test]
fn each_threshold_warns_once_across_restarts_and_kills() {
    let mut daemon = sweeping();
    let id = user_key(&daemon, 90);
    two_sweeps();
    told(&daemon.operator(), 0);
    let steps = [(13 * 24, "14 days", "normal"), (3 * 24, "3 days", "normal"), (23, "a day", "high")];
    for (nth, (hours, words, level)) in steps.into_iter().enumerate() {
        assert_eq!(daemon.stop(), Some(0));
        ends_in(&daemon, &id, hours);
        daemon.spawn();
        let notice = told(&daemon.operator(), nth + 1).pop().unwrap();
        assert_eq!(notice["title"], format!("A key expires within {words}"));
        assert_eq!((notice["level"].as_str(), notice["source"].as_str()), (Some(level), Some("taosd")));
        let message = notice["message"].as_str().unwrap();
        assert!(message.contains("laptop") && message.contains(&format!("taosctl keys rotate {id}")), "{message}");
        daemon.kill();
        daemon.spawn();
        two_sweeps();
        told(&daemon.operator(), nth + 1);
    }
}

#[test]
fn thresholds_passed_while_the_daemon_was_off_are_one_warning() {
    let mut daemon = sweeping();
    let id = user_key(&daemon, 90);
    assert_eq!(daemon.stop(), Some(0));
    ends_in(&daemon, &id, 2);
    daemon.spawn();
    two_sweeps();
    assert_eq!(told(&daemon.operator(), 1)[0]["title"], "A key expires within a day");
}

#[test]
fn a_waiting_owner_hears_of_keys_and_tokens_and_nobody_else_does() {
    let daemon = sweeping();
    let ann = daemon.member("ann", &["*"]);
    let agent = daemon.agent("atlas");
    let issue = |path: &str, body: Value| daemon.operator().post(path, body).json();
    let key = issue("/credentials/agent-pat", json!({"agent_id": agent}))["credential_id"].clone();
    issue("/api/agents/atlas/token/issue", json!({"expires_in_days": 90}));
    let token = daemon.text("SELECT id FROM credentials WHERE kind = 'agent_token'", []);
    let own = daemon.text("SELECT id FROM credentials WHERE kind = 'user_token' AND expires_at IS NOT NULL", []);
    let operator = daemon.operator();
    let waiting = thread::spawn(move || operator.get("/api/notifications?wait=20").expect(200).json());
    thread::sleep(Duration::from_millis(200));
    for id in [key.as_str().unwrap(), &token] {
        ends_in(&daemon, id, 50);
    }
    assert!(!waiting.join().unwrap().as_array().unwrap().is_empty(), "nobody woke the watcher");
    let mut titles: Vec<String> =
        told(&daemon.operator(), 2).iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    assert_eq!(titles, ["atlas: a key expires within 3 days", "atlas: a token expires within 3 days"]);
    told(&ann, 0);
    ends_in(&daemon, &own, 50);
    assert_eq!(told(&ann, 1)[0]["title"], "A token expires within 3 days");
    told(&daemon.operator(), 2);
}

#[test]
fn what_was_made_short_or_is_dead_or_never_ends_warns_nobody() {
    let daemon = sweeping();
    user_key(&daemon, 1);
    let revoked = user_key(&daemon, 90);
    daemon.operator().delete(&format!("/credentials/{revoked}")).expect(200);
    ends_in(&daemon, &revoked, 20);
    daemon.operator().post("/credentials/enrollment", json!({"expires_in_hours": 100})).expect(201);
    daemon.operator().post("/api/sessions", json!({"token": daemon.token})).expect(200);
    two_sweeps();
    told(&daemon.operator(), 0);
}

#[test]
fn kills_in_the_middle_neither_lose_nor_repeat_a_warning() {
    let mut daemon = sweeping();
    for _ in 0..30 {
        daemon.operator().post("/api/users/operator/tokens", json!({"expires_in_days": 90})).expect(201);
    }
    daemon.kill();
    daemon.execute(
        "UPDATE credentials SET expires_at = (unixepoch() + 86400) * 1000000, issued_at = 1
        WHERE kind = 'user_token' AND expires_at IS NOT NULL",
        [],
    );
    for pause in [0, 1, 3, 6, 12, 25] {
        daemon.spawn();
        thread::sleep(Duration::from_millis(pause));
        daemon.kill();
    }
    daemon.spawn();
    two_sweeps();
    let mut messages: Vec<String> =
        told(&daemon.operator(), 30).iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 30);
}

#[test]
fn nothing_is_written_once_everybody_is_warned() {
    let daemon = sweeping();
    let id = user_key(&daemon, 90);
    ends_in(&daemon, &id, 20);
    told(&daemon.operator(), 1);
    two_sweeps();
    let files = || -> Vec<(u64, SystemTime)> {
        let look = |name: &str| fs::metadata(daemon.data.join(name)).map(|m| (m.len(), m.modified().unwrap())).unwrap();
        ["taosd.db", "taosd.db-wal"].map(look).to_vec()
    };
    let before = files();
    two_sweeps();
    assert_eq!(files(), before);
}
