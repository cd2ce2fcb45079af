//! An export has the settings and no secret. Importing it makes the same agent, but never under a name that another
//! agent has.

use serde_json::{Value, json};

use crate::harness::Harness;

#[test]
fn an_export_imported_again_is_the_same_agent_under_another_id() {
    let harness = Harness::new();
    let full = json!({"name": "hermes", "display_name": "Hermès", "host": "h", "qmd_index": "q", "color": "#abcdef",
        "emoji": "🦉", "can_read_user_memory": true, "framework": "f", "model": "qwen2.5:7b",
        "fallback_models": ["gpt", "far"], "target_worker": "w1", "on_worker_failure": "fallback", "soul_md": "# S",
        "agent_md": "# A", "source_persona_id": "p", "memory_plugin": "taosmd", "scope": ["agents.read"]});
    let made = harness.operator().post("/api/agents/import", json!({"version": 1, "agent": full})).expect(200).json();
    let token = harness.daemon.agent_token("hermes", &["agents.read"]);
    let export = harness.operator().get("/api/agents/hermes/export").expect(200).json();
    assert_eq!(export, json!({"version": 1, "agent": full, "channels": [], "groups": []}));
    harness.operator().post("/api/agents/import", export.clone()).expect_error(409, "agent_exists");
    harness.operator().delete("/api/agents/hermes").expect(200);
    let again = harness.operator().post("/api/agents/import", export.clone()).expect(200).json();
    assert_ne!(again["id"], made["id"]);
    assert_eq!(harness.operator().get("/api/agents/hermes/export").expect(200).json(), export);
    token.get("/api/auth/whoami").expect_error(401, "invalid_token");
    assert_eq!(harness.daemon.record("hermes")["has_token"], json!(false));
}

#[test]
fn an_export_of_nothing_but_defaults_is_taken_as_it_is() {
    let harness = Harness::new();
    let name = harness.agent();
    let export = harness.operator().get(&format!("/api/agents/{name}/export")).expect(200).json();
    assert_eq!(export["agent"]["model"], Value::Null);
    harness.operator().delete(&format!("/api/agents/{name}")).expect(200);
    harness.operator().post("/api/agents/import", export.clone()).expect(200);
    assert_eq!(harness.operator().get(&format!("/api/agents/{name}/export")).expect(200).json(), export);
}

#[test]
fn an_import_never_lands_in_anothers_name_even_where_it_may_not_be_seen() {
    let harness = Harness::new();
    let name = harness.agent();
    let user = harness.name();
    let member = harness.daemon.member(&user, &["*"]);
    harness.daemon.grant(&format!("user:{user}"), "*", "creator");
    let before = harness.daemon.record(&name);
    let export = json!({"version": 1, "agent": {"name": name, "host": "mine now"}});
    member.post("/api/agents/import", export).expect_error(409, "agent_exists");
    assert_eq!(harness.daemon.record(&name), before);
    member.get(&format!("/api/agents/{name}")).expect_error(404, "agent_not_found");
}

#[test]
fn an_import_takes_settings_only() {
    let harness = Harness::new();
    for field in ["id", "owner", "status", "revision", "created_at", "has_token", "container", "origin", "paused"] {
        let mut agent = json!({"name": harness.name()});
        agent[field] = json!("x");
        let refused = harness.operator().post("/api/agents/import", json!({"version": 1, "agent": agent}));
        assert_eq!(
            refused.expect_error(422, "validation_error").json()["fields"][0]["field"],
            format!("agent.{field}")
        );
    }
    for list in ["channels", "groups"] {
        let mut export = json!({"version": 1, "agent": {"name": harness.name()}});
        export[list] = json!([{"id": 1}]);
        harness.operator().post("/api/agents/import", export).expect_error(422, "validation_error");
    }
}
