//! Clocks of small boards jump. A credential that was once refused as expired is never accepted again, whatever the
//! clock does. Only the clock decides about an expiry that no request and no sweep has seen.

use rusqlite::Connection;
use serde_json::json;

use crate::support::Daemon;

/// Moves the expiry of all agents' tokens. The effect is that of a clock that jumps the other way.
fn shift(daemon: &Daemon, seconds: i64) {
    let conn = Connection::open(daemon.database()).unwrap();
    let moved = conn
        .execute(
            "UPDATE credentials SET expires_at = expires_at + ?1 WHERE kind = 'agent_token'",
            [seconds * 1_000_000],
        )
        .unwrap();
    assert!(moved > 0);
    // The daemon caches a credential for a moment. Only its own commits clear the cache, so the test waits.
    std::thread::sleep(std::time::Duration::from_millis(300));
}

fn state(daemon: &Daemon) -> String {
    let conn = Connection::open(daemon.database()).unwrap();
    conn.query_row("SELECT state FROM credentials WHERE kind = 'agent_token'", [], |row| row.get(0)).unwrap()
}

fn with_token() -> (Daemon, String) {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    let body = json!({"expires_in_days": 1});
    let issued = daemon.operator().post("/api/agents/atlas/token/issue", body).expect(200).json();
    let token = issued["token"].as_str().unwrap().to_owned();
    daemon.client(&token).get("/api/auth/whoami").expect(200);
    (daemon, token)
}

#[test]
fn once_refused_it_is_refused_after_the_clock_has_gone_back() {
    let (daemon, token) = with_token();
    let agent = daemon.client(&token);
    shift(&daemon, -2 * 86_400);
    agent.get("/api/auth/whoami").expect_error(401, "invalid_token");
    shift(&daemon, 10 * 86_400);
    for _ in 0..3 {
        agent.get("/api/auth/whoami").expect_error(401, "invalid_token");
    }
    assert_eq!(state(&daemon), "expired");
}

#[test]
fn what_expired_while_the_daemon_was_off_is_marked_at_its_start() {
    let (mut daemon, token) = with_token();
    assert_eq!(daemon.stop(), Some(0));
    shift(&daemon, -2 * 86_400);
    daemon.spawn();
    let marked = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        state(&daemon) == "expired"
    });
    assert!(marked, "the first sweep comes with the start");
    shift(&daemon, 10 * 86_400);
    daemon.client(&token).get("/api/auth/whoami").expect_error(401, "invalid_token");
}
