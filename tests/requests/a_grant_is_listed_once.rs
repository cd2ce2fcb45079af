//! An agent that owns something twice, for a time and for good, sees each grant on it once.

use serde_json::json;

use crate::requests::harness::Harness;
use crate::support::text;

#[test]
fn for_an_agent_with_a_passing_and_a_lasting_grant_too() {
    let w = Harness::new();
    let vega = w.daemon.agent_by(&w.ann, "vega");
    w.ann.put("/api/agents/atlas/permissions", json!({"scope": ["*"]})).expect(200);
    let body =
        json!({"kind": "grant", "resource": "agent:vega", "role": "owner", "reason": "r", "duration_seconds": 600});
    let id = text(&w.ask(body), "id");
    w.approve(&id, json!({}));
    w.daemon.grant("agent:atlas", &vega, "owner");
    let listed = w.atlas.get("/api/grants").expect(200).json();
    let mut ids: Vec<String> = listed.as_array().expect("a list").iter().map(|grant| text(grant, "id")).collect();
    assert_eq!(ids.len(), 3, "ann's and both of its own: {listed}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{listed}");
}
