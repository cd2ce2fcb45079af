//! Helpers that the tests of notifications share: agents with tokens, and their notifications.

use serde_json::{Value, json};

use crate::support::{Client, Daemon};

/// An agent of the operator's, with a token of the default scopes.
pub fn agent(daemon: &Daemon, name: &str) -> Client {
    daemon.agent(name);
    agent_token(daemon, name, json!({}))
}

/// A new token of an existing agent.
pub fn agent_token(daemon: &Daemon, name: &str, body: Value) -> Client {
    let issued = daemon.operator().post(&format!("/api/agents/{name}/token/issue"), body).expect(200).json();
    daemon.client(issued["token"].as_str().unwrap())
}

/// Sends a notification and returns its id.
pub fn notify(client: &Client, title: &str) -> String {
    let sent = client.post("/api/ui/notify", json!({"title": title, "body": "text"})).expect(200).json();
    assert_eq!(sent["delivered"], true);
    sent["notification_id"].as_str().unwrap().to_owned()
}

/// The field `field` of every record of a list.
pub fn all(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}
