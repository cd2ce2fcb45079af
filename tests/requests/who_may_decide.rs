//! Who may decide: the agent's owner and the admins, and for a role the owners of the resource. An agent never may.

use serde_json::json;

use crate::requests::harness::{Harness, TRIED_SCOPE};
use crate::support::text;

#[test]
fn no_agent_decides_and_strangers_see_nothing() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    let id = w.ask_scope(&[TRIED_SCOPE]);
    let path = |what: &str| format!("/api/requests/{id}/{what}");
    let mighty = w.daemon.agent_token("atlas", &["*"]);
    for what in ["approve", "deny", "revoke"] {
        mighty.post(&path(what), json!({})).expect_error(403, "user_required");
        bob.post(&path(what), json!({})).expect_error(404, "request_not_found");
    }
    mighty.post("/api/requests/decide", json!({"ids": [id], "decision": "approve"})).expect_error(403, "user_required");
    bob.get(&format!("/api/requests/{id}")).expect_error(404, "request_not_found");
    assert_eq!(bob.get("/api/requests").expect(200).json(), json!([]));
    let other = w.daemon.agent_by(&w.ann, "other");
    assert_ne!(other, w.atlas_id);
    let other = crate::requests::harness::token(&w.daemon, &w.ann, "other");
    other.get(&format!("/api/requests/{id}")).expect_error(404, "request_not_found");
    other.post(&path("withdraw"), json!({})).expect_error(404, "request_not_found");
    w.ann.post(&path("withdraw"), json!({})).expect_error(403, "agent_required");
    w.ann
        .post("/api/requests", json!({"kind": "scope", "scope": ["*"], "reason": "r"}))
        .expect_error(403, "agent_required");
    assert_eq!(w.ann.get("/api/requests?state=pending").expect(200).json()[0]["id"], json!(id));
    assert_eq!(w.state(&id), "pending");
}

#[test]
fn a_decider_gives_no_more_than_was_asked_nor_than_his_token_has() {
    let w = Harness::new();
    let asked = json!({"kind": "scope", "scope": ["agents.token.*"], "reason": "r", "duration_seconds": 600});
    let id = text(&w.ask(asked), "id");
    let approve = |body| w.ann.post(&format!("/api/requests/{id}/approve"), body);
    approve(json!({"duration_seconds": 601})).expect_error(422, "validation_error");
    approve(json!({"scope": ["agents.*"]})).expect_error(422, "validation_error");
    approve(json!({"scope": []})).expect_error(422, "validation_error");
    approve(json!({"role": "viewer"})).expect_error(422, "validation_error");
    approve(json!({"option": 0})).expect_error(422, "validation_error");
    approve(json!({"as": "new"})).expect_error(422, "validation_error");
    let narrow = w.daemon.user_token("ann", &["requests.*", "agents.read"]);
    let path = format!("/api/requests/{id}/approve");
    narrow.post(&path, json!({})).expect_error(403, "scope_exceeds_issuer");
    let reader = w.daemon.user_token("ann", &["requests.read"]);
    reader.post(&path, json!({})).expect_error(403, "scope_denied");
    let approved = approve(json!({"scope": [TRIED_SCOPE], "duration_seconds": 60})).expect(200).json();
    assert_eq!(approved["granted"], json!({"scope": [TRIED_SCOPE]}));
    approve(json!({})).expect_error(409, "request_decided");
    w.ann.post(&format!("/api/requests/{id}/deny"), json!({})).expect_error(409, "request_decided");
}

#[test]
fn a_role_is_given_by_who_owns_the_thing_and_asking_tells_nothing_of_it() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    w.daemon.grant("user:bob", "*", "creator");
    let secret = w.daemon.agent_by(&bob, "secret");
    let ask = |name: &str| {
        let body = json!({"kind": "grant", "resource": format!("agent:{name}"), "role": "editor", "reason": "r"});
        w.ask(body)
    };
    let (real, none) = (ask("secret"), ask("nobody"));
    let same = |request: &serde_json::Value| {
        let mut request = request.clone();
        for field in ["id", "asked", "created_at", "expires_at"] {
            request.as_object_mut().expect("a record").remove(field);
        }
        request
    };
    assert_eq!(same(&real), same(&none));
    // Ann sees both and may deny them, but she cannot give a role on what is not hers.
    let (real, none) = (text(&real, "id"), text(&none, "id"));
    for id in [&real, &none] {
        w.ann.post(&format!("/api/requests/{id}/approve"), json!({})).expect_error(404, "agent_not_found");
    }
    let seen = bob.get("/api/requests").expect(200).json();
    assert_eq!(seen.as_array().map(Vec::len), Some(1), "{seen}");
    assert_eq!(seen[0]["deciders"], json!(["ann", "bob", "operator"]));
    let told = bob.get("/api/notifications").expect(200).json();
    assert_eq!(told[0]["action_url"], json!(format!("/ui/requests/{real}")));
    assert_eq!(told[0]["level"], "high");
    bob.post(&format!("/api/requests/{real}/approve"), json!({"role": "owner"})).expect_error(422, "validation_error");
    bob.post(&format!("/api/requests/{real}/approve"), json!({"role": "viewer", "duration_seconds": 600})).expect(200);
    w.atlas.get(&format!("/api/agents/{}", "secret")).expect(200);
    w.ann.post(&format!("/api/requests/{none}/deny"), json!({"note": "there is none"})).expect(200);
    assert!(w.daemon.operator().get("/api/grants?principal=agent:atlas").expect(200).text().contains(&secret));
}

#[test]
fn several_are_decided_each_on_its_own() {
    let w = Harness::new();
    let (one, two) = (w.ask_scope(&[TRIED_SCOPE]), w.ask_scope(&["agents.logs"]));
    w.ann.post(&format!("/api/requests/{one}/deny"), json!({})).expect(200);
    let body = json!({"ids": [one, two, "nothing", two], "decision": "approve", "note": "n"});
    let results = w.ann.post("/api/requests/decide", body).expect(200).json()["results"].clone();
    assert_eq!(
        results,
        json!({one: {"error": "request_decided"}, two: {"state": "approved"}, "nothing": {"error": "request_not_found"}})
    );
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    w.ann.post("/api/requests/decide", json!({"ids": many, "decision": "deny"})).expect_error(422, "validation_error");
}
