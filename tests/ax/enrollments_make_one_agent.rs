//! An enrollment is one key that makes one agent, however often and by however many callers it is exchanged.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::ax::client::{agent, exchange, secret};
use crate::support::{AxReply, Daemon, Reply};

fn enrollment(daemon: &Daemon, body: Value) -> Value {
    daemon.operator().post("/credentials/enrollment", body).expect(201).json()
}

fn named(daemon: &Daemon, key: &Value, name: &str) -> Reply {
    exchange(daemon, secret(key), json!({"agent_name": name}))
}

/// The replies to exchanges with these names, all at once.
fn at_once(daemon: &Daemon, key: &Value, names: &[String]) -> Vec<Reply> {
    std::thread::scope(|scope| {
        let running: Vec<_> = names.iter().map(|name| scope.spawn(move || named(daemon, key, name))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn twenty_first_exchanges_at_once_make_one_agent() {
    let daemon = Daemon::start();
    let key = enrollment(&daemon, json!({}));
    assert_eq!(key["lifecycle_state"], "pending_enrollment");
    let replies = at_once(&daemon, &key, &vec!["worker".to_owned(); 20]);
    let ids: HashSet<String> = replies.into_iter().map(|r| r.expect(200).json()["agent_id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    let agents = daemon.operator().get("/api/v1/agents").expect(200).json();
    assert_eq!(agents["count"], 1);
    let listed = daemon.operator().get("/credentials").expect(200).json();
    let row = &listed[0];
    assert_eq!((&row["kind"], &row["lifecycle_state"]), (&json!("agent_pat"), &json!("active")));
    assert_eq!(row["bound_agent_id"], agents["agents"][0]["id"]);
}

#[test]
fn of_different_names_at_once_one_wins_and_the_rest_are_told_it_is_bound() {
    let daemon = Daemon::start();
    let key = enrollment(&daemon, json!({}));
    let names: Vec<String> = (0..8).map(|n| format!("worker-{n}")).collect();
    let mut statuses: Vec<u16> = at_once(&daemon, &key, &names).iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403, 403, 403]);
    assert_eq!(daemon.operator().get("/api/v1/agents").expect(200).json()["count"], 1);
}

#[test]
fn a_repeat_after_a_lost_reply_gives_the_same_agent() {
    let mut daemon = Daemon::start();
    let key = enrollment(&daemon, json!({"audience": "both"}));
    let first = named(&daemon, &key, "Lost").expect(200).json();
    daemon.kill();
    daemon.spawn();
    for body in [json!({"agent_name": "lost"}), json!({"agent_id": first["agent_id"]}), json!({})] {
        let again = exchange(&daemon, secret(&key), body).expect(200).json();
        assert_eq!((&again["agent_id"], &again["agent_name"]), (&first["agent_id"], &json!("Lost")));
    }
    named(&daemon, &key, "other").expect_ax(403, "binding_not_allowed");
}

#[test]
fn what_is_refused_does_not_spend_it() {
    let daemon = Daemon::start();
    agent(&daemon, "taken");
    let key = enrollment(&daemon, json!({}));
    exchange(&daemon, secret(&key), json!({})).expect_ax(422, "agent_name_required");
    named(&daemon, &key, "TAKEN").expect_ax(409, "name_conflict");
    named(&daemon, &key, "not a name").expect_ax(422, "invalid_request");
    named(&daemon, &key, "manage").expect_ax(422, "invalid_request");
    exchange(&daemon, secret(&key), json!({"agent_name": "x", "scope": "spaces:write"}))
        .expect_ax(400, "scope_not_allowed");
    let made = named(&daemon, &key, "fresh").expect(200).json();
    let shown = daemon.operator().get("/api/v1/agents/fresh").expect(200).json();
    assert_eq!((&shown["id"], &shown["origin"]), (&made["agent_id"], &json!("mcp")));
    assert_eq!(shown["owner_user_id"], made["user_id"]);
}

#[test]
fn a_revoked_enrollment_makes_nothing() {
    let daemon = Daemon::start();
    let key = enrollment(&daemon, json!({}));
    daemon.operator().delete(&format!("/credentials/{}", key["credential_id"].as_str().unwrap())).expect(200);
    named(&daemon, &key, "late").expect_ax(401, "invalid_credential");
    assert_eq!(daemon.operator().get("/api/v1/agents").expect(200).json()["count"], 0);
}

#[test]
fn an_enrollment_can_be_for_a_space_of_ones_own_and_for_no_other() {
    let daemon = Daemon::start();
    let space =
        daemon.operator().post("/api/spaces/create", json!({"name": "Lab"})).expect(201).json()["space"].clone();
    let key = enrollment(&daemon, json!({"space_id": space["id"]}));
    assert_eq!(named(&daemon, &key, "lab-rat").expect(200).json()["space_id"], space["id"]);
    let foreign = json!({"space_id": "00000000-0000-7000-8000-000000000000"});
    daemon.operator().post("/credentials/enrollment", foreign).expect_ax(403, "space_forbidden");
}
