//! In every dialect, an agent gets no wider scope than the credential that creates it.

use serde_json::json;

use crate::power::harness::{exchange, jwt, key};
use crate::support::{Daemon, text};

#[test]
fn each_way_of_creating_is_bounded_by_what_creates() {
    let daemon = Daemon::start();
    let narrow = daemon.user_token("operator", &["agents.*", "keys.*", "credentials.*"]);
    narrow.post("/api/agents", json!({"name": "taos"})).expect_error(403, "scope_exceeds_issuer");
    let export = json!({"version": 1, "agent": {"name": "imported"}});
    narrow.post("/api/agents/import", export).expect_error(403, "scope_exceeds_issuer");
    narrow.post("/api/agents/deploy", json!({"name": "d"})).expect_error(403, "scope_exceeds_issuer");
    narrow.post("/api/v1/agents", json!({"name": "ax"})).expect(201);
    narrow.post("/api/v1/agents/manage/create", json!({"name": "managed"})).expect(201);
    narrow.post("/agents/register-build", json!({"name": "built", "description": ""})).expect(200);
    let body = json!({"name": "run", "description": "", "acp_url": "http://localhost:1", "acp_type": "async"});
    narrow.post("/agents/register", body).expect(200);
    let manager = jwt(&daemon, &key(&narrow, json!({})), "user_admin");
    manager.post("/api/v1/agents/manage/create", json!({"name": "byjwt"})).expect(201);
    let enrollment = manager.post("/credentials/enrollment", json!({})).expect(201).json();
    assert_eq!(exchange(&daemon, &enrollment, json!({"agent_name": "enrolled"})), 200);
    for name in ["ax", "managed", "built", "run", "byjwt", "enrolled"] {
        let scope = daemon.record(name)["scope"].clone();
        let all: Vec<String> = serde_json::from_value(scope).unwrap();
        // Every agent may make requests. The decider decides what they give.
        let (asking, own): (Vec<&String>, Vec<&String>) = all.iter().partition(|scope| scope.starts_with("requests."));
        assert_eq!(asking, ["requests.create", "requests.read"], "{name}");
        assert!(!own.is_empty() && own.iter().all(|scope| scope.starts_with("agents.")), "{name}: {all:?}");
    }
    let wide = jwt(&daemon, &key(&daemon.operator(), json!({})), "user_admin");
    let made = wide.post("/api/v1/agents/manage/create", json!({"name": "wide"})).expect(201).json();
    assert!(daemon.record(&text(&made, "name"))["scope"].to_string().contains("messages.*"));
}
