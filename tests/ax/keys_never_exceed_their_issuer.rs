//! Keys: what they may do, how many may exist, and how they are rotated and revoked.

use serde_json::json;

use crate::ax::client::{agent, agent_key, exchange, secret, token, user_key};
use crate::support::{AxReply, Daemon};

#[test]
fn a_key_made_with_a_narrow_token_is_as_narrow() {
    let daemon = Daemon::start();
    let scope = json!(["keys.*", "agents.read", "agents.list"]);
    let issued = daemon.operator().post("/api/users/operator/tokens", json!({"scope": scope})).expect(201).json();
    let narrow = daemon.client(issued["token"].as_str().unwrap());
    let key = narrow.post("/api/v1/keys", json!({"name": "n"})).expect(201).json();
    let wider = json!({"name": "n", "scopes": ["messages"]});
    narrow.post("/api/v1/keys", wider).expect_ax(403, "scope_exceeds_issuer");
    let client = token(&daemon, secret(&key), "user_access");
    client.get("/api/v1/agents").expect(200);
    client.get("/api/v1/spaces").expect_ax(403, "insufficient_scope");
    let admin = json!({"requested_token_class": "user_admin"});
    exchange(&daemon, secret(&key), admin).expect_ax(422, "class_not_allowed");
}

#[test]
fn a_workers_token_makes_no_managers_key_and_rotates_none() {
    let daemon = Daemon::start();
    let manager = user_key(&daemon, json!({}));
    let worker = token(&daemon, secret(&manager), "user_access");
    let made = worker.post("/api/v1/keys", json!({"name": "w"})).expect(201).json();
    let admin = json!({"requested_token_class": "user_admin"});
    exchange(&daemon, secret(&made), admin.clone()).expect_ax(422, "class_not_allowed");
    for scope in ["credentials.issue.agent", "agents.create", "*", "credentials.*"] {
        let body = json!({"name": "w", "scopes": [scope]});
        worker.post("/api/v1/keys", body).expect_ax(403, "scope_exceeds_issuer");
    }
    let path = |key: &serde_json::Value| format!("/api/v1/keys/{}/rotate", key["credential_id"].as_str().unwrap());
    worker.post(&path(&manager), json!({})).expect_ax(403, "insufficient_scope");
    worker.post(&path(&made), json!({})).expect(200);
    exchange(&daemon, secret(&manager), admin).expect(200);
}

#[test]
fn a_managers_token_makes_keys_for_agents_alone() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "a")["id"].as_str().unwrap().to_owned();
    let manager = token(&daemon, secret(&user_key(&daemon, json!({}))), "user_admin");
    manager.post("/api/v1/keys", json!({"name": "u"})).expect_ax(403, "insufficient_scope");
    let key = manager.post("/api/v1/keys", json!({"name": "a", "bound_agent_id": id})).expect(201).json();
    assert_eq!((&key["kind"], &key["audience"]), (&json!("agent_pat"), &json!("both")));
    let client = token(&daemon, secret(&key), "agent_access");
    assert_eq!(client.get("/auth/me").expect(200).json()["id"], *id);
    client.post("/api/v1/agents/heartbeat", json!({})).expect(200);
}

#[test]
fn a_rotated_key_is_dead_and_its_successor_has_the_same_rights() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "r")["id"].as_str().unwrap().to_owned();
    let old = agent_key(&daemon, &id, json!({"audience": "both", "name": "n", "expires_in_days": 7}));
    let worker = token(&daemon, secret(&user_key(&daemon, json!({}))), "user_access");
    let path = format!("/api/v1/keys/{}/rotate", old["credential_id"].as_str().unwrap());
    let new = worker.post(&path, json!({})).expect(200).json();
    for same in ["scopes", "audience", "name", "bound_agent_id", "kind"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["key_id"], new["key_id"]);
    exchange(&daemon, secret(&old), json!({})).expect_ax(401, "invalid_credential");
    exchange(&daemon, secret(&new), json!({})).expect(200);
    worker.post(&path, json!({})).expect_ax(404, "credential_not_found");
}

#[test]
fn one_key_too_many_is_refused_until_another_goes() {
    let daemon = Daemon::with(&[], &[("TAOSD_AX_MAX_AGENT_PATS", "2")]);
    let id = agent(&daemon, "many")["id"].as_str().unwrap().to_owned();
    let first = agent_key(&daemon, &id, json!({}));
    agent_key(&daemon, &id, json!({}));
    let body = json!({"agent_id": id});
    let detail = daemon.operator().post("/credentials/agent-pat", body.clone()).expect_ax(409, "cleanup_required");
    assert_eq!((&detail["active"], &detail["max"]), (&json!(2), &json!(2)));
    daemon.operator().delete(&format!("/credentials/{}", first["credential_id"].as_str().unwrap())).expect(200);
    daemon.operator().post("/credentials/agent-pat", body).expect(201);
    for _ in 0..20 {
        user_key(&daemon, json!({}));
    }
    daemon.operator().post("/api/v1/keys", json!({"name": "x"})).expect_ax(409, "cleanup_required");
    daemon.operator().post("/credentials/enrollment", json!({})).expect_ax(409, "cleanup_required");
}

#[test]
fn lifetimes_audiences_and_names_are_checked() {
    let daemon = Daemon::start();
    for body in [
        json!({}),
        json!({"name": "x", "expires_in_days": 0}),
        json!({"name": "x", "expires_in_days": 366}),
        json!({"name": "x", "audience": "all"}),
        json!({"name": "x", "scopes": ["no.such"]}),
        json!({"name": "x".repeat(65)}),
    ] {
        daemon.operator().post("/api/v1/keys", body).expect_ax(422, "invalid_request");
    }
    let hours = json!({"expires_in_hours": 169});
    daemon.operator().post("/credentials/enrollment", hours).expect_ax(422, "invalid_request");
}

#[test]
fn another_users_keys_are_not_to_be_seen() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    daemon.operator().post("/api/users", json!({"username": "eve"})).expect(201);
    let issued = daemon.operator().post("/api/users/eve/tokens", json!({})).expect(201).json();
    let eve = daemon.client(issued["token"].as_str().unwrap());
    assert_eq!(eve.get("/credentials").expect(200).json(), json!([]));
    let id = key["credential_id"].as_str().unwrap();
    eve.delete(&format!("/credentials/{id}")).expect_ax(404, "credential_not_found");
    eve.delete(&format!("/api/v1/keys/{id}")).expect_ax(404, "credential_not_found");
    eve.post(&format!("/api/v1/keys/{id}/rotate"), json!({})).expect_ax(404, "credential_not_found");
    let listed = daemon.operator().get("/api/v1/keys").expect(200);
    assert!(!listed.text().contains(secret(&key)) && listed.json()[0].get("token").is_none());
}
