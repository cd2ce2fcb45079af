//! A temporary role from a request exists beside the lasting one, and its end does not change the lasting one.

use serde_json::json;

use crate::requests::harness::Harness;
use crate::support::{Client, text};

fn role_in(client: &Client, space: &str, id: &str) -> Vec<String> {
    let members = client.get(&format!("/api/v1/spaces/{space}/members")).expect(200).json();
    let all = members["members"].as_array().expect("members");
    all.iter().filter(|member| member["id"] == id).map(|member| text(member, "role")).collect()
}

#[test]
fn the_lasting_role_is_there_again_after_the_end() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    let made = bob.post("/api/spaces/create", json!({"name": "lab"})).expect(201).json();
    let space = text(if made["space"].is_object() { &made["space"] } else { &made }, "id");
    bob.post("/api/grants", json!({"principal": "user:ann", "resource": format!("space:{space}"), "role": "viewer"}))
        .expect(201);
    w.daemon
        .operator()
        .post(
            "/api/grants",
            json!({"principal": "agent:atlas", "resource": format!("space:{space}"), "role": "viewer"}),
        )
        .expect(201);
    let send = || w.atlas.post("/api/v1/messages", json!({"content": "hi", "space_id": space}));
    let refused = send().json();
    assert_eq!(refused["detail"]["error"], "forbidden");
    let id = text(&w.ask(refused["detail"]["request"].clone()), "id");
    w.ann.post(&format!("/api/requests/{id}/approve"), json!({})).expect(403);
    let approved = bob.post(&format!("/api/requests/{id}/approve"), json!({"duration_seconds": 60})).expect(200).json();
    assert_eq!(approved["granted"]["role"], "editor");
    send().expect(200);
    assert_eq!(role_in(&bob, &space, &w.atlas_id), ["editor"]);
    bob.post(&format!("/api/requests/{id}/revoke"), json!({})).expect(200);
    assert_eq!(send().status, 403);
    assert_eq!(role_in(&bob, &space, &w.atlas_id), ["viewer"]);
}

#[test]
fn deleting_the_grant_revokes_the_request() {
    let w = Harness::new();
    let other = w.daemon.agent_by(&w.ann, "other");
    let id = text(&w.ask(json!({"kind": "grant", "resource": "agent:other", "role": "viewer", "reason": "r"})), "id");
    w.approve(&id, json!({}));
    w.atlas.get("/api/agents/other").expect(200);
    let grants = w.ann.get(&format!("/api/grants?principal=agent:atlas&resource=agent:{other}")).expect(200).json();
    assert_eq!(grants.as_array().map(Vec::len), Some(1), "{grants}");
    w.ann.delete(&format!("/api/grants/{}", text(&grants[0], "id"))).expect(204);
    w.atlas.get("/api/agents/other").expect(404);
    assert_eq!(w.state(&id), "revoked");
}

#[test]
fn an_owner_for_a_time_gives_no_role() {
    let w = Harness::new();
    let other = w.daemon.agent_by(&w.ann, "other");
    w.ann
        .put("/api/agents/atlas/permissions", json!({"scope": ["grants.create", "agents.read", "requests.*"]}))
        .expect(200);
    let id = text(&w.ask(json!({"kind": "grant", "resource": "agent:other", "role": "owner", "reason": "r"})), "id");
    w.approve(&id, json!({"duration_seconds": 60}));
    let give = json!({"principal": "agent:atlas", "resource": format!("agent:{other}"), "role": "owner"});
    w.atlas.post("/api/grants", give).expect_error(403, "forbidden");
}

#[test]
fn a_grant_with_an_end_is_gone_after_it() {
    let w = Harness::new();
    let other = w.daemon.agent_by(&w.ann, "other");
    let grant = json!({"principal": "agent:atlas", "resource": format!("agent:{other}"), "role": "viewer",
        "expires_in_seconds": 1});
    w.ann.post("/api/grants", grant).expect(201);
    w.atlas.get("/api/agents/other").expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1050));
    w.atlas.get("/api/agents/other").expect(404);
    for _ in 0..100 {
        let left = w.ann.get(&format!("/api/grants?principal=agent:atlas&resource=agent:{other}")).expect(200).json();
        if left == json!([]) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the grant is still listed");
}
