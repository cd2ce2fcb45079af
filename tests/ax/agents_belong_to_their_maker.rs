//! Agents that are created, changed and read by the routes of the aX dialect.

use serde_json::json;

use crate::ax::client::{agent, agent_key, secret, token, user_key};
use crate::support::{AxReply, Daemon, text};

#[test]
fn a_name_alone_is_enough_and_owner_and_origin_never_come_from_the_body() {
    let daemon = Daemon::start();
    let me = daemon.operator().get("/auth/me").expect(200).json();
    let body = json!({"name": "My_Agent", "owner_user_id": "x", "owner_space_id": "y", "enable_cloud_agent": true});
    let made = daemon.operator().post("/api/v1/agents/manage/create", body).expect(201).json();
    assert_eq!((&made["name"], &made["origin"]), (&json!("My_Agent"), &json!("mcp")));
    assert_eq!((&made["owner_user_id"], &made["space_id"]), (&me["id"], &me["space_id"]));
    assert_eq!(daemon.operator().get("/api/agents/my-agent").expect(200).json()["id"], made["id"]);
    for origin in ["space_agent", "cloud", "external_gateway", "agentcore", "mcp"] {
        let body = json!({"name": format!("of-{origin}"), "origin": origin});
        assert_eq!(daemon.operator().post("/agents/manage/create", body).expect(201).json()["origin"], origin);
    }
    let unset = json!({"name": "unset", "origin": null});
    assert_eq!(daemon.operator().post("/api/v1/agents", unset).expect(201).json()["origin"], "mcp");
}

#[test]
fn what_cannot_be_is_refused_and_never_a_500() {
    let daemon = Daemon::start();
    agent(&daemon, "Atlas");
    daemon.operator().post("/api/agents", json!({"name": "Two Words"})).expect(200);
    for name in ["atlas", "ATLAS", "two-words", "Two-Words"] {
        let detail = daemon.operator().post("/api/v1/agents", json!({"name": name})).expect_ax(409, "name_conflict");
        assert!(detail.get("id").is_none());
    }
    for body in [
        json!({}),
        json!({"name": 7}),
        json!({"name": ""}),
        json!({"name": "a b"}),
        json!({"name": "presence"}),
        json!({"name": "x", "origin": "elsewhere"}),
        json!({"name": "x", "avatar_url": 3, "bio": 3}),
    ] {
        daemon.operator().post("/api/v1/agents", body).expect_ax(422, "invalid_request");
    }
    let foreign = json!({"name": "x", "space_id": "00000000-0000-7000-8000-000000000000"});
    daemon.operator().post("/api/v1/agents", foreign).expect_ax(403, "space_forbidden");
    daemon.operator().post("/api/users", json!({"username": "mia"})).expect(201);
    let issued = daemon.operator().post("/api/users/mia/tokens", json!({})).expect(201).json();
    let member = daemon.client(issued["token"].as_str().unwrap());
    member.post("/api/v1/agents", json!({"name": "x"})).expect_ax(403, "create_not_allowed");
    member.post("/credentials/enrollment", json!({})).expect_ax(403, "create_not_allowed");
    member.get("/api/v1/agents/Atlas").expect_ax(404, "agent_not_found");
    assert_eq!(member.get("/api/v1/agents").expect(200).json()["count"], 0);
}

#[test]
fn an_agent_creates_nothing_whatever_its_grants_and_scopes() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "eager")["id"].as_str().unwrap().to_owned();
    let grant = json!({"principal": "agent:eager", "resource": "agent:*", "role": "creator"});
    daemon.operator().post("/api/grants", grant).expect(201);
    let own = daemon.agent_token("eager", &["*"]);
    let scopes = json!({"name": "k", "bound_agent_id": id, "scopes": ["*"]});
    let key = daemon.operator().post("/api/v1/keys", scopes).expect(201).json();
    for client in [own, token(&daemon, secret(&key), "agent_access")] {
        client.post("/api/v1/agents", json!({"name": "x"})).expect_ax(403, "user_required");
        client.post("/api/v1/agents/manage/create", json!({"name": "x"})).expect_ax(403, "admin_required");
        client.post("/api/spaces/create", json!({"name": "x"})).expect_ax(403, "user_required");
        client.post("/api/v1/keys", json!({"name": "x"})).expect_ax(403, "user_required");
        client.post("/credentials/enrollment", json!({})).expect_ax(403, "admin_required");
    }
    let jwt = token(&daemon, secret(&key), "agent_access");
    jwt.post("/api/agents", json!({"name": "x"})).expect_error(403, "scope_denied");
    jwt.post("/api/agents/eager/token/issue", json!({})).expect_error(403, "scope_denied");
}

#[test]
fn an_agent_changes_of_itself_what_it_may_and_of_others_nothing() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "self1")["id"].as_str().unwrap().to_owned();
    agent(&daemon, "other1");
    let client = token(&daemon, secret(&agent_key(&daemon, &id, json!({}))), "agent_access");
    let path = "/api/v1/agents/manage/self1";
    let changed = client.put(path, json!({"bio": "b", "avatar_url": "https://x.example/a"})).expect(200).json();
    assert_eq!(changed["bio"], "b");
    client.put(path, json!({"bio": "b", "model": "m"})).expect_ax(403, "forbidden");
    client.put(path, json!({"status": "inactive"})).expect_ax(403, "forbidden");
    client.put("/api/v1/agents/other1", json!({"bio": "b"})).expect_ax(404, "agent_not_found");
    client.put(path, json!({"avatar_url": "x".repeat(513)})).expect_ax(422, "invalid_request");
    let read = daemon.operator().get(&format!("/api/v1/agents/{id}")).expect(200).json();
    assert_eq!((&read["bio"], &read["model"]), (&json!("b"), &json!(null)));
}

#[test]
fn presence_is_of_those_seen_lately_and_is_forgotten_with_the_daemon() {
    let mut daemon = Daemon::start();
    let id = agent(&daemon, "pulse")["id"].as_str().unwrap().to_owned();
    let presence = |daemon: &Daemon| daemon.operator().get("/api/v1/agents/pulse/presence").expect(200).json();
    assert_eq!((&presence(&daemon)["presence"], &presence(&daemon)["last_active"]), (&json!("offline"), &json!(null)));
    let client = token(&daemon, secret(&agent_key(&daemon, &id, json!({}))), "agent_access");
    assert_eq!(client.post("/api/v1/agents/heartbeat", json!({"any": 1})).expect(200).json()["ttl_seconds"], 120);
    assert_eq!(presence(&daemon)["presence"], "online");
    let state = daemon.operator().get("/api/v1/agents/availability").expect(200).json();
    assert_eq!(state["agents"][0]["agent_state"]["badge_state"], "live");
    daemon.operator().get("/api/v1/agents/pulse/state").expect(200);
    daemon.restart();
    assert_eq!(presence(&daemon)["presence"], "offline");
}

#[test]
fn an_agent_is_placed_in_a_space_of_its_owner_and_listed_there() {
    let daemon = Daemon::start();
    agent(&daemon, "mover");
    let space =
        daemon.operator().post("/api/spaces/create", json!({"name": "Lab"})).expect(201).json()["space"].clone();
    let id = space["id"].as_str().unwrap();
    let path = "/api/v1/agents/mover/placement";
    let placed = daemon.operator().post(path, json!({"space_id": id, "pinned": true})).expect(200).json();
    assert_eq!((&placed["agent"]["space_id"], &placed["agent"]["pinned"]), (&json!(id), &json!(true)));
    assert_eq!(daemon.operator().get(path).expect(200).json()["agent"]["space_id"], id);
    let listed = daemon.operator().get(&format!("/api/v1/agents?space_id={id}&limit=500")).expect(200).json();
    assert_eq!(listed["count"], 1);
    let roster =
        daemon.operator().get(&format!("/api/v1/organizations/{id}/roster?entry_type=agent")).expect(200).json();
    assert_eq!(roster["entries"][0]["name"], "mover");
    let foreign = "/api/v1/agents?space_id=00000000-0000-7000-8000-000000000000";
    daemon.operator().get(foreign).expect_ax(404, "space_not_found");
    daemon.operator().get("/api/v1/spaces/00000000-0000-7000-8000-000000000000").expect_ax(404, "space_not_found");
    daemon.operator().post("/api/spaces/create", json!({"name": "LAB"})).expect_ax(409, "name_conflict");
    // A later user with the name of a space still gets a default space.
    daemon.operator().post("/api/users", json!({"username": "lab"})).expect(201);
}

#[test]
fn a_key_for_certain_agents_touches_no_other() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "mine")["id"].as_str().unwrap().to_owned();
    agent(&daemon, "hidden");
    let key = user_key(&daemon, json!({"allowed_agent_ids": [id]}));
    let client = token(&daemon, secret(&key), "user_access");
    let scope = client.get("/auth/me").expect(200).json()["credential_scope"].clone();
    assert_eq!(scope, json!({"agent_scope": "agents", "allowed_agent_ids": [id]}));
    assert_eq!(client.get("/api/v1/agents").expect(200).json()["count"], 1);
    client.get("/api/v1/agents/hidden").expect_ax(404, "agent_not_found");
    client.post("/api/v1/agents", json!({"name": "new"})).expect_ax(403, "create_not_allowed");
    // The restriction also holds in the daemon's own dialect, and for keys that this key makes.
    assert_eq!(client.get("/api/agents").expect(200).json().as_array().unwrap().len(), 1);
    let child = client.post("/api/v1/keys", json!({"name": "child"})).expect(201).json();
    assert_eq!(child["allowed_agent_ids"], json!([id]));
}

#[test]
fn an_agent_that_is_restored_has_its_name_again_if_it_is_free() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for (name, taken) in [("backend_sentinel", false), ("Back_End", true)] {
        let id = text(&agent(&daemon, name), "id");
        operator.delete(&format!("/api/v1/agents/manage/{name}")).expect(200);
        if taken {
            agent(&daemon, &name.to_lowercase());
        }
        operator.post(&format!("/api/agents/archived/{id}/restore"), json!({})).expect(200);
        let found = text(&operator.get(&format!("/api/v1/agents/{name}")).expect(200).json(), "id");
        assert_eq!(found == id, !taken, "{name}");
    }
}
