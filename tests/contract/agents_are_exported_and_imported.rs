//! An export is the settings and no secret; an import of it makes the same agent, never into another's name.

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn an_export_imported_again_is_the_same_agent_under_another_id() {
    let world = World::new();
    let full = json!({"name": "hermes", "display_name": "Hermès", "host": "h", "qmd_index": "q", "color": "#abcdef",
        "emoji": "🦉", "can_read_user_memory": true, "framework": "f", "model": "qwen2.5:7b",
        "fallback_models": ["gpt", "far"], "target_worker": "w1", "on_worker_failure": "fallback", "soul_md": "# S",
        "agent_md": "# A", "source_persona_id": "p", "memory_plugin": "taosmd", "scope": ["agents.read"]});
    let made = world.operator().post("/api/agents/import", json!({"version": 1, "agent": full})).expect(200).json();
    let token = world.daemon.agent_token("hermes", &["agents.read"]);
    let export = world.operator().get("/api/agents/hermes/export").expect(200).json();
    assert_eq!(export, json!({"version": 1, "agent": full, "channels": [], "groups": []}));
    world.operator().post("/api/agents/import", export.clone()).expect_error(409, "agent_exists");
    world.operator().delete("/api/agents/hermes").expect(200);
    let again = world.operator().post("/api/agents/import", export.clone()).expect(200).json();
    assert_ne!(again["id"], made["id"]);
    assert_eq!(world.operator().get("/api/agents/hermes/export").expect(200).json(), export);
    token.get("/api/auth/whoami").expect_error(401, "invalid_token");
    assert_eq!(world.daemon.record("hermes")["has_token"], json!(false));
}

#[test]
fn an_export_of_nothing_but_defaults_is_taken_as_it_is() {
    let world = World::new();
    let name = world.agent();
    let export = world.operator().get(&format!("/api/agents/{name}/export")).expect(200).json();
    assert_eq!(export["agent"]["model"], Value::Null);
    world.operator().delete(&format!("/api/agents/{name}")).expect(200);
    world.operator().post("/api/agents/import", export.clone()).expect(200);
    assert_eq!(world.operator().get(&format!("/api/agents/{name}/export")).expect(200).json(), export);
}

#[test]
fn an_import_never_lands_in_anothers_name_even_where_it_may_not_be_seen() {
    let world = World::new();
    let name = world.agent();
    let user = world.name();
    let member = world.daemon.member(&user, &["*"]);
    world.daemon.grant(&format!("user:{user}"), "*", "creator");
    let before = world.daemon.record(&name);
    let export = json!({"version": 1, "agent": {"name": name, "host": "mine now"}});
    member.post("/api/agents/import", export).expect_error(409, "agent_exists");
    assert_eq!(world.daemon.record(&name), before);
    member.get(&format!("/api/agents/{name}")).expect_error(404, "agent_not_found");
}

#[test]
fn an_import_takes_settings_only() {
    let world = World::new();
    for field in ["id", "owner", "status", "revision", "created_at", "has_token", "container", "origin", "paused"] {
        let mut agent = json!({"name": world.name()});
        agent[field] = json!("x");
        let refused = world.operator().post("/api/agents/import", json!({"version": 1, "agent": agent}));
        assert_eq!(
            refused.expect_error(422, "validation_error").json()["fields"][0]["field"],
            format!("agent.{field}")
        );
    }
    for list in ["channels", "groups"] {
        let mut export = json!({"version": 1, "agent": {"name": world.name()}});
        export[list] = json!([{"id": 1}]);
        world.operator().post("/api/agents/import", export).expect_error(422, "validation_error");
    }
}
