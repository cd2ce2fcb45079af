//! The actors of a test: members with their own tokens, and agents with theirs.

use serde_json::{Value, json};

use super::{Client, Daemon};

impl Daemon {
    /// Makes a member and gives it a token with these scopes.
    #[track_caller]
    pub fn member(&self, username: &str, scopes: &[&str]) -> Client {
        self.operator().post("/api/users", json!({"username": username})).expect(201);
        self.user_token(username, scopes)
    }

    /// Makes an admin with a token for everything.
    #[track_caller]
    pub fn admin(&self, username: &str) -> Client {
        self.operator().post("/api/users", json!({"username": username, "role": "admin"})).expect(201);
        self.user_token(username, &["*"])
    }

    /// Issues another token of a user.
    #[track_caller]
    pub fn user_token(&self, username: &str, scopes: &[&str]) -> Client {
        let path = format!("/api/users/{username}/tokens");
        let issued = self.operator().post(&path, json!({"scope": scopes})).expect(201).json();
        self.client(issued["token"].as_str().expect("a token"))
    }

    /// Makes an agent that the operator owns. Returns its id.
    #[track_caller]
    pub fn agent(&self, name: &str) -> String {
        self.agent_by(&self.operator(), name)
    }

    /// Makes an agent as this caller. Returns its id.
    #[track_caller]
    pub fn agent_by(&self, caller: &Client, name: &str) -> String {
        text(&caller.post("/api/agents", json!({"name": name})).expect(200).json(), "id")
    }

    /// Adds these scopes to an agent's scope, and issues its token with them. Returns a client with that token.
    #[track_caller]
    pub fn agent_token(&self, name: &str, scopes: &[&str]) -> Client {
        let mut scope = self.record(name)["scope"].as_array().expect("a scope").clone();
        let missing: Vec<Value> = scopes.iter().map(|word| json!(word)).filter(|word| !scope.contains(word)).collect();
        if !missing.is_empty() {
            scope.extend(missing);
            let set = self.operator().put(&format!("/api/agents/{name}/permissions"), json!({"scope": scope}));
            assert_eq!(set.status, 200, "{}", set.text());
        }
        let path = format!("/api/agents/{name}/token/issue");
        let issued = self.operator().post(&path, json!({"scope": scopes})).expect(200).json();
        self.client(issued["token"].as_str().expect("a token"))
    }

    /// Gives `principal` a role on an agent by its id, or on `*`.
    #[track_caller]
    pub fn grant(&self, principal: &str, agent_id: &str, role: &str) -> Value {
        let grant = json!({"principal": principal, "resource": format!("agent:{agent_id}"), "role": role});
        let reply = self.operator().post("/api/grants", grant);
        assert!([200, 201].contains(&reply.status), "{}", reply.text());
        reply.json()
    }

    /// The record of a live agent, as the operator sees it.
    #[track_caller]
    pub fn record(&self, name: &str) -> Value {
        self.operator().get(&format!("/api/agents/{name}")).expect(200).json()
    }
}

/// Returns a field of an object. The field must be a text.
#[track_caller]
pub fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {object}")).to_owned()
}
