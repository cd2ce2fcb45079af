//! Roles on an agent: viewer, editor, owner, the agent itself, and everybody else.

use serde_json::json;

use crate::harness::{Harness, NEED_RUNTIME};
use crate::support::{Client, is_audit, text};

/// Every route about one live agent, with the smallest role that it needs.
const NEEDS: &[(&str, u8)] = &[
    ("agents_get", 1),
    ("agents_calls", 1),
    ("agents_export", 1),
    ("agents_token_show", 1),
    ("agents_deploy_status", 1),
    ("agents_logs", 1),
    ("agents_wake", 2),
    ("agents_pause", 2),
    ("agents_resume", 2),
    ("agents_start", 2),
    ("agents_stop", 2),
    ("agents_restart", 2),
    ("agents_update", 2),
    ("agents_persona", 2),
    ("agents_memory", 2),
    ("agents_model", 2),
    ("agents_token_issue", 2),
    ("agents_token_revoke", 2),
    ("agents_freeze", 3),
    ("agents_thaw", 3),
    ("tripwires_plant", 3),
    ("tripwires_list", 3),
    ("tripwires_remove", 3),
    ("agents_permissions", 3),
    ("agents_destroy", 3),
    ("agents_delete", 3),
];

/// Calls every route, each on a new agent, as somebody with the role `has`.
fn try_all(harness: &Harness, has: u8, who: impl Fn(&str) -> Client) {
    for (id, needs) in NEEDS {
        let request = harness.request_for(id);
        let agent = request.path.split('/').nth(3).expect("a name").to_owned();
        let client = who(&agent);
        let before = harness.daemon.rows();
        let reply = request.by(&client);
        match has {
            0 => drop(reply.expect_error(404, "agent_not_found")),
            has if has < *needs => drop(reply.expect_error(403, "forbidden")),
            // Whoever has the role learns that the record has no container.
            _ if NEED_RUNTIME.contains(id) => drop(reply.expect_error(409, "agent_has_no_container")),
            _ => assert!(reply.status < 300, "{id} with {has}: {}", reply.text()),
        }
        if has < *needs {
            let changed = crate::harness::changed(&before, &harness.daemon.rows());
            assert!(changed.iter().all(|key| is_audit(key)), "{id} with {has} changed {changed:?}");
        }
    }
    let tested: Vec<&str> = NEEDS.iter().map(|(id, _)| *id).collect();
    for route in crate::harness::all_routes().filter(|route| route.path.starts_with("/api/agents/{name}")) {
        assert!(tested.contains(&route.id), "say which role {} needs", route.id);
    }
}

#[test]
fn who_has_no_role_is_told_that_there_is_no_such_agent() {
    let harness = Harness::new();
    try_all(&harness, 0, |_| harness.member());
}

#[test]
fn a_viewer_reads() {
    let harness = Harness::new();
    try_all(&harness, 1, |agent| harness.member_on(agent, "viewer"));
}

#[test]
fn an_editor_changes_and_issues_tokens() {
    let harness = Harness::new();
    try_all(&harness, 2, |agent| harness.member_on(agent, "editor"));
}

#[test]
fn an_owner_does_all() {
    let harness = Harness::new();
    try_all(&harness, 3, |agent| harness.member_on(agent, "owner"));
}

#[test]
fn an_agent_is_editor_of_itself_and_nothing_else() {
    let harness = Harness::new();
    try_all(&harness, 2, |agent| harness.daemon.agent_token(agent, &["*"]));
    let (one, other) = (harness.agent(), harness.agent());
    let token = harness.daemon.agent_token(&one, &["*"]);
    token.get(&format!("/api/agents/{other}")).expect_error(404, "agent_not_found");
    let listed = token.get("/api/agents").expect(200).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(text(&listed[0], "name"), one);
    for path in ["/api/users", "/api/audit", "/api/users/operator"] {
        assert!([403, 404].contains(&token.get(path).status), "{path}");
    }
    token.post("/api/agents", json!({"name": "more"})).expect_error(403, "create_not_allowed");
    token.post("/api/users/operator/tokens", json!({})).expect_error(404, "user_not_found");
}

#[test]
fn an_admin_acts_as_owner_of_everything() {
    let harness = Harness::new();
    let (maker, boss) = (harness.name(), harness.daemon.admin("boss"));
    let member = harness.daemon.member(&maker, &["*"]);
    harness.daemon.grant(&format!("user:{maker}"), "*", "creator");
    let id = harness.daemon.agent_by(&member, "theirs");
    assert_eq!(boss.get("/api/agents/theirs").expect(200).json()["owner"], json!(maker));
    let grant = json!({"principal": "user:boss", "resource": format!("agent:{id}"), "role": "viewer"});
    boss.post("/api/grants", grant).expect(201);
    boss.delete("/api/agents/theirs").expect(200);
    boss.delete(&format!("/api/agents/archived/{id}")).expect(200);
}

#[test]
fn creating_needs_the_creator_grant_and_makes_the_caller_the_owner() {
    let harness = Harness::new();
    let member = harness.daemon.member("maker", &["*"]);
    member.post("/api/agents", json!({"name": "m"})).expect_error(403, "create_not_allowed");
    let grant = text(&harness.daemon.grant("user:maker", "*", "creator"), "id");
    let id = harness.daemon.agent_by(&member, "mine");
    let record = member.get("/api/agents/mine").expect(200).json();
    assert_eq!((&record["owner"], &record["id"]), (&json!("maker"), &json!(id)));
    assert_eq!(harness.daemon.text("SELECT origin FROM agents WHERE id = ?1", [&id]), "space_agent");
    member.put("/api/agents/mine/permissions", json!({"scope": []})).expect(200);
    // Owner and origin come from the caller, never from the body.
    for field in ["owner", "origin", "id", "created_by", "status", "space_id", "owner_user_id"] {
        let refused = member.post("/api/agents", json!({"name": "m", field: "operator"}));
        assert_eq!(refused.expect_error(422, "validation_error").json()["fields"][0]["field"], field);
    }
    harness.operator().delete(&format!("/api/grants/{grant}")).expect(204);
    member.post("/api/agents", json!({"name": "m"})).expect_error(403, "create_not_allowed");
    member.get("/api/agents/mine").expect(200);
}

#[test]
fn what_an_agent_makes_belongs_to_its_owner_and_the_agent_owns_it() {
    let harness = Harness::new();
    harness.daemon.agent("parent");
    harness.daemon.grant("agent:parent", "*", "creator");
    let parent = harness.daemon.agent_token("parent", &["*"]);
    let id = harness.daemon.agent_by(&parent, "child");
    let record = harness.daemon.record("child");
    assert_eq!(record["owner"], "operator");
    assert_eq!(harness.daemon.text("SELECT origin FROM agents WHERE id = ?1", [&id]), "agentcore");
    let child = harness.daemon.agent_token("child", &["agents.*"]);
    parent.put("/api/agents/child/permissions", json!({"scope": ["agents.read"]})).expect(200);
    child.get("/api/agents/parent").expect_error(404, "agent_not_found");
    child.put("/api/agents/child", json!({"host": "x"})).expect_error(403, "scope_denied");
    let grants = parent.get("/api/grants").expect(200).json();
    let owners: Vec<String> = grants.as_array().expect("grants").iter().map(|grant| text(grant, "principal")).collect();
    assert_eq!(owners, ["user:operator", "agent:parent"]);
    parent.delete("/api/agents/child").expect(200);
    parent.delete(&format!("/api/agents/archived/{id}")).expect_error(404, "archived_agent_not_found");
}

#[test]
fn a_role_is_given_only_to_who_the_giver_may_see() {
    let harness = Harness::new();
    let hidden = harness.agent();
    harness.daemon.member("sharer", &["*"]);
    harness.daemon.grant("user:sharer", "*", "creator");
    let sharer = harness.daemon.user_token("sharer", &["*"]);
    let id = harness.daemon.agent_by(&sharer, "shared");
    let give = |principal: &str| {
        let grant = json!({"principal": principal, "resource": format!("agent:{id}"), "role": "viewer"});
        sharer.post("/api/grants", grant)
    };
    give(&format!("agent:{hidden}")).expect_error(404, "principal_not_found");
    give("agent:none").expect_error(404, "principal_not_found");
    give("agent:shared").expect(201);
    for principal in ["sharer", "user:", "team:x", "", ":"] {
        let status = give(principal).status;
        assert!([404, 422].contains(&status), "{principal}: {status}");
    }
    for (resource, role) in [("agent:*", "owner"), ("agent:x", "creator"), ("agent:", "viewer"), ("user:x", "viewer")] {
        let grant = json!({"principal": "user:sharer", "resource": resource, "role": role});
        harness.operator().post("/api/grants", grant).expect_error(422, "validation_error");
    }
}
