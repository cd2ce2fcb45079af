//! Archiving ends everything an agent had; what comes after under its name, or back under its id, inherits nothing.

use serde_json::json;

use crate::support::text;
use crate::world::World;

#[test]
fn an_agent_made_again_under_the_same_name_inherits_nothing() {
    let world = World::new();
    let old = world.daemon.agent("phoenix");
    world.daemon.grant("user:operator", &old, "editor");
    let friend = world.member_on("phoenix", "owner");
    let token = world.daemon.agent_token("phoenix", &["*"]);
    world.operator().put("/api/agents/phoenix", json!({"host": "h"})).expect(200);
    world.operator().delete("/api/agents/phoenix").expect(200);
    let new = world.daemon.agent("phoenix");
    assert_ne!(new, old);
    token.get("/api/agents/phoenix").expect_error(401, "invalid_token");
    friend.get("/api/agents/phoenix").expect_error(404, "agent_not_found");
    let record = world.daemon.record("phoenix");
    assert_eq!((&record["has_token"], &record["host"], &record["revision"]), (&json!(false), &json!(""), &json!(1)));
    let grants = world.operator().get(&format!("/api/grants?resource=agent:{old}")).expect(200).json();
    assert_eq!(grants, json!([]), "the grants ended");
    let live = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state <> 'revoked'";
    assert_eq!(world.daemon.number(live, [&old]), 0);
}

#[test]
fn a_restored_agent_has_its_id_a_free_name_and_no_old_token_or_grant() {
    let world = World::new();
    let id = world.daemon.agent("lazarus");
    let friend = world.member_on("lazarus", "editor");
    let token = world.daemon.agent_token("lazarus", &["*"]);
    let grace = world.daemon.agent_token("lazarus", &["*"]);
    world.operator().delete("/api/agents/lazarus").expect(200);
    let usurper = world.daemon.agent("lazarus");
    let restore = format!("/api/agents/archived/{id}/restore");
    let back = world.operator().send("POST", &restore, None).expect(200).json();
    assert_eq!((&back["id"], &back["name"]), (&json!(id), &json!("lazarus-2")));
    assert_eq!(world.daemon.record("lazarus")["id"], json!(usurper));
    let record = world.daemon.record("lazarus-2");
    assert_eq!(
        (&record["id"], &record["has_token"], &record["status"]),
        (&json!(id), &json!(false), &json!("registered"))
    );
    for dead in [token, grace] {
        dead.get("/api/auth/whoami").expect_error(401, "invalid_token");
    }
    friend.get("/api/agents/lazarus-2").expect_error(404, "agent_not_found");
    world.operator().send("POST", &restore, None).expect_error(404, "archived_agent_not_found");
    assert_eq!(world.operator().get("/api/agents/archived").expect(200).json(), json!([]));
    world.daemon.agent_token("lazarus-2", &["agents.read"]).get("/api/agents/lazarus-2").expect(200);
}

#[test]
fn an_archived_agent_belongs_to_its_owner_alone_and_a_purge_leaves_no_row() {
    let world = World::new();
    let name = world.name();
    let owner = world.daemon.member(&name, &["*"]);
    world.daemon.grant(&format!("user:{name}"), "*", "creator");
    let id = world.daemon.agent_by(&owner, "ashes");
    world.daemon.agent_token("ashes", &["*"]);
    let other = world.member_on("ashes", "owner");
    owner.delete("/api/agents/ashes").expect(200);
    let path = format!("/api/agents/archived/{id}");
    assert_eq!(other.get("/api/agents/archived").expect(200).json(), json!([]));
    other.delete(&path).expect_error(404, "archived_agent_not_found");
    other.send("POST", &format!("{path}/restore"), None).expect_error(404, "archived_agent_not_found");
    assert_eq!(text(&owner.get("/api/agents/archived").expect(200).json()[0], "id"), id);
    assert_eq!(text(&world.operator().get("/api/agents/archived").expect(200).json()[0], "owner"), name);
    owner.delete(&path).expect(200);
    owner.delete(&path).expect_error(404, "archived_agent_not_found");
    let left: Vec<String> = world
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
    let world = World::new();
    let id = world.daemon.agent("alive");
    world.operator().delete(&format!("/api/agents/archived/{id}")).expect_error(404, "archived_agent_not_found");
    world.operator().delete("/api/agents/alive").expect(200);
    for (method, tail) in [("GET", ""), ("DELETE", ""), ("GET", "/export"), ("GET", "/token"), ("DELETE", "/token")] {
        let reply = world.operator().send(method, &format!("/api/agents/alive{tail}"), None);
        reply.expect_error(404, "agent_not_found");
    }
    let grant = json!({"principal": "user:operator", "resource": format!("agent:{id}"), "role": "viewer"});
    world.operator().post("/api/grants", grant).expect_error(404, "agent_not_found");
}
