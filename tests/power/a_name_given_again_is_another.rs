//! Everything refers to ids. A name that is used again belongs to another principal, and no name looks like an id.

use serde_json::{Value, json};

use crate::support::{Daemon, text};

const ID: &str = "0192f3c4-5d6e-7f80-9a1b-2c3d4e5f6071";

#[test]
fn a_user_made_again_sees_nothing_of_the_one_before() {
    let daemon = Daemon::start();
    let before = daemon.admin("ann");
    before.post("/api/backups?wait=60", json!({})).expect(200);
    let asked = before.get("/api/operations").expect(200).json();
    assert_eq!(asked.as_array().map(Vec::len), Some(1), "{asked}");
    let operation = text(&asked[0], "id");
    daemon.operator().delete("/api/users/ann").expect(204);
    let after = daemon.member("ann", &["*"]);
    assert_eq!(after.get("/api/operations").expect(200).json(), json!([]));
    after.get(&format!("/api/operations/{operation}")).expect_error(404, "operation_not_found");
    after.post(&format!("/api/operations/{operation}/cancel"), json!({})).expect_error(404, "operation_not_found");
}

#[test]
fn the_audit_tells_the_two_apart() {
    let daemon = Daemon::start();
    let before = daemon.admin("ann");
    before.post("/api/agents", json!({"name": "hers"})).expect(200);
    let user_id = text(&before.get("/api/auth/whoami").expect(200).json(), "user_id");
    let path = |actor: &str| format!("/api/audit?actor={actor}&action=agents.create");
    let rows = |actor: &str| daemon.operator().get(&path(actor)).expect(200).json().as_array().unwrap().len();
    assert_eq!((rows("user:ann"), rows(&format!("user:{user_id}"))), (1, 1));
    let agent = text(&daemon.record("hers"), "id");
    let _ = agent;
    daemon.operator().delete("/api/agents/hers").expect(200);
    let archived = daemon.operator().get("/api/agents/archived").expect(200).json();
    daemon.operator().delete(&format!("/api/agents/archived/{}", text(&archived[0], "id"))).expect(200);
    daemon.operator().delete("/api/users/ann").expect(204);
    assert_eq!(rows("user:ann"), 1, "while nobody has the name, it means who had it");
    daemon.member("ann", &["*"]);
    assert_eq!(rows("user:ann"), 0, "now it is the new one's");
    assert_eq!(rows(&format!("user:{user_id}")), 1, "by id the old one is found for ever");
    let told = daemon.operator().get(&path(&format!("user:{user_id}"))).expect(200).json();
    assert_eq!((&told[0]["actor"], &told[0]["actor_id"]), (&json!("user:ann"), &json!(format!("user:{user_id}"))));
}

#[test]
fn no_name_has_the_form_of_an_id_in_any_dialect() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for name in [ID.to_owned(), ID.to_uppercase(), format!("{{{ID}}}")] {
        operator.post("/api/agents", json!({"name": name})).expect_error(400, "invalid_agent_name");
        operator.post("/api/agents/deploy", json!({"name": name})).expect_error(400, "invalid_agent_name");
        operator.post("/api/v1/agents", json!({"name": name})).expect(422);
        operator.post("/api/v1/agents/manage/create", json!({"name": name})).expect(422);
        operator.post("/agents/register-build", json!({"name": name, "description": ""})).expect(422);
        let body = json!({"name": name, "description": "", "acp_url": "http://localhost:1", "acp_type": "async"});
        operator.post("/agents/register", body).expect(422);
        operator.post("/api/spaces/create", json!({"name": name, "visibility": "private"})).expect(422);
        operator.post("/api/users", json!({"username": name})).expect(422);
    }
    operator.post("/api/v1/keys", json!({"name": ID})).expect(422);
    daemon.agent("worker");
    operator.post("/agent_api_keys", json!({"agent_name": "worker", "name": ID})).expect(422);
    let import = json!({"version": 1, "agent": {"name": ID}});
    operator.post("/api/agents/import", import).expect_error(400, "invalid_agent_name");
    let enrollment = operator.post("/credentials/enrollment", json!({})).expect(201).json();
    daemon.client(&text(&enrollment, "token")).post("/auth/exchange", json!({"agent_name": ID})).expect(422);
}

#[test]
fn an_id_names_one_and_a_name_left_from_before_does_not_shadow_it() {
    let daemon = Daemon::start();
    let (target, shadow) = (daemon.agent("target"), daemon.agent("shadow"));
    daemon.member("ann", &["*"]);
    let ann = text(&daemon.operator().get("/api/users/ann").expect(200).json(), "id");
    // A name that looks like an id, as an older version accepted it.
    daemon.execute("UPDATE agents SET slug = ?1 WHERE id = ?2", (&target, &shadow));
    let grant =
        json!({"principal": format!("agent:{target}"), "resource": format!("agent:{target}"), "role": "viewer"});
    let given = daemon.operator().post("/api/grants", grant).expect(201).json();
    assert_eq!(given["principal"], "agent:target");
    let grant = json!({"principal": format!("user:{ann}"), "resource": format!("agent:{target}"), "role": "viewer"});
    assert_eq!(daemon.operator().post("/api/grants", grant).expect(201).json()["principal"], "user:ann");
    let pat = daemon.operator().post("/credentials/agent-pat", json!({"agent_id": target})).expect(201).json();
    assert_eq!(pat["bound_agent_id"], *target);
    assert_eq!(daemon.operator().get(&format!("/api/v1/agents/{target}")).expect(200).json()["id"], *target);
    // An unknown id finds nobody, even if it is somebody's name.
    daemon.execute("UPDATE agents SET slug = ?1 WHERE id = ?2", (ID, &shadow));
    daemon.operator().get(&format!("/api/v1/agents/{ID}")).expect(404);
}

#[test]
fn a_field_of_ids_takes_no_name() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let operator = daemon.operator();
    let key = |body: Value| operator.post("/api/v1/keys", body);
    for named in [
        json!({"bound_agent_id": "atlas"}),
        json!({"allowed_agent_ids": ["atlas"]}),
        json!({"allowed_agent_ids": [id, "atlas"]}),
    ] {
        let mut body = named.clone();
        body["name"] = json!("k");
        assert_eq!(key(body).expect(404).json()["detail"]["error"], "agent_not_found", "{named}");
    }
    assert_eq!(key(json!({"name": "k", "bound_agent_id": id})).expect(201).json()["bound_agent_id"], *id);
    assert_eq!(
        key(json!({"name": "k", "allowed_agent_ids": [id]})).expect(201).json()["allowed_agent_ids"],
        json!([id])
    );
    // A field that also takes names accepts the name.
    let pat = operator.post("/credentials/agent-pat", json!({"agent_id": "atlas"})).expect(201).json();
    assert_eq!(pat["bound_agent_id"], *id);
}
