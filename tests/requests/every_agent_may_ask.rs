//! Every agent may make requests with its default scope, in whatever way and however long ago it was created. Only a
//! credential that the owner has narrowed on purpose may not.

use serde_json::{Value, json};

use crate::requests::an_agent_joins_and_comes_back::exchanged;
use crate::requests::harness::{Harness, token};
use crate::support::{Client, Daemon, text};

fn question() -> Value {
    json!({"kind": "confirm", "question": "Shall I?", "reason": "r"})
}

/// The agent makes a request, reads it and withdraws it.
#[track_caller]
fn asks(agent: &Client) {
    let id = text(&agent.post("/api/requests", question()).expect(201).json(), "id");
    agent.get(&format!("/api/requests/{id}")).expect(200);
    agent.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect(200);
}

/// A token of a user's key with these scope words.
#[track_caller]
fn by_key(daemon: &Daemon, owner: &Client, scopes: Value, class: &str) -> Client {
    let key = owner.post("/api/v1/keys", json!({"name": "k", "scopes": scopes})).expect(201).json();
    let body = json!({"requested_token_class": class});
    let reply = daemon.client(&text(&key, "token")).post("/auth/exchange", body).expect(200).json();
    daemon.client(&text(&reply, "access_token"))
}

#[test]
fn made_in_each_dialect() {
    let w = Harness::new();
    asks(&w.atlas);
    // By Agentex, for a user with few rights.
    let built = json!({"name": "built", "description": "d", "acp_type": "sync", "docker_image": "x"});
    let reply = w.ann.post("/agents/register-build", built);
    assert!(reply.status < 300, "{}", reply.text());
    asks(&token(&w.daemon, &w.ann, "built"));
    // By aX, with a key that may create agents and little else. The agent's own key is exchanged with the words of
    // an agent.
    let manager = by_key(&w.daemon, &w.ann, json!(["agents", "messages"]), "user_access");
    let made = manager.post("/api/v1/agents", json!({"name": "narrow"}));
    assert!(made.status < 300, "{}", made.text());
    asks(&token(&w.daemon, &w.ann, "narrow"));
    let key = w.ann.post("/credentials/agent-pat", json!({"agent_id": "narrow"})).expect(201).json();
    asks(&exchanged(&w.daemon, &json!({"access_token": key["token"]})));
    // By an enrollment.
    let key = w.ann.post("/credentials/enrollment", json!({"name": "e"})).expect(201).json();
    let body = json!({"requested_token_class": "agent_access", "agent_name": "enrolled"});
    let reply = w.daemon.client(&text(&key, "token")).post("/auth/exchange", body).expect(200).json();
    asks(&w.daemon.client(&text(&reply, "access_token")));
}

#[test]
fn made_before_there_were_requests() {
    let mut w = Harness::new();
    let key = w.ann.post("/credentials/agent-pat", json!({"agent_id": "atlas"})).expect(201).json();
    w.daemon.stop();
    let old = json!([
        "agents.read",
        "agents.list",
        "agents.register",
        "deployments.read",
        "ui.notify",
        "notifications.read",
        "knowledge.read",
        "spaces.list",
        "spaces.read",
        "messages.*",
        "tasks.*",
        "context.*",
        "uploads.*",
        "events.read"
    ]);
    assert_eq!(w.daemon.execute("UPDATE agents SET scope = ?1 WHERE slug = 'atlas'", [old.to_string()]), 1);
    let keys = w.daemon.execute("UPDATE credentials SET scopes = ?1 WHERE agent_id IS NOT NULL", [old.to_string()]);
    assert_eq!(keys, 2);
    w.daemon.spawn();
    asks(&w.daemon.client(w.atlas.token()));
    asks(&exchanged(&w.daemon, &json!({"access_token": key["token"]})));
}

#[test]
fn who_was_narrowed_on_purpose_may_not() {
    let w = Harness::new();
    let issued = w.ann.post("/api/agents/atlas/token/issue", json!({"scope": ["agents.read"]})).expect(200).json();
    let narrow = w.daemon.client(&text(&issued, "token"));
    assert_eq!(narrow.post("/api/requests", question()).expect(403).json()["error"], "scope_denied");
    assert_eq!(narrow.get("/api/requests").expect(403).json()["error"], "scope_denied");
}
