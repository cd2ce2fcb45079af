//! The fixture that the workspace tests share: people with spaces, and agents that live in them.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// A user or an agent, with a client and a space to work in.
#[derive(Debug, Clone)]
pub struct Actor {
    pub client: Client,
    pub id: String,
    pub name: String,
    pub space: String,
}

fn actor(client: Client) -> Actor {
    let me = client.get("/auth/me").expect(200).json();
    Actor { id: text(&me, "id"), name: text(&me, "username"), space: text(&me, "space_id"), client }
}

/// A member of the box with a token for everything, who may create agents.
pub fn member(daemon: &Daemon, name: &str) -> Actor {
    let client = daemon.member(name, &["*"]);
    daemon.grant(&format!("user:{name}"), "*", "creator");
    actor(client)
}

/// The operator.
pub fn operator(daemon: &Daemon) -> Actor {
    actor(daemon.operator())
}

/// An agent in its owner's default space, with an agent's default scope.
pub fn agent(daemon: &Daemon, owner: &Actor, name: &str) -> Actor {
    owner.client.post("/api/v1/agents", json!({"name": name})).expect(201);
    let path = format!("/api/agents/{}/token/issue", name.to_lowercase());
    let issued = owner.client.post(&path, json!({})).expect(200).json();
    actor(daemon.client(&text(&issued, "token")))
}

impl Actor {
    /// Sends a message and returns the reply.
    #[track_caller]
    pub fn send(&self, body: Value) -> Value {
        self.client.post("/api/v1/messages", body).expect(200).json()
    }

    /// Sends a text to a space and returns the message.
    #[track_caller]
    pub fn say(&self, space: &str, content: &str) -> Value {
        self.send(json!({"content": content, "space_id": space}))["message"].clone()
    }

    /// Lists messages with this query.
    #[track_caller]
    pub fn list(&self, query: &str) -> Value {
        self.client.get(&format!("/api/v1/messages?{query}")).expect(200).json()
    }

    /// The states of a message's receipts, by name.
    #[track_caller]
    pub fn receipts(&self, message: &Value) -> Vec<(String, String)> {
        let path = format!("/api/v1/messages/{}/receipts", text(message, "id"));
        let reply = self.client.get(&path).expect(200).json();
        let of = |receipt: &Value| (text(receipt, "name"), text(receipt, "state"));
        reply["receipts"].as_array().unwrap().iter().map(of).collect()
    }
}

/// Adds a member to the owner's space.
#[track_caller]
pub fn let_in(owner: &Actor, who: Value) {
    let reply = owner.client.post(&format!("/api/v1/spaces/{}/members", owner.space), who);
    assert!([200, 201].contains(&reply.status), "{}", reply.text());
}

/// The texts of a list.
pub fn contents(list: &Value) -> Vec<String> {
    let rows = list.get("messages").or(list.get("results")).and_then(Value::as_array).expect("messages");
    rows.iter().map(|row| text(row, "content")).collect()
}
