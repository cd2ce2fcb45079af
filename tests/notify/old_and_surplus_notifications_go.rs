//! Retention: 30 days, and 10,000 for each user.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};
use serde_json::json;

use crate::notify::harness::notify;
use crate::support::Daemon;

const DAY: i64 = 86_400 * 1_000_000;

fn fill(db: &Connection, user: &str, count: i64, created_at: i64) {
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
        INSERT INTO notifications (id, user_id, source, level, title, message, created_at)
            SELECT printf('%08x-0000-7000-8000-%012x', ?3 / 1000000000, i), ?1, 'user:operator', 'low', i, 'm', ?3 FROM n",
        params![user, count, created_at],
    )
    .unwrap();
}

#[test]
fn what_is_too_old_or_too_much_goes_and_the_counts_follow() {
    let mut daemon = Daemon::start();
    daemon.operator().post("/api/users", json!({"username": "ann"})).expect(201);
    let id =
        |name: &str| daemon.operator().get(&format!("/api/users/{name}")).json()["id"].as_str().unwrap().to_owned();
    let (operator, ann) = (id("operator"), id("ann"));
    assert_eq!(daemon.stop(), Some(0));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let db = Connection::open(daemon.database()).unwrap();
    fill(&db, &operator, 2500, now - 31 * DAY);
    fill(&db, &operator, 40, now - 29 * DAY);
    fill(&db, &ann, 11_234, now - DAY);
    drop(db);
    daemon.spawn();
    let kept = notify(&daemon.operator(), "new");
    let db = Connection::open(daemon.database()).unwrap();
    let count = |user: &str| -> i64 {
        db.query_row("SELECT count(*) FROM notifications WHERE user_id = ?1", [user], |row| row.get(0)).unwrap()
    };
    let until = Instant::now() + Duration::from_secs(20);
    while (count(&operator), count(&ann)) != (41, 10_000) {
        assert!(Instant::now() < until, "{} and {} are left", count(&operator), count(&ann));
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(daemon.operator().get("/api/notifications/count").json(), json!({"unread": 41, "total": 41}));
    daemon.operator().get(&format!("/api/notifications/{kept}")).expect(200);
    // The oldest ones were deleted.
    let oldest: String = db
        .query_row("SELECT title FROM notifications WHERE user_id = ?1 ORDER BY seq LIMIT 1", [&ann], |row| row.get(0))
        .unwrap();
    assert_eq!(oldest, "1235");
    let counted: (i64, i64) = db
        .query_row("SELECT total, unread FROM notification_counts WHERE holder = 'user:' || ?1", [&ann], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(counted, (10_000, 10_000));
}
