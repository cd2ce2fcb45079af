//! An admin starts a check of the database while the daemon works. Only one check runs at a time, an admin can stop it,
//! and it reports damage.

use serde_json::{Value, json};

use crate::backups::run::with_many_rows;
use crate::support::{Daemon, text};

const CHECK: &str = "/api/database/check";

fn names(check: &Value, ok: bool) -> Vec<String> {
    let findings = check["findings"].as_array().expect("findings");
    findings.iter().filter(|one| one["ok"] == ok).map(|one| text(one, "name")).collect()
}

#[test]
fn damage_is_told_and_a_sound_database_is_sound() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let never = operator.get(CHECK).expect(200).json();
    assert_eq!(never, json!({"state": "never", "step": null, "findings": [], "started_at": null, "finished_at": null}));
    assert_eq!(operator.delete(CHECK).expect(200).json(), never, "there is nothing to stop");
    let check = operator.post(&format!("{CHECK}?wait=60"), json!({})).expect(200).json();
    assert_eq!((text(&check, "state").as_str(), names(&check, false).len()), ("sound", 0), "{check}");
    let all = ["file", "schema version", "schema", "structure", "foreign keys", "audit chain"];
    assert_eq!(names(&check, true), all);
    assert_eq!(operator.get(CHECK).expect(200).json(), check);

    let conn = rusqlite::Connection::open(daemon.database()).expect("the database");
    conn.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO agent_names (agent_id) VALUES ('nobody');")
        .expect("a row");
    drop(conn);
    let check = operator.post(&format!("{CHECK}?wait=60"), json!({})).expect(200).json();
    assert_eq!((text(&check, "state").as_str(), names(&check, false)), ("damaged", vec!["foreign keys".to_owned()]));
    assert!(check["finished_at"].is_string() && check["step"].is_null(), "{check}");

    // Only admins may use it.
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    let ann = daemon.user_token("ann", &["*"]);
    ann.post(CHECK, json!({})).expect_error(403, "forbidden");
    ann.get(CHECK).expect_error(403, "forbidden");
    ann.delete(CHECK).expect_error(403, "forbidden");
}

#[test]
fn a_check_is_stopped_and_holds_up_no_write() {
    let daemon = with_many_rows(500_000);
    let operator = daemon.operator();
    // On a slow machine the check may end before the stop arrives, so the test tries again.
    let stopped = (0..10).find_map(|n| {
        let begun = operator.post(CHECK, json!({})).expect(200).json();
        let again = operator.post(CHECK, json!({})).expect(200).json();
        assert!(again["started_at"] == begun["started_at"] || begun["state"] != "running", "{begun} {again}");
        operator.post("/api/agents", json!({"name": format!("made {n}")})).expect(200);
        let check = operator.delete(CHECK).expect(200).json();
        (check["state"] == "stopped").then_some(check)
    });
    let stopped = stopped.expect("a check that was stopped");
    assert!(names(&stopped, false).is_empty() && names(&stopped, true).len() < 6, "{stopped}");
}

#[test]
fn a_check_is_told_to_nobody_whose_token_was_revoked_meanwhile() {
    let daemon = with_many_rows(500_000);
    let operator = daemon.operator();
    operator.post("/api/users", json!({"username": "ann", "role": "admin"})).expect(201);
    // A check that ends before the token is told all the same.
    let refused = (0..8).find_map(|_| {
        let made = operator.post("/api/users/ann/tokens", json!({"scope": ["*"]})).expect(201).json();
        let ann = daemon.client(&text(&made, "token"));
        let reply = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ann.post(&format!("{CHECK}?wait=60"), json!({})));
            std::thread::sleep(std::time::Duration::from_millis(100));
            operator.delete(&format!("/api/users/ann/tokens/{}", text(&made, "id"))).expect(204);
            waiting.join().expect("no panic")
        });
        operator.delete(CHECK).expect(200);
        (reply.status == 401).then_some(reply)
    });
    refused.expect("a wait that was refused").expect_error(401, "invalid_token");
}

#[test]
fn the_checks_of_an_hour_can_be_used_up_by_no_token_for_the_socket() {
    let daemon = Daemon::start();
    let ask = || daemon.operator().post(&format!("{CHECK}?wait=60"), json!({}));
    (0..12).for_each(|_| drop(ask().expect(200)));
    ask().expect_error(429, "rate_limited");
    daemon.operator().get(CHECK).expect(200);
    daemon.on_socket().post(&format!("{CHECK}?wait=60"), json!({})).expect(200);
}
