//! What was given ends at once with the agent, with the decider, and with the decider's own right. It stays ended.

use serde_json::json;

use crate::requests::harness::{Harness, TRIED, TRIED_SCOPE};
use crate::support::text;

#[test]
fn a_disabled_decider_gives_nothing_and_nothing_again_when_he_is_back() {
    let w = Harness::new();
    let eve = w.daemon.admin("eve");
    let id = w.ask_scope(&[TRIED_SCOPE]);
    eve.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
    w.atlas.get(TRIED).expect(200);
    let set = |body| w.daemon.operator().patch("/api/users/eve", body).expect(200);
    set(json!({"disabled": true}));
    w.atlas.get(TRIED).expect(403);
    assert_eq!(w.state(&id), "revoked");
    set(json!({"disabled": false}));
    w.atlas.get(TRIED).expect(403);
    w.await_recorded_end(&id);
}

#[test]
fn an_admin_no_more_gives_nothing_to_others_agents_and_still_to_his_own() {
    let w = Harness::new();
    let eve = w.daemon.admin("eve");
    w.daemon.agent_by(&eve, "own");
    let own = crate::requests::harness::token(&w.daemon, &eve, "own");
    let (id, of_own) = (w.ask_scope(&[TRIED_SCOPE]), {
        let body = json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r"});
        text(&own.post("/api/requests", body).expect(201).json(), "id")
    });
    for id in [&id, &of_own] {
        eve.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
    }
    w.daemon.operator().patch("/api/users/eve", json!({"role": "member"})).expect(200);
    w.atlas.get(TRIED).expect(403);
    own.get("/api/agents/own/token").expect(200);
    assert_eq!((w.state(&id).as_str(), w.state(&of_own).as_str()), ("revoked", "approved"));
}

#[test]
fn an_owner_no_more_of_the_thing_gives_no_role_on_it() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    let thing = w.daemon.agent("thing");
    w.daemon.grant("user:bob", &thing, "owner");
    let ask = json!({"kind": "grant", "resource": "agent:thing", "role": "viewer", "reason": "r"});
    let id = text(&w.ask(ask.clone()), "id");
    bob.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
    w.atlas.get("/api/agents/thing").expect(200);
    w.daemon.grant("user:bob", &thing, "viewer");
    w.atlas.get("/api/agents/thing").expect(404);
    assert_eq!(w.state(&id), "revoked");
    // It also ends if his grant is deleted.
    let grant = w.daemon.grant("user:bob", &thing, "owner");
    w.atlas.get("/api/agents/thing").expect(404);
    let id = text(&w.ask(ask), "id");
    bob.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
    w.atlas.get("/api/agents/thing").expect(200);
    w.daemon.operator().delete(&format!("/api/grants/{}", text(&grant, "id"))).expect(204);
    w.atlas.get("/api/agents/thing").expect(404);
}

#[test]
fn a_role_for_a_time_gives_none_for_longer() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    let thing = w.daemon.agent("thing");
    let grant = json!({"principal": "user:bob", "resource": format!("agent:{thing}"), "role": "owner",
        "expires_in_seconds": 600});
    let end = w.daemon.operator().post("/api/grants", grant).expect(201).json()["expires_at"].clone();
    let id = text(&w.ask(json!({"kind": "grant", "resource": "agent:thing", "role": "viewer", "reason": "r"})), "id");
    let approved = bob.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200).json();
    assert_eq!(approved["until"], end);
}

#[test]
fn an_archived_agent_keeps_nothing_even_when_it_is_restored() {
    let w = Harness::new();
    let (given, open) = (w.ask_scope(&[TRIED_SCOPE]), w.ask_scope(&["agents.logs"]));
    w.approve(&given, json!({}));
    w.ann.delete("/api/agents/atlas?wait=10").expect(200);
    assert_eq!((w.state(&given).as_str(), w.state(&open).as_str()), ("revoked", "expired"));
    w.ann.post(&format!("/api/agents/archived/{}/restore?wait=10", w.atlas_id), json!({})).expect(200);
    crate::requests::harness::token(&w.daemon, &w.ann, "atlas").get(TRIED).expect(403);
}

#[test]
fn a_restart_keeps_what_was_given_until_its_end() {
    let mut w = Harness::new();
    let id = w.ask_scope(&[TRIED_SCOPE]);
    w.approve(&id, json!({}));
    w.daemon.restart();
    let atlas = w.daemon.client(w.atlas.token());
    atlas.get(TRIED).expect(200);
    w.daemon.execute("UPDATE requests SET until = 1 WHERE id = ?1", [&id]);
    // The daemon sees a change by another process within a quarter of a second.
    std::thread::sleep(std::time::Duration::from_millis(300));
    atlas.get(TRIED).expect(403);
    w.await_recorded_end(&id);
}
