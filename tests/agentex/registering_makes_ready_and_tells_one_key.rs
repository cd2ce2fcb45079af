//! From build to running: who may register, what changes, and the one key that is returned.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::agentex::harness::{build, built, creator, register, registration, share, with_key};
use crate::support::{Daemon, text};

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

#[test]
fn a_build_becomes_ready_and_a_rebuild_never_takes_it_back() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let made = build(&ann, "mailer").expect(200).json();
    assert_eq!(
        (&made["status"], &made["status_reason"]),
        (&json!("BuildOnly"), &json!("build registered, not deployed"))
    );
    let ready = register(&ann, "mailer");
    assert_eq!((&ready["status"], &ready["status_reason"]), (&json!("Ready"), &json!("registered")));
    assert_eq!((&ready["id"], &ready["description"]), (&made["id"], &json!("runs")));
    assert!(ready.get("acp_url").is_none(), "the address is told to nobody");
    let again = build(&ann, "mailer").expect(200).json();
    assert_eq!((&again["status"], &again["registered_at"]), (&json!("Ready"), &ready["registered_at"]));
}

#[test]
fn the_key_is_told_by_the_first_registration_of_an_owner_and_never_again() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let id = built(&ann, "mailer");
    share(&daemon, "bob", &id, "editor");
    assert_eq!(register(&bob, "mailer")["agent_api_key"], json!(null), "an editor is told none");
    let key = text(&register(&ann, "mailer"), "agent_api_key");
    for client in [&ann, &bob, &daemon.operator()] {
        assert_eq!(register(client, "mailer")["agent_api_key"], json!(null));
    }
    let agent = with_key(&daemon, &key);
    assert_eq!(text(&agent.get("/agents/name/mailer").expect(200).json(), "id"), id);
    assert_eq!(register(&agent, "mailer")["agent_api_key"], json!(null), "an agent is told none");
    // Even after the key is deleted and swept, a registration returns no second first key.
    let keys = ann.get("/agent_api_keys?agent_name=mailer").expect(200).json();
    ann.delete(&format!("/agent_api_keys/{}", text(&keys[0], "id"))).expect(200);
    daemon.execute("DELETE FROM credentials WHERE kind = 'agent_key'", []);
    assert_eq!(register(&ann, "mailer")["agent_api_key"], json!(null));
    assert!(!daemon.rows().values().any(|row| row.contains(&key)), "a key is never stored");
    assert!(!daemon.log_text().contains(&key));
}

#[test]
fn first_registrations_at_once_make_one_agent_and_tell_one_key() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let start = Barrier::new(20);
    let told: Vec<Value> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            register(&ann, "mailer")
        };
        let all: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().expect("an agent")).collect()
    });
    assert!(told.iter().all(|one| one["id"] == told[0]["id"]));
    assert_eq!(told.iter().filter(|one| one["agent_api_key"].is_string()).count(), 1);
    assert_eq!(daemon.number("SELECT count(*) FROM credentials WHERE kind = 'agent_key'", []), 1);
}

#[test]
fn registering_the_same_again_writes_nothing() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let first = register(&ann, "mailer");
    let before = daemon.number("SELECT count(*) FROM audit", []);
    let second = register(&ann, "mailer");
    assert_eq!((&second["updated_at"], &second["registered_at"]), (&first["updated_at"], &first["registered_at"]));
    assert_eq!(daemon.number("SELECT count(*) FROM audit", []), before);
    let body = with(registration("mailer"), "registration_metadata", json!({"a": {"x": 1}, "b": 2}));
    ann.post("/agents/register", body).expect(200);
    let body = with(registration("mailer"), "registration_metadata", json!({"a": {"y": 1}}));
    let merged = ann.post("/agents/register", body).expect(200).json();
    assert_eq!(merged["registration_metadata"], json!({"a": {"y": 1}, "b": 2}));
    assert!(text(&merged, "updated_at") > text(&first, "updated_at"));
}

#[test]
fn roles_decide_who_registers() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let eve = daemon.member("eve", &["*"]);
    let id = text(&register(&ann, "mailer"), "id");
    let by_id = with(registration("mailer"), "agent_id", id.as_str());
    // Callers that may not see it.
    eve.post("/agents/register", registration("mailer")).expect_agentex(403, "create_not_allowed");
    bob.post("/agents/register", registration("mailer")).expect_agentex(403, "name_unavailable");
    bob.post("/agents/register", by_id.clone()).expect_agentex(404, "agent_not_found");
    eve.post("/agents/register", registration("new")).expect_agentex(403, "create_not_allowed");
    // Callers that may read it, and then edit it.
    share(&daemon, "bob", &id, "viewer");
    bob.post("/agents/register", registration("mailer")).expect_agentex(403, "forbidden");
    bob.post("/agents/register", by_id.clone()).expect_agentex(403, "forbidden");
    share(&daemon, "bob", &id, "editor");
    bob.post("/agents/register", by_id).expect(200);
    assert_eq!(text(&register(&bob, "other"), "status"), "Ready", "a creator makes a new one");
}

#[test]
fn only_an_owner_renames_and_no_name_is_taken_twice() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let id = text(&register(&ann, "mailer"), "id");
    register(&ann, "other");
    share(&daemon, "bob", &id, "editor");
    let rename = |name: &str| with(registration(name), "agent_id", id.as_str());
    bob.post("/agents/register", rename("post")).expect_agentex(403, "forbidden");
    ann.post("/agents/register", rename("other")).expect_agentex(409, "name_taken");
    let renamed = ann.post("/agents/register", rename("post")).expect(200).json();
    assert_eq!((&renamed["id"], &renamed["name"]), (&json!(id), &json!("post")));
    ann.get("/agents/name/mailer").expect_agentex(404, "agent_not_found");
    assert_eq!(text(&ann.get("/agents/name/post").expect(200).json(), "id"), id);
    assert_ne!(built(&ann, "mailer"), id, "the old name is free");
}

#[test]
fn an_agent_registers_itself_and_nothing_else() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let key = text(&register(&ann, "mailer"), "agent_api_key");
    let other = text(&register(&ann, "other"), "id");
    daemon.grant("agent:mailer", &other, "owner");
    let token = daemon.agent_token("mailer", &["*"]);
    for agent in [with_key(&daemon, &key), token.clone(), with_key(&daemon, token.token())] {
        assert_eq!(text(&register(&agent, "mailer"), "name"), "mailer");
        let body = registration("other");
        agent.post("/agents/register", body.clone()).expect_agentex(403, "name_unavailable");
        agent.post("/agents/register", registration("nobody")).expect_agentex(403, "name_unavailable");
        agent.post("/agents/register", with(body, "agent_id", other.as_str())).expect_agentex(404, "agent_not_found");
        agent.get(&format!("/agents/{other}")).expect_agentex(404, "agent_not_found");
        assert_eq!(agent.get("/agents").expect(200).json().as_array().map(Vec::len), Some(1));
    }
    token.delete("/agents/name/mailer").expect_agentex(403, "forbidden");
    let body = json!({"agent_name": "mailer", "name": "k"});
    token.post("/agent_api_keys", body).expect_agentex(403, "forbidden");
    token
        .post("/agents/register", with(registration("post"), "agent_id", json!(null)))
        .expect_agentex(403, "name_unavailable");
}

#[test]
fn what_is_malformed_is_refused_with_every_bad_field() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let refused =
        operator.post("/agents/register", json!({"name": 1, "acp_type": "x"})).expect_agentex(422, "validation_error");
    let message = text(&refused.json(), "message");
    for told in ["name: ", "acp_type: ", "Field required: description", "Field required: acp_url"] {
        assert!(message.contains(told), "{message}");
    }
    assert_eq!(refused.json()["status_code"], 10422);
    for body in [&b""[..], b"{", b"[]", b"1", br#"{"a":1,"a":2}"#] {
        operator.send("POST", "/agents/register-build", Some(body)).expect_agentex(422, "validation_error");
    }
    for name in ["", "-a", "a-", "A", "a_b", "a\n", "é", &"a".repeat(65)] {
        build(&operator, name).expect_agentex(422, "validation_error");
    }
    for url in ["", "x", "ftp://h", "http://u@h", "http://h?q", "http://h#f", "http://h/../x"] {
        operator
            .post("/agents/register", with(registration("m"), "acp_url", url))
            .expect_agentex(422, "validation_error");
    }
    let large = with(registration("m"), "registration_metadata", json!({"a": "x".repeat(65_536)}));
    operator.post("/agents/register", large).expect_agentex(422, "validation_error");
    let bad = with(registration("m"), "registration_metadata", json!({"deployment_id": "a/b"}));
    operator.post("/agents/register", bad).expect_agentex(422, "validation_error");
    let odd = json!({"name": "ok", "description": "", "no_such": [1], "principal_context": {"token": "hunter2secret"}});
    operator.post("/agents/register-build?whatever=1", odd).expect(200);
    assert!(
        !daemon.log_text().contains("hunter2secret") && !daemon.rows().values().any(|r| r.contains("hunter2secret"))
    );
    assert_eq!(daemon.number("SELECT count(*) FROM agents", []), 1);
}
