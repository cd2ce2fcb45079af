//! An agent that asks for a role on what it may not see gets the same picture whether that exists or not: also in the
//! notifications that were sent for it.

use serde_json::{Value, json};

use crate::requests::harness::Harness;
use crate::support::text;

#[test]
fn the_notifications_of_an_agent_do_not_say_whether_its_target_exists() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    w.daemon.grant("user:bob", "*", "creator");
    w.daemon.agent_by(&bob, "secret");
    let space = bob.post("/api/spaces/create", json!({"name": "Lab"})).expect(201).json()["space"].clone();
    // What the agent sees more of after it has asked.
    let told = |resource: &str| {
        let seen = || -> (usize, Value) {
            let list = w.atlas.get("/api/notifications").expect(200).json();
            (list.as_array().map_or(0, Vec::len), w.atlas.get("/api/notifications/count").expect(200).json())
        };
        let before = seen();
        let asked = w.ask(json!({"kind": "grant", "resource": resource, "role": "viewer", "reason": "r"}));
        let after = seen();
        let more = |field: &str| after.1[field].as_i64().unwrap_or(0) - before.1[field].as_i64().unwrap_or(0);
        (text(&asked, "id"), (after.0 - before.0, more("total"), more("unread"), more("count")))
    };
    let (_, none) = told("agent:nobody");
    let (agent_request, agent) = told("agent:secret");
    let (space_request, space) = told(&format!("space:{}", text(&space, "id")));
    assert_eq!((agent, space), (none, none));
    // The owner of the target is told all the same, and by whom.
    let inbox = bob.get("/api/notifications").expect(200).json();
    for (nth, request) in [space_request, agent_request].iter().enumerate() {
        assert_eq!(inbox[nth]["action_url"], json!(format!("/ui/requests/{request}")));
        assert_eq!((&inbox[nth]["source"], &inbox[nth]["agent_id"]), (&json!("agent:atlas"), &Value::Null));
    }
    let of_ann = w.ann.get("/api/notifications").expect(200).json();
    assert_eq!(of_ann[0]["agent_id"], json!(w.atlas_id), "who decides anyway is told by the agent");
}
