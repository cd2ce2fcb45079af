//! Each sender has its own room. A sender that fills it loses its own notifications: first those that were read, last
//! the unread high ones.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};
use serde_json::json;

use crate::support::{Daemon, text};

/// Inserts notifications of one sender, numbered from 1.
fn fill(db: &Connection, agent: Option<&str>, level: &str, read: bool, count: i64) {
    fill_from(db, (agent, "test"), level, read, count);
}

/// As [`fill`], with the name of the source.
fn fill_from(db: &Connection, (agent, source): (Option<&str>, &str), level: &str, read: bool, count: i64) {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO notifications (id, user_id, agent_id, source, level, title, message, read, created_at)
            SELECT lower(hex(randomblob(16))), u.id, ?2, ?6, ?3, i, 'm', ?4, ?5 FROM n, users u
            WHERE u.username = 'operator'",
        params![count, agent, level, read, now, source],
    )
    .unwrap();
}

struct Kept<'a>(&'a Daemon);

impl Kept<'_> {
    fn of(&self, agent: Option<&str>, level: &str) -> i64 {
        let sql = "SELECT count(*) FROM notifications WHERE agent_id IS ?1 AND level = ?2";
        self.0.db().query_row(sql, params![agent, level], |row| row.get(0)).unwrap()
    }

    fn all(&self) -> i64 {
        self.0.number("SELECT count(*) FROM notifications", [])
    }

    fn wait_for(&self, count: i64) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.all() != count {
            assert!(Instant::now() < until, "{} are left", self.all());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn an_agent_that_sends_too_much_loses_its_own_and_high_ones_last() {
    let mut daemon = Daemon::start();
    let (quiet, loud) = (daemon.agent("Quiet"), daemon.agent("Loud"));
    daemon.stop();
    let db = Connection::open(daemon.database()).unwrap();
    fill(&db, Some(&quiet), "high", false, 1);
    fill(&db, Some(&loud), "high", false, 5);
    fill(&db, Some(&loud), "low", false, 1990);
    fill(&db, Some(&loud), "normal", true, 1000);
    fill(&db, Some(&loud), "normal", false, 10);
    drop(db);
    daemon.spawn();
    let kept = Kept(&daemon);
    kept.wait_for(2001);
    assert_eq!(kept.of(Some(&quiet), "high"), 1);
    // Read notifications are deleted first, then the oldest unread ones that are not high.
    let of_loud = ["high", "normal", "low"].map(|level| kept.of(Some(&loud), level));
    assert_eq!(of_loud, [5, 10, 1985]);
}

#[test]
fn where_a_user_has_too_many_whoever_sent_most_makes_room() {
    let mut daemon = Daemon::start();
    let agents: Vec<String> = (0..6).map(|n| daemon.agent(&format!("Agent {n}"))).collect();
    daemon.stop();
    let db = Connection::open(daemon.database()).unwrap();
    fill(&db, Some(&agents[0]), "low", true, 10);
    for agent in &agents[1..] {
        fill(&db, Some(agent), "high", false, 1800);
    }
    fill(&db, None, "normal", false, 1700);
    drop(db);
    daemon.spawn();
    let kept = Kept(&daemon);
    kept.wait_for(10_000);
    // 710 are too many. Each of the five large senders loses about the same number, the small one and the user none.
    assert_eq!((kept.of(Some(&agents[0]), "low"), kept.of(None, "normal")), (10, 1700));
    assert!(agents[1..].iter().all(|agent| kept.of(Some(agent), "high") >= 1600));
}

#[test]
fn agents_of_others_make_room_in_an_inbox_before_its_owners_own() {
    let mut daemon = Daemon::start();
    let quiet = daemon.agent("Quiet");
    let bob = daemon.member("bob", &["*"]);
    daemon.grant("user:bob", "*", "creator");
    let create = |n: u32| text(&bob.post("/api/agents", json!({"name": format!("Bobs {n}")})).expect(200).json(), "id");
    let bobs: Vec<String> = (0..6).map(create).collect();
    daemon.stop();
    let db = Connection::open(daemon.database()).unwrap();
    // An agent's request about the operator's things is in the operator's inbox, whoever owns the agent.
    fill(&db, Some(&quiet), "high", false, 1);
    for agent in &bobs {
        fill(&db, Some(agent), "low", false, 1700);
    }
    drop(db);
    daemon.spawn();
    let kept = Kept(&daemon);
    kept.wait_for(10_000);
    assert_eq!(kept.of(Some(&quiet), "high"), 1);
    assert!(bobs.iter().all(|agent| kept.of(Some(agent), "low") >= 1499), "one transaction takes 200 of one sender");
    let counted = daemon.number("SELECT sum(total) FROM notification_senders", []);
    assert_eq!(counted, 10_000, "the counts follow the rows");
}

#[test]
fn what_the_daemon_tells_pushes_out_nothing_of_the_user() {
    let mut daemon = Daemon::start();
    daemon.stop();
    let db = Connection::open(daemon.database()).unwrap();
    fill_from(&db, (None, "user:operator"), "low", true, 3);
    fill_from(&db, (None, "taosd"), "high", false, 10_050);
    drop(db);
    daemon.spawn();
    let kept = Kept(&daemon);
    kept.wait_for(10_000);
    assert_eq!(kept.of(None, "low"), 3);
}
