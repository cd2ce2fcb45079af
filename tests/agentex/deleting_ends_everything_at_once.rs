//! Deleting an agent archives it. Its credentials are invalid from the next request on, and none comes back.

use serde_json::json;

use crate::agentex::harness::{built, creator, key, register, share, with_key};
use crate::support::{Daemon, text};

#[test]
fn every_credential_of_a_deleted_agent_is_dead_at_once() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let first = with_key(&daemon, &text(&register(&ann, "mailer"), "agent_api_key"));
    let token = daemon.agent_token("mailer", &["*"]);
    let outside = text(&key(&ann, "mailer", "hook", "external"), "api_key");
    first.get("/agents/name/mailer").expect(200);
    let id = text(&token.get("/agents/name/mailer").expect(200).json(), "id");
    let gone = ann.delete("/agents/name/mailer").expect(200).json();
    assert_eq!(gone, json!({"id": id, "message": "Agent 'mailer' deleted successfully"}));
    for client in [&first, &token] {
        client.get("/agents/name/mailer").expect_agentex(401, "unauthenticated");
    }
    with_key(&daemon, &outside).get("/agents/forward/name/mailer/x").expect_agentex(401, "unauthenticated");
    ann.delete("/agents/name/mailer").expect_agentex(404, "agent_not_found");
    ann.delete(&format!("/agents/{id}")).expect_agentex(404, "agent_not_found");
    let live = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state = 'active'";
    assert_eq!(daemon.number(live, [&id]), 0);
    daemon.operator().send("POST", &format!("/api/agents/archived/{id}/restore"), None).expect(200);
    first.get("/agents/name/mailer").expect_agentex(401, "unauthenticated");
    assert_eq!(register(&ann, "mailer")["agent_api_key"], json!(null), "no key is told again");
}

#[test]
fn only_an_owner_deletes() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let id = built(&ann, "mailer");
    bob.delete(&format!("/agents/{id}")).expect_agentex(404, "agent_not_found");
    for role in ["viewer", "editor"] {
        share(&daemon, "bob", &id, role);
        bob.delete(&format!("/agents/{id}")).expect_agentex(403, "forbidden");
    }
    share(&daemon, "bob", &id, "owner");
    let by_id = bob.with("Content-Type", "application/json").send("DELETE", &format!("/agents/{id}"), None);
    assert_eq!(by_id.expect(200).json()["message"], json!(format!("Agent '{id}' deleted successfully")));
}

#[test]
fn an_agent_with_a_container_is_gone_before_its_container_is() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    // There is no runtime here. The operation that the deletion starts fails, but the deletion does not.
    let sql = "UPDATE agents SET container_name = 'taos-agent-mailer', container_runtime = 'lxd', status = 'running' WHERE id = ?1";
    daemon.execute(sql, [&id]);
    assert_eq!(ann.get(&format!("/agents/{id}")).expect(200).json()["status"], "Unknown");
    ann.delete(&format!("/agents/{id}")).expect(200);
    ann.get(&format!("/agents/{id}")).expect_agentex(404, "agent_not_found");
    assert_eq!(daemon.text("SELECT kind FROM operations WHERE agent_id = ?1", [&id]), "archive");
    assert_ne!(built(&ann, "mailer"), id);
}
