//! Archiving ends everything that an agent had. A later agent with its name, or the restored agent with its id,
//! inherits nothing.

use serde_json::json;

use crate::harness::Harness;
use crate::support::text;

#[test]
fn an_agent_made_again_under_the_same_name_inherits_nothing() {
    let harness = Harness::new();
    let old = harness.daemon.agent("phoenix");
    harness.daemon.grant("user:operator", &old, "editor");
    let friend = harness.member_on("phoenix", "owner");
    let token = harness.daemon.agent_token("phoenix", &["*"]);
    harness.operator().put("/api/agents/phoenix", json!({"host": "h"})).expect(200);
    harness.operator().delete("/api/agents/phoenix").expect(200);
    let new = harness.daemon.agent("phoenix");
    assert_ne!(new, old);
    token.get("/api/agents/phoenix").expect_error(401, "invalid_token");
    friend.get("/api/agents/phoenix").expect_error(404, "agent_not_found");
    let record = harness.daemon.record("phoenix");
    assert_eq!((&record["has_token"], &record["host"], &record["revision"]), (&json!(false), &json!(""), &json!(1)));
    let grants = harness.operator().get(&format!("/api/grants?resource=agent:{old}")).expect(200).json();
    assert_eq!(grants, json!([]), "the grants ended");
    let live = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state <> 'revoked'";
    assert_eq!(harness.daemon.number(live, [&old]), 0);
}

#[test]
fn a_restored_agent_has_its_id_a_free_name_and_no_old_token_or_grant() {
    let harness = Harness::new();
    let id = harness.daemon.agent("lazarus");
    let friend = harness.member_on("lazarus", "editor");
    let token = harness.daemon.agent_token("lazarus", &["*"]);
    let grace = harness.daemon.agent_token("lazarus", &["*"]);
    harness.operator().delete("/api/agents/lazarus").expect(200);
    let usurper = harness.daemon.agent("lazarus");
    let restore = format!("/api/agents/archived/{id}/restore");
    let back = harness.operator().send("POST", &restore, None).expect(200).json();
    assert_eq!((&back["id"], &back["name"]), (&json!(id), &json!("lazarus-2")));
    assert_eq!(harness.daemon.record("lazarus")["id"], json!(usurper));
    let record = harness.daemon.record("lazarus-2");
    assert_eq!(
        (&record["id"], &record["has_token"], &record["status"]),
        (&json!(id), &json!(false), &json!("registered"))
    );
    for dead in [token, grace] {
        dead.get("/api/auth/whoami").expect_error(401, "invalid_token");
    }
    friend.get("/api/agents/lazarus-2").expect_error(404, "agent_not_found");
    harness.operator().send("POST", &restore, None).expect_error(404, "archived_agent_not_found");
    assert_eq!(harness.operator().get("/api/agents/archived").expect(200).json(), json!([]));
    harness.daemon.agent_token("lazarus-2", &["agents.read"]).get("/api/agents/lazarus-2").expect(200);
}

#[test]
fn an_archived_agent_belongs_to_its_owner_alone_and_a_purge_leaves_no_row() {
    let harness = Harness::new();
    let name = harness.name();
    let owner = harness.daemon.member(&name, &["*"]);
    harness.daemon.grant(&format!("user:{name}"), "*", "creator");
    let id = harness.daemon.agent_by(&owner, "ashes");
    harness.daemon.agent_token("ashes", &["*"]);
    let other = harness.member_on("ashes", "owner");
    owner.delete("/api/agents/ashes").expect(200);
    let path = format!("/api/agents/archived/{id}");
    assert_eq!(other.get("/api/agents/archived").expect(200).json(), json!([]));
    other.delete(&path).expect_error(404, "archived_agent_not_found");
    other.send("POST", &format!("{path}/restore"), None).expect_error(404, "archived_agent_not_found");
    assert_eq!(text(&owner.get("/api/agents/archived").expect(200).json()[0], "id"), id);
    assert_eq!(text(&harness.operator().get("/api/agents/archived").expect(200).json()[0], "owner"), name);
    owner.delete(&path).expect(200);
    owner.delete(&path).expect_error(404, "archived_agent_not_found");
    let left: Vec<String> = harness
        .daemon
        .rows()
        .into_iter()
        .filter(|(key, row)| row.contains(&id) && !key.starts_with("audit/") && !key.starts_with("changes/"))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(left, [] as [&str; 0], "only the audit remembers, and the order of changes");
}

#[test]
fn a_live_agent_is_no_archived_one_and_the_other_way_round() {
    let harness = Harness::new();
    let id = harness.daemon.agent("alive");
    harness.operator().delete(&format!("/api/agents/archived/{id}")).expect_error(404, "archived_agent_not_found");
    harness.operator().delete("/api/agents/alive").expect(200);
    for (method, tail) in [("GET", ""), ("DELETE", ""), ("GET", "/export"), ("GET", "/token"), ("DELETE", "/token")] {
        let reply = harness.operator().send(method, &format!("/api/agents/alive{tail}"), None);
        reply.expect_error(404, "agent_not_found");
    }
    let grant = json!({"principal": "user:operator", "resource": format!("agent:{id}"), "role": "viewer"});
    harness.operator().post("/api/grants", grant).expect_error(404, "agent_not_found");
}
