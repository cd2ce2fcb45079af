//! What a request gave ends at its time for every credential of the agent, because each check compares the time. It can
//! be revoked before.

use serde_json::json;

use crate::requests::harness::{Harness, TRIED, TRIED_SCOPE};
use crate::support::{Client, text};

/// A short-lived token of atlas.
fn jwt(w: &Harness) -> Client {
    let pat = w.ann.post("/credentials/agent-pat", json!({"agent_id": "atlas"})).expect(201).json();
    let key = w.daemon.client(&text(&pat, "token"));
    let issued = key.post("/auth/exchange", json!({"requested_token_class": "agent_access"})).expect(200).json();
    w.daemon.client(&text(&issued, "access_token"))
}

/// Shortens what was granted, so that it ends in `millis` milliseconds.
fn shorten(w: &Harness, id: &str, millis: i64) {
    w.daemon
        .execute("UPDATE requests SET until = (unixepoch('subsec') * 1000 + ?2) * 1000 WHERE id = ?1", (id, millis));
    w.daemon.execute(
        "UPDATE grants SET expires_at = (SELECT until FROM requests WHERE id = ?1) WHERE request_id = ?1",
        [id],
    );
}

#[test]
fn every_credential_sees_a_scope_at_its_next_request_and_none_after_its_end() {
    let w = Harness::new();
    let jwt = jwt(&w);
    for client in [&w.atlas, &jwt] {
        client.get(TRIED).expect(403);
    }
    let id = w.ask_scope(&[TRIED_SCOPE]);
    w.approve(&id, json!({"duration_seconds": 60}));
    for client in [&w.atlas, &jwt] {
        client.get(TRIED).expect(200);
    }
    let me = w.atlas.get("/api/auth/whoami").expect(200).json();
    assert!(me["scope"].as_array().expect("scopes").contains(&json!(TRIED_SCOPE)), "{me}");
    shorten(&w, &id, 700);
    w.atlas.get(TRIED).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(750));
    for client in [&w.atlas, &jwt] {
        client.get(TRIED).expect_error(403, "scope_denied");
    }
    w.await_state(&id, "ended");
    assert_eq!(w.await_recorded_end(&id), ["requests.end", "requests.decide", "requests.create"]);
}

#[test]
fn what_was_approved_can_be_taken_back_at_once() {
    let w = Harness::new();
    let id = w.ask_scope(&[TRIED_SCOPE]);
    let revoke = || w.ann.post(&format!("/api/requests/{id}/revoke"), json!({}));
    revoke().expect_error(409, "request_not_in_force");
    w.approve(&id, json!({}));
    w.atlas.get(TRIED).expect(200);
    assert_eq!(revoke().expect(200).json()["state"], "revoked");
    w.atlas.get(TRIED).expect(403);
    revoke().expect_error(409, "request_not_in_force");
}

#[test]
fn what_was_given_for_a_time_cannot_be_passed_on() {
    let w = Harness::new();
    let id = w.ask_scope(&["agents.create", "agents.permissions", "agents.token.issue", TRIED_SCOPE]);
    w.approve(&id, json!({}));
    w.ann
        .post("/api/grants", json!({"principal": "agent:atlas", "resource": "agent:*", "role": "creator"}))
        .expect(403);
    w.daemon.grant("agent:atlas", "*", "creator");
    let child = w.atlas.post("/api/agents", json!({"name": "child", "scope": [TRIED_SCOPE]}));
    child.expect_error(403, "scope_exceeds_issuer");
    w.atlas.post("/api/agents", json!({"name": "child", "scope": ["agents.read"]})).expect(200);
    // Nor may a new token of the agent contain the temporary scope, which would be worth nothing after the end.
    let issue = |scope: &str| w.atlas.post("/api/agents/atlas/token/issue", json!({"scope": [scope]}));
    issue(TRIED_SCOPE).expect_error(403, "scope_exceeds_issuer");
}

#[test]
fn a_request_that_nobody_decides_expires() {
    let w = Harness::new();
    let id = w.ask_scope(&[TRIED_SCOPE]);
    let waiting = {
        let (atlas, id) = (w.atlas.clone(), id.clone());
        std::thread::spawn(move || atlas.get(&format!("/api/requests/{id}?wait=20")).expect(200).json())
    };
    w.daemon.execute("UPDATE requests SET expires_at = (unixepoch('subsec') * 1000 + 300) * 1000 WHERE id = ?1", [&id]);
    // A commit makes the daemon look at what has ended.
    w.daemon.agent("other");
    assert_eq!(waiting.join().expect("the waiting agent")["state"], "expired");
    w.ann.post(&format!("/api/requests/{id}/approve"), json!({})).expect_error(409, "request_decided");
    // The agent may ask again at once.
    assert_ne!(w.ask_scope(&[TRIED_SCOPE]), id);
}
