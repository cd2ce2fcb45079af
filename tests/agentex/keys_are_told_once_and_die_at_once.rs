//! Agents' keys: who makes them, what they may do, how they end.

use serde_json::{Value, json};

use crate::agentex::harness::{built, creator, key, share, with_key};
use crate::support::{Daemon, text};

#[test]
fn a_key_is_told_once_and_dead_from_the_next_request_on() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    let made = key(&ann, "mailer", "main", "internal");
    let secret = text(&made, "api_key");
    assert!(secret.starts_with("taos_key_") && secret.len() == 9 + 43, "{secret}");
    let agent = with_key(&daemon, &secret);
    assert_eq!(text(&agent.get(&format!("/agents/{id}")).expect(200).json(), "name"), "mailer");
    let path = format!("/agent_api_keys/{}", text(&made, "id"));
    for told in [ann.get(&path), ann.get("/agent_api_keys/name/main?agent_name=mailer&api_key_type=internal")] {
        let mut expected = made.clone();
        expected.as_object_mut().expect("an object").remove("api_key");
        assert_eq!(told.expect(200).json(), expected);
    }
    assert!(!ann.get("/agent_api_keys?agent_name=mailer").expect(200).text().contains(&secret));
    let gone = ann.delete(&path).expect(200).json();
    assert_eq!(gone, json!(format!("Agent API key with ID {} deleted", text(&made, "id"))));
    agent.get(&format!("/agents/{id}")).expect_agentex(401, "unauthenticated");
    ann.get(&path).expect_agentex(404, "api_key_not_found");
    ann.delete(&path).expect_agentex(404, "api_key_not_found");
    assert!(!daemon.rows().values().any(|row| row.contains(&secret)) && !daemon.log_text().contains(&secret));
}

#[test]
fn a_key_may_do_what_its_agent_may_and_never_more_than_its_maker() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    let narrow = daemon.user_token("ann", &["agents.keys.create", "agents.read"]);
    let agent = with_key(&daemon, &text(&key(&narrow, "mailer", "narrow", "internal"), "api_key"));
    agent.get(&format!("/agents/{id}")).expect(200);
    agent.get("/agents").expect_agentex(403, "scope_denied");
    let wide = with_key(&daemon, &text(&key(&ann, "mailer", "wide", "internal"), "api_key"));
    wide.get("/agents").expect(200);
    ann.put("/api/agents/mailer/permissions", json!({"scope": ["agents.read"]})).expect(200);
    wide.get("/agents").expect_agentex(403, "scope_denied");
    // The key works in no other dialect and in no other header.
    daemon.client(wide.token()).get("/api/agents").expect_error(401, "invalid_token");
    wide.get("/api/agents").expect_error(401, "auth_required");
}

#[test]
fn an_editor_makes_external_keys_and_only_an_owner_internal_ones() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let id = built(&ann, "mailer");
    let ask = |name: &str, kind: &str| json!({"agent_id": id, "name": name, "api_key_type": kind});
    bob.post("/agent_api_keys", ask("x", "external")).expect_agentex(404, "agent_not_found");
    share(&daemon, "bob", &id, "viewer");
    bob.post("/agent_api_keys", ask("x", "external")).expect_agentex(403, "forbidden");
    bob.get("/agent_api_keys?agent_name=mailer").expect_agentex(403, "forbidden");
    share(&daemon, "bob", &id, "editor");
    let outside = bob.post("/agent_api_keys", ask("x", "external")).expect(200).json();
    bob.post("/agent_api_keys", ask("y", "internal")).expect_agentex(403, "forbidden");
    let inside = text(&ann.post("/agent_api_keys", ask("y", "internal")).expect(200).json(), "id");
    bob.delete(&format!("/agent_api_keys/{inside}")).expect_agentex(403, "forbidden");
    with_key(&daemon, &text(&outside, "api_key")).get(&format!("/agents/{id}")).expect_agentex(401, "unauthenticated");
    let gone = bob.delete("/agent_api_keys/name/x?agent_name=mailer").expect(200);
    assert_eq!(gone.json(), json!("Agent api_key 'x' deleted"));
}

#[test]
fn keys_are_bounded_unique_and_never_chosen() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    let post = |body: Value| ann.post("/agent_api_keys", body);
    post(json!({"name": "k"})).expect_agentex(400, "agent_identifier");
    let both =
        post(json!({"name": "k", "agent_id": id, "agent_name": "mailer"})).expect_agentex(400, "agent_identifier");
    assert!(text(&both.json(), "message").starts_with("Only one of"), "{}", both.text());
    post(json!({"name": "k", "agent_id": id, "api_key": "mine"})).expect_agentex(422, "validation_error");
    post(json!({"name": "k", "agent_id": id, "api_key": null})).expect(200);
    for kind in ["github", "slack"] {
        post(json!({"name": "k", "agent_id": id, "api_key_type": kind})).expect_agentex(400, "key_type_not_supported");
    }
    let twice = post(json!({"name": "k", "agent_id": id})).expect_agentex(409, "key_exists");
    assert!(text(&twice.json(), "message").contains("already exists"));
    post(json!({"name": "k", "agent_id": id, "api_key_type": "internal"})).expect(200);
    for number in 2..50 {
        post(json!({"name": number.to_string(), "agent_id": id})).expect(200);
    }
    post(json!({"name": "one more", "agent_id": id})).expect_agentex(409, "too_many_keys");
    let first = ann.get("/agent_api_keys?agent_name=mailer&limit=1").expect(200).json();
    assert_eq!(first[0]["name"], "k", "oldest first");
}
