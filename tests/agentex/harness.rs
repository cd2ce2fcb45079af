//! The callers of these tests, and their requests.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Reply, text};

/// A member that may use every action and create agents.
pub fn creator(daemon: &Daemon, name: &str) -> Client {
    let member = daemon.member(name, &["*"]);
    daemon.grant(&format!("user:{name}"), "*", "creator");
    member
}

/// A client that sends only this agent's key.
pub fn with_key(daemon: &Daemon, key: &str) -> Client {
    daemon.anonymous().with("x-agent-api-key", key)
}

/// Builds an agent under this name.
#[track_caller]
pub fn build(client: &Client, name: &str) -> Reply {
    client.post("/agents/register-build", json!({"name": name, "description": "built"}))
}

/// The body that registers an agent under this name.
pub fn registration(name: &str) -> Value {
    json!({"name": name, "description": "runs", "acp_url": "http://localhost:1", "acp_type": "async"})
}

/// Registers an agent.
#[track_caller]
pub fn register(client: &Client, name: &str) -> Value {
    client.post("/agents/register", registration(name)).expect(200).json()
}

/// Builds an agent and returns its id.
#[track_caller]
pub fn built(client: &Client, name: &str) -> String {
    text(&build(client, name).expect(200).json(), "id")
}

/// Makes a key of an agent, of the kind `external` or `internal`.
#[track_caller]
pub fn key(client: &Client, agent: &str, name: &str, kind: &str) -> Value {
    let body = json!({"agent_name": agent, "name": name, "api_key_type": kind});
    client.post("/agent_api_keys", body).expect(200).json()
}

/// Gives a user a role on an agent.
pub fn share(daemon: &Daemon, username: &str, agent_id: &str, role: &str) {
    daemon.grant(&format!("user:{username}"), agent_id, role);
}
