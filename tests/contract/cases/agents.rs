//! Agents and their tokens.

use serde_json::{Value, json};

use super::{Case, case};
use crate::harness::Harness;
use crate::support::{Reply, text};

pub const CASES: &[Case] = &[
    case("agents_list", "", |w| {
        let name = w.agent();
        let reply = w.operator().get(&format!("/api/agents?q={name}")).expect(200);
        assert_eq!(reply.json()[0]["name"], json!(name));
        reply
    }),
    case("agents_create", "limit_reached", |_| {
        let full = full_of_agents();
        full.operator().post("/api/agents", json!({"name": "more"}))
    }),
    case("agents_import", "limit_reached", |w| {
        let export = w.operator().get(&format!("/api/agents/{}/export", w.agent())).expect(200).json();
        let full = full_of_agents();
        full.operator().post("/api/agents/import", export)
    }),
    case("agents_create", "", |w| {
        let name = w.name();
        let sent = json!({"name": format!(" {name} X "), "host": "h", "qmd_index": "q", "color": "#12abEF", "emoji": "🦉",
            "can_read_user_memory": true, "model": "gpt", "framework": "f", "scope": ["agents.read"]});
        let reply = w.operator().post("/api/agents", sent.clone()).expect(200);
        let (made, record) = (reply.json(), w.daemon.record(&format!("{name}-x")));
        assert_eq!(reply.header("location"), Some(format!("/api/agents/{name}-x").as_str()));
        assert_eq!(
            made,
            json!({"status": "created", "id": record["id"], "name": record["name"],
            "display_name": format!("{name} X")})
        );
        for field in ["host", "qmd_index", "color", "emoji", "can_read_user_memory", "model", "framework", "scope"] {
            assert_eq!(record[field], sent[field], "{field}");
        }
        assert_eq!((&record["status"], &record["revision"]), (&json!("registered"), &json!(1)));
        assert_eq!((&record["has_token"], &record["container"]), (&json!(false), &Value::Null));
        reply
    }),
    case("agents_create", "invalid_agent_name", |w| w.operator().post("/api/agents", json!({"name": " é "}))),
    case("agents_create", "invalid_model", |w| w.operator().post("/api/agents", json!({"name": "m", "model": " "}))),
    case("agents_create", "create_not_allowed", |w| w.member().post("/api/agents", json!({"name": "m"}))),
    case("agents_create", "slug_collision_unresolvable", |w| {
        crowd(w, "crowd");
        w.operator().post("/api/agents", json!({"name": "Crowd"}))
    }),
    case("agents_create", "model_not_reachable", |w| {
        let reply = w.operator().post("/api/agents", json!({"name": "m", "model": "none such"}));
        assert_eq!(reply.json()["available_on"], json!([]));
        reply
    }),
    case("agents_archived_list", "", |w| {
        let id = w.archived();
        let reply = w.operator().get("/api/agents/archived").expect(200);
        assert_eq!(reply.json()[0]["id"], json!(id), "newest first");
        assert_eq!(reply.json()[0]["owner"], "operator");
        reply
    }),
    case("agents_restore", "", |w| {
        let (name, taken) = (w.agent(), w.daemon.db());
        drop(taken);
        let id = text(&w.operator().delete(&format!("/api/agents/{name}")).expect(200).json(), "id");
        let reply = w.operator().send("POST", &format!("/api/agents/archived/{id}/restore"), None).expect(200);
        assert_eq!(
            reply.json(),
            json!({"status": "restored", "id": id, "name": name, "display_name": name,
            "container_renamed": false})
        );
        assert_eq!(w.daemon.record(&name)["id"], json!(id));
        reply
    }),
    case("agents_restore", "slug_collision_unresolvable", |w| {
        crowd(w, "throng");
        let id = w.archived();
        w.daemon.execute("UPDATE agents SET slug = 'throng' WHERE id = ?1", [&id]);
        w.operator().send("POST", &format!("/api/agents/archived/{id}/restore"), None)
    }),
    case("agents_purge", "", |w| {
        let id = w.archived();
        let reply = w.operator().delete(&format!("/api/agents/archived/{id}")).expect(200);
        assert_eq!(reply.json(), json!({"status": "purged", "id": id}));
        assert_eq!(w.daemon.number("SELECT count(*) FROM agents WHERE id = ?1", [&id]), 0);
        reply
    }),
    case("agents_import", "", |w| {
        let name = w.name();
        let export = json!({"version": 1, "agent": {"name": name, "display_name": "É", "soul_md": "s"}});
        let reply = w.operator().post("/api/agents/import", export).expect(200);
        let record = w.daemon.record(&name);
        assert_eq!(reply.json(), json!({"status": "imported", "id": record["id"], "name": name}));
        assert_eq!((&record["display_name"], &record["soul_md"]), (&json!("É"), &json!("s")));
        reply
    }),
    case("agents_import", "invalid_export_data", |w| import(w, json!({"version": 2}), json!({}))),
    case("agents_import", "invalid_agent_name", |w| import(w, json!({}), json!({"name": "No Slug"}))),
    case("agents_import", "invalid_model", |w| import(w, json!({}), json!({"model": ""}))),
    case("agents_import", "invalid_scope", |w| import(w, json!({}), json!({"scope": ["agents"]}))),
    case("agents_import", "scope_exceeds_issuer", |w| {
        let export = json!({"version": 1, "agent": {"name": w.name(), "scope": ["users.list"]}});
        w.daemon.user_token("operator", &["agents.*"]).post("/api/agents/import", export)
    }),
    case("agents_import", "agent_exists", |w| import(w, json!({}), json!({"name": w.agent()}))),
    case("agents_import", "create_not_allowed", |w| {
        w.member().post("/api/agents/import", json!({"version": 1, "agent": {"name": w.name()}}))
    }),
    case("agents_import", "model_not_reachable", |w| import(w, json!({}), json!({"model": "none such"}))),
    case("agents_import", "model_not_on_worker", |w| {
        import(w, json!({}), json!({"model": "far", "target_worker": "w1"}))
    }),
    case("agents_get", "", |w| {
        let name = w.agent();
        let reply = w.operator().get(&format!("/api/agents/{}", name.to_uppercase())).expect(200);
        assert_eq!(reply.header("etag"), Some("\"1\""));
        assert_eq!(reply.json()["name"], json!(name));
        reply
    }),
    case("agents_update", "", |w| {
        let name = w.agent();
        let sent = json!({"display_name": "Ü", "host": "h", "qmd_index": "q", "color": "#010203", "emoji": "x",
            "can_read_user_memory": true});
        let reply = w.operator().put(&format!("/api/agents/{name}"), sent.clone()).expect(200);
        assert_eq!(reply.json(), json!({"status": "updated", "name": name, "revision": 2}));
        let record = w.daemon.record(&name);
        sent.as_object().expect("an object").iter().for_each(|(field, value)| assert_eq!(record[field], *value));
        reply
    }),
    case("agents_delete", "", |w| archive(w, "")),
    case("agents_destroy", "", |w| archive(w, "/destroy")),
    case("agents_permissions", "", |w| {
        let name = w.agent();
        let sent = json!({"can_read_user_memory": true, "scope": ["ui.notify"]});
        let reply = w.operator().put(&format!("/api/agents/{name}/permissions"), sent.clone()).expect(200);
        assert_eq!(reply.json(), json!({"status": "updated", "name": name, "permissions": sent}));
        assert_eq!(w.daemon.record(&name)["scope"], sent["scope"]);
        reply
    }),
    case("agents_persona", "", |w| {
        let name = w.agent();
        let sent = json!({"soul_md": "# S", "agent_md": "# A", "source_persona_id": "p"});
        let reply = w.operator().patch(&format!("/api/agents/{name}/persona"), sent.clone()).expect(200);
        assert_eq!(reply.json()["agent"], w.daemon.record(&name));
        sent.as_object().expect("an object").iter().for_each(|(f, value)| assert_eq!(reply.json()["agent"][f], *value));
        reply
    }),
    case("agents_memory", "", |w| {
        let name = w.agent();
        let reply =
            w.operator().patch(&format!("/api/agents/{name}/memory"), json!({"memory_plugin": "taosmd"})).expect(200);
        assert_eq!(w.daemon.record(&name)["memory_plugin"], "taosmd");
        reply
    }),
    case("agents_memory", "invalid_memory_plugin", |w| {
        w.operator().patch(&format!("/api/agents/{}/memory", w.agent()), json!({"memory_plugin": "other"}))
    }),
    case("agents_model", "", |w| {
        let name = w.agent();
        w.daemon.execute("UPDATE agents SET paused = 1 WHERE slug = ?1", [&name]);
        let reply = w.operator().post(&format!("/api/agents/{name}/model"), json!({"model": "qwen2.5_7B"})).expect(200);
        assert_eq!(
            reply.json(),
            json!({"status": "updated", "name": name, "model": "qwen2.5_7B",
            "location": "controller", "resumed": true})
        );
        let record = w.daemon.record(&name);
        assert_eq!((&record["model"], &record["paused"]), (&json!("qwen2.5_7B"), &json!(false)));
        reply
    }),
    case("agents_model", "invalid_model", |w| {
        w.operator().post(&format!("/api/agents/{}/model", w.agent()), json!({"model": "  "}))
    }),
    case("agents_model", "model_not_reachable", |w| {
        let reply = w.operator().post(&format!("/api/agents/{}/model", w.agent()), json!({"model": "none such"}));
        let body = reply.json();
        assert_eq!((&body["model"], &body["pinned_worker"]), (&json!("none such"), &Value::Null));
        reply
    }),
    case("agents_model", "model_not_on_worker", |w| {
        let name = w.agent();
        w.daemon.execute("UPDATE agents SET target_worker = 'w9' WHERE slug = ?1", [&name]);
        let reply = w.operator().post(&format!("/api/agents/{name}/model"), json!({"model": "qwen2.5:7b"}));
        let body = reply.json();
        assert_eq!((&body["pinned_worker"], &body["available_on"]), (&json!("w9"), &json!(["controller", "w1"])));
        assert_eq!(w.daemon.record(&name)["model"], Value::Null, "nothing was stored");
        reply
    }),
    case("agents_export", "", |w| {
        let name = w.agent();
        let reply = w.operator().get(&format!("/api/agents/{name}/export")).expect(200);
        let (export, record) = (reply.json(), w.daemon.record(&name));
        let settings = export["agent"].as_object().expect("settings");
        assert_eq!(settings.len(), 17);
        settings.iter().for_each(|(field, value)| assert_eq!(record[field], *value, "{field}"));
        reply
    }),
    case("agents_token_issue", "", |w| {
        let name = w.agent();
        let sent = json!({"scope": ["agents.read"], "expires_in_days": 2});
        let reply = w.operator().post(&format!("/api/agents/{name}/token/issue"), sent).expect(200);
        let (issued, record) = (reply.json(), w.daemon.record(&name));
        let whoami = w.daemon.client(&text(&issued, "token")).get("/api/auth/whoami").expect(200).json();
        assert_eq!((&whoami["agent_id"], &whoami["agent_name"]), (&record["id"], &json!(name)));
        assert_eq!(
            (&whoami["credential_id"], &whoami["expires_at"]),
            (&issued["credential_id"], &issued["expires_at"])
        );
        assert_eq!(whoami["scope"], json!(["agents.read"]));
        assert_eq!((&record["has_token"], &record["issued_at"]), (&json!(true), &issued["issued_at"]));
        assert_eq!(record["token_delivery"], "not_injected");
        reply
    }),
    case("agents_token_issue", "agent_has_no_container", |w| {
        let name = w.agent();
        let reply = w.operator().post(&format!("/api/agents/{name}/token/issue"), json!({"deliver": true}));
        assert_eq!(w.daemon.record(&name)["has_token"], json!(false));
        reply
    }),
    case("agents_token_show", "", |w| {
        let name = w.agent();
        let issued = w.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
        let reply = w.operator().get(&format!("/api/agents/{name}/token")).expect(200);
        let shown = reply.json();
        for field in ["credential_id", "scope", "issued_at", "expires_at", "token_delivery"] {
            assert_eq!(shown[field], issued[field], "{field}");
        }
        assert_eq!((&shown["has_token"], &shown["issued_by"]), (&json!(true), &json!("user:operator")));
        reply
    }),
    case("agents_token_revoke", "", |w| {
        let name = w.agent();
        let token = w.daemon.agent_token(&name, &[]);
        let reply = w.operator().delete(&format!("/api/agents/{name}/token")).expect(204);
        token.get("/api/auth/whoami").expect_error(401, "invalid_token");
        assert_eq!(w.daemon.record(&name)["has_token"], json!(false));
        w.operator().delete(&format!("/api/agents/{name}/token")).expect(204);
        reply
    }),
];

fn import(w: &Harness, envelope: Value, settings: Value) -> Reply {
    let mut export = json!({"version": 1, "agent": {"name": w.name()}});
    let merge = |into: &mut Value, from: Value| {
        for (field, value) in from.as_object().expect("an object") {
            into[field] = value.clone();
        }
    };
    merge(&mut export, envelope);
    merge(&mut export["agent"], settings);
    w.operator().post("/api/agents/import", export)
}

fn archive(w: &Harness, tail: &str) -> Reply {
    let name = w.agent();
    let id = text(&w.daemon.record(&name), "id");
    let path = format!("/api/agents/{name}{tail}");
    let reply = w.operator().delete(&path).expect(200);
    let body = reply.json();
    assert_eq!((&body["status"], &body["id"], &body["name"]), (&json!("archived"), &json!(id), &json!(name)));
    let row = w.operator().get("/api/agents/archived?limit=1").expect(200).json()[0].clone();
    assert_eq!((&row["id"], &row["archived_at"]), (&json!(id), &body["archived_at"]));
    w.operator().delete(&path).expect_error(404, "agent_not_found");
    reply
}

/// Uses up every name that can be made from a slug.
pub fn crowd(w: &Harness, slug: &str) {
    let (first, other) = (w.daemon.agent(slug), w.user());
    // They have another owner, because one owner may not have so many.
    w.daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
        INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            scope, created_at, updated_at)
        SELECT a.slug || i, a.slug || '-' || i, 'x', a.origin, o.id, a.owner_space_id, a.space_id, 'test',
            'registered', '[]', 1, 1
        FROM n, agents a, users o WHERE a.id = ?1 AND o.username = ?2",
        [first, other],
    );
}

/// Starts a daemon whose operator owns as many agents as one user may.
fn full_of_agents() -> Harness {
    let full = Harness::new();
    let agent = full.agent();
    full.daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
        INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            scope, created_at, updated_at)
        SELECT 'a' || i, 'many-' || i, 'a', origin, owner_user_id, owner_space_id, space_id, created_by, status, scope,
            1, 1 FROM n, agents WHERE slug = ?1",
        [&agent],
    );
    full
}
