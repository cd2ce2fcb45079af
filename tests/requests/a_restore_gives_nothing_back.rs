//! A restore does not bring back what a request gave and what was revoked since: an agent's scope, a role on another
//! agent, a membership. Nor does it bring back a request that was denied since (DESIGN D22).

use serde_json::json;

use super::harness::{Harness, TRIED, TRIED_SCOPE};
use crate::support::{TempDir, text};

#[test]
fn rights_and_roles_and_memberships_that_were_taken_stay_taken() {
    let (dir, mut w) = (TempDir::new(), Harness::new());
    w.daemon.agent_by(&w.ann, "other");
    let bob = w.daemon.member("bob", &["*"]);
    let space = {
        let spaces = bob.get("/api/v1/spaces").expect(200).json();
        text(&spaces["spaces"][0], "id")
    };
    let ask = |resource: String, role: &str| {
        let body =
            json!({"kind": "grant", "resource": resource, "role": role, "reason": "r", "duration_seconds": 3600});
        text(&w.ask(body), "id")
    };
    let (right, role) = (w.ask_scope(&[TRIED_SCOPE]), ask("agent:other".to_owned(), "viewer"));
    let member = ask(format!("space:{space}"), "editor");
    let refused = w.ask_scope(&["agents.export"]);
    w.approve(&right, json!({}));
    w.approve(&role, json!({}));
    bob.post(&format!("/api/requests/{member}/approve"), json!({})).expect(200);
    let export = "/api/agents/atlas/export";
    let can = |w: &Harness| {
        let message = json!({"content": "hi", "space_id": space});
        let sent = w.atlas.post("/api/v1/messages", message).status == 200;
        [w.atlas.get(TRIED).status == 200, w.atlas.get("/api/agents/other").status == 200, sent]
    };
    assert_eq!(can(&w), [true; 3]);
    let backup = dir.path().join("b.db");
    w.daemon.offline("backup", &[&backup]);

    for id in [&right, &role] {
        w.ann.post(&format!("/api/requests/{id}/revoke"), json!({})).expect(200);
    }
    bob.post(&format!("/api/requests/{member}/revoke"), json!({})).expect(200);
    w.ann.post(&format!("/api/requests/{refused}/deny"), json!({})).expect(200);
    assert_eq!(can(&w), [false; 3]);
    assert_eq!(w.daemon.stop(), Some(0));
    w.daemon.offline("restore", &[&backup]);
    w.daemon.spawn();
    w.atlas = w.daemon.client(w.atlas.token());
    // The agent's token was issued before the backup and lives.
    assert_eq!(w.atlas.get("/api/auth/whoami").expect(200).json()["agent_name"], "atlas");
    assert_eq!(can(&w), [false; 3]);
    w.atlas.get(export).expect(403);
    for id in [&right, &role, &member] {
        assert_ne!(w.state(id), "approved");
    }
    assert_eq!(w.daemon.stop(), Some(0));
    w.daemon.check();
}
