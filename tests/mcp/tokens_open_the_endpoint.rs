//! The endpoint accepts tokens of users and agents, and short-lived ones made for it (MCP contract, section 2).

use serde_json::{Value, json};

use crate::harness::{Asks, agent};
use crate::support::{Client, Daemon};

/// A key of the operator's for this audience.
fn key(daemon: &Daemon, audience: &str) -> Value {
    daemon.operator().post("/api/v1/keys", json!({"name": audience, "audience": audience})).expect(201).json()
}

fn exchange(daemon: &Daemon, key: &str, more: Value) -> String {
    let reply = daemon.client(key).post("/auth/exchange", more).expect(200).json();
    reply["access_token"].as_str().expect("a token").to_owned()
}

#[track_caller]
fn refused(client: &Client, status: u16, code: &str) {
    let reply = client.ask("ping", json!({}));
    assert_eq!((reply.status, &reply.json()["error"]["data"]["error"]), (status, &json!(code)), "{}", reply.text());
}

#[test]
fn a_short_lived_token_must_be_made_for_the_endpoint() {
    let daemon = Daemon::start();
    let made = key(&daemon, "both");
    let key = made["token"].as_str().unwrap();
    let api = daemon.client(&exchange(&daemon, key, json!({})));
    let mcp = daemon.client(&exchange(&daemon, key, json!({"audience": "ax-mcp"})));
    assert_eq!(mcp.result("ping", json!({})), json!({}));
    refused(&api, 401, "invalid_token");
    // The routes accept the other token, and refuse the one for the endpoint.
    api.get("/auth/me").expect(200);
    let reply = mcp.get("/auth/me");
    assert_eq!((reply.status, &reply.json()["detail"]["error"]), (403, &json!("audience_not_allowed")));
    // A token for which no scope words were asked also has those of the tools that only MCP clients need.
    let tools = mcp.tools();
    for name in ["knowledge_search", "ui_notify", "messages_send", "tasks_next"] {
        assert!(tools.iter().any(|tool| tool == name), "{name} is missing in {tools:?}");
    }
    let narrow = exchange(&daemon, key, json!({"audience": "ax-mcp", "scope": "messages:read"}));
    let narrow = daemon.client(&narrow);
    assert!(!narrow.tools().iter().any(|tool| tool == "messages_send"));
    assert_eq!(narrow.refused("messages_send", json!({"content": "x"}))["error"], "scope_denied");
    daemon.operator().delete(&format!("/api/v1/keys/{}", made["credential_id"].as_str().unwrap())).expect(204);
    refused(&mcp, 401, "invalid_token");
}

#[test]
fn a_key_is_told_to_be_exchanged_and_what_is_dead_is_unknown() {
    let daemon = Daemon::start();
    let made = key(&daemon, "mcp");
    refused(&daemon.client(made["token"].as_str().unwrap()), 403, "pat_not_allowed");
    for nonsense in ["x", "taos_agent_x", "axk", "eyJhbGciOiJub25lIn0.e30.", "taos_key_abc"] {
        refused(&daemon.client(nonsense), 401, "invalid_token");
    }
    let robot = agent(&daemon, "robot");
    assert_eq!(robot.result("ping", json!({})), json!({}));
    daemon.operator().delete("/api/agents/robot/token").expect(204);
    refused(&robot, 401, "invalid_token");
    let agents_own = daemon.agent_token("robot", &["messages.*"]);
    let exchanged = exchange(&daemon, agents_own.token(), json!({"audience": "ax-mcp"}));
    let exchanged = daemon.client(&exchanged);
    assert_eq!(exchanged.done("auth_whoami", json!({}))["agent_name"], "robot");
    daemon.operator().delete("/api/agents/robot").expect(200);
    refused(&exchanged, 401, "invalid_token");
}
