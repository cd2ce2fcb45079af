//! Only the owner changes `permissions`. An editor may rotate and narrow an agent's credentials, but never widen them.

use serde_json::json;

use crate::power::harness::jwt;
use crate::support::{Daemon, text};

#[test]
fn an_editor_gives_no_credential_more_than_the_owner_has_set() {
    let daemon = Daemon::start();
    let id = daemon.agent("worker");
    daemon.operator().put("/api/agents/worker/permissions", json!({"scope": ["agents.read", "tasks.*"]})).expect(200);
    let editor = daemon.member("ed", &["*"]);
    daemon.grant("user:ed", &id, "editor");
    let issue = "/api/agents/worker/token/issue";
    for wide in [json!(["*"]), json!(["agents.*"]), json!(["agents.read", "knowledge.read"])] {
        let refused = editor.post(issue, json!({"scope": wide})).expect_error(403, "scope_exceeds_issuer");
        assert!(refused.text().contains("owner"), "{}", refused.text());
        let key = json!({"name": "k", "bound_agent_id": id, "scopes": wide});
        editor.post("/api/v1/keys", key).expect(403);
    }
    let narrow = editor.post(issue, json!({"scope": ["tasks.read"]})).expect(200).json();
    assert_eq!(narrow["scope"], json!(["tasks.read"]));
    assert_eq!(editor.post(issue, json!({})).expect(200).json()["scope"], json!(["agents.read", "tasks.*"]));
    let key = json!({"agent_id": id, "name": "default"});
    let key = editor.post("/credentials/agent-pat", key).expect(201).json();
    for scope in key["scopes"].as_array().unwrap() {
        assert!(
            ["agents.read", "tasks.", "auth.", "credentials.fingerprint"]
                .iter()
                .any(|own| scope.as_str().unwrap().starts_with(own)),
            "{key}"
        );
    }
    jwt(&daemon, &key, "agent_access").get("/api/v1/spaces").expect(403);
    editor.put("/api/agents/worker/permissions", json!({"scope": ["*"]})).expect_error(403, "forbidden");
}

#[test]
fn an_agent_rotates_itself_and_never_wider() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    let scope = json!({"scope": ["agents.token.issue", "agents.read"]});
    daemon.operator().put("/api/agents/worker/permissions", scope).expect(200);
    let own = daemon.agent_token("worker", &["agents.token.issue", "agents.read"]);
    own.post("/api/agents/worker/token/issue", json!({"scope": ["*"]})).expect_error(403, "scope_exceeds_issuer");
    let next = own.post("/api/agents/worker/token/issue", json!({})).expect(200).json();
    daemon.client(&text(&next, "token")).get("/api/agents/worker").expect(200);
}

#[test]
fn a_wider_token_of_the_owner_is_worth_the_agents_scope() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    daemon.operator().put("/api/agents/worker/permissions", json!({"scope": ["agents.read"]})).expect(200);
    let issued = daemon.operator().post("/api/agents/worker/token/issue", json!({"scope": ["*"]})).expect(200).json();
    let client = daemon.client(&text(&issued, "token"));
    client.get("/api/agents/worker").expect(200);
    client.get("/api/knowledge/items").expect_error(403, "scope_denied");
}
