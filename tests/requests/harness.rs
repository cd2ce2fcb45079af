//! The fixture that the tests of requests share: ann, who is no admin, and her agent atlas.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// A box with ann and her agent.
pub struct Harness {
    pub daemon: Daemon,
    pub ann: Client,
    /// Atlas, with a token of an agent's default scope.
    pub atlas: Client,
    pub atlas_id: String,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(env: &[(&str, &str)]) -> Self {
        let daemon = Daemon::with(&[], env);
        let ann = daemon.member("ann", &["*"]);
        daemon.grant("user:ann", "*", "creator");
        let atlas_id = daemon.agent_by(&ann, "atlas");
        let atlas = token(&daemon, &ann, "atlas");
        Self { daemon, ann, atlas, atlas_id }
    }

    /// Atlas makes a request. Returns it.
    #[track_caller]
    pub fn ask(&self, body: Value) -> Value {
        self.atlas.post("/api/requests", body).expect(201).json()
    }

    /// Atlas asks for scopes for an hour. Returns the request's id.
    #[track_caller]
    pub fn ask_scope(&self, scope: &[&str]) -> String {
        text(&self.ask(json!({"kind": "scope", "scope": scope, "reason": "r", "duration_seconds": 3600})), "id")
    }

    /// Ann approves. Returns the request.
    #[track_caller]
    pub fn approve(&self, id: &str, body: Value) -> Value {
        self.ann.post(&format!("/api/requests/{id}/approve"), body).expect(200).json()
    }

    /// The state of a request, as the operator sees it.
    #[track_caller]
    pub fn state(&self, id: &str) -> String {
        text(&self.daemon.operator().get(&format!("/api/requests/{id}")).expect(200).json(), "state")
    }

    /// Waits until a request has this state.
    #[track_caller]
    pub fn await_state(&self, id: &str, state: &str) {
        for _ in 0..100 {
            if self.state(id) == state {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{id} is {} and not {state}", self.state(id));
    }
}

impl Harness {
    /// Waits until the end of a request is in the audit. Returns the audited actions on the request, newest first.
    #[track_caller]
    pub fn await_recorded_end(&self, id: &str) -> Vec<String> {
        for _ in 0..100 {
            let rows = self.daemon.operator().get(&format!("/api/audit?resource=request:{id}")).expect(200).json();
            let actions: Vec<String> = rows.as_array().expect("rows").iter().map(|row| text(row, "action")).collect();
            if actions[0] == "requests.end" {
                return actions;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the end of {id} is not recorded");
    }
}

/// An agent's own token, issued by its owner.
#[track_caller]
pub fn token(daemon: &Daemon, owner: &Client, name: &str) -> Client {
    let issued = owner.post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    daemon.client(&text(&issued, "token"))
}

/// The path for `agents.token.read` on atlas itself, which an agent's default scope does not cover.
pub const TRIED: &str = "/api/agents/atlas/token";
pub const TRIED_SCOPE: &str = "agents.token.read";
