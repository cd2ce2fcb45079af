//! Hostile principals, one of each kind: each is a closure that sends one request and tells its status.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// One that sends its next request and tells the status.
pub type Attack = Box<dyn FnMut() -> u16 + Send>;

/// A kind of hostility.
pub struct Kind {
    /// What it does.
    pub name: &'static str,
    /// Shares of the write allowance that its principal has.
    pub shares: u64,
    /// Makes its principal.
    pub begin: fn(&Daemon) -> Attack,
}

const SMALL: usize = 60_000;

pub const KINDS: &[Kind] = &[
    Kind { name: "exchange", shares: 8, begin: exchange },
    Kind { name: "register", shares: 1, begin: register },
    Kind { name: "rotate", shares: 1, begin: rotate },
    Kind { name: "sessions", shares: 8, begin: sessions },
    Kind { name: "notify", shares: 1, begin: notify },
    Kind { name: "knowledge", shares: 1, begin: knowledge },
    Kind { name: "deployments", shares: 1, begin: deployments },
    Kind { name: "keys", shares: 8, begin: keys },
    Kind { name: "denials", shares: 1, begin: denials },
    Kind { name: "idempotency", shares: 1, begin: idempotency },
];

/// An agent of the operator's with a token of these scopes.
fn agent(daemon: &Daemon, name: &str, scopes: &[&str]) -> Client {
    daemon.agent(name);
    daemon.agent_token(name, scopes)
}

fn exchange(daemon: &Daemon) -> Attack {
    let key = daemon.member("exchange", &["*"]).post("/api/v1/keys", json!({"name": "hostile"})).expect(201).json();
    let client = daemon.client(&text(&key, "token"));
    Box::new(move || client.post("/auth/exchange", json!({})).status)
}

fn registration(name: &str, n: usize, metadata: Value) -> Value {
    json!({
        "name": name, "description": format!("{n} {}", "d".repeat(1000)), "acp_url": "http://127.0.0.1:1/",
        "acp_type": "sync", "registration_metadata": metadata,
    })
}

fn register(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "register", &["agents.register"]);
    let mut n = 0;
    Box::new(move || {
        n += 1;
        client
            .post(
                "/agents/register",
                registration("register", n, json!({"agent_commit": n.to_string(), "branch_name": "b"})),
            )
            .status
    })
}

fn rotate(daemon: &Daemon) -> Attack {
    let mut client = agent(daemon, "rotate", &["agents.token.issue"]);
    let to = daemon.anonymous();
    Box::new(move || {
        let reply = client.post("/api/agents/rotate/token/issue", json!({"scope": ["agents.token.issue"]}));
        if reply.status == 200 {
            client = to.with("Authorization", &format!("Bearer {}", text(&reply.json(), "token")));
        }
        reply.status
    })
}

fn sessions(daemon: &Daemon) -> Attack {
    let token = daemon.member("sessions", &[]).token().to_owned();
    let client = daemon.anonymous();
    Box::new(move || client.post("/api/sessions", json!({"token": token})).status)
}

fn notify(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "notify", &["ui.notify"]);
    let body = json!({"title": "t", "body": "b".repeat(SMALL), "priority": "high"});
    Box::new(move || client.post("/api/ui/notify", body.clone()).status)
}

fn knowledge(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "knowledge", &["knowledge.write"]);
    let mut n = 0_u64;
    Box::new(move || {
        n += 1;
        // Words that no document had before.
        let words: String = (0..4000).map(|word| format!("w{:x} ", n.wrapping_mul(1_000_003) + word)).collect();
        let items: Vec<Value> = (0..8).map(|at| json!({"path": format!("{at}"), "content": words})).collect();
        client.put(&format!("/api/knowledge/sources/hostile.{}", n % 20), json!({"items": items})).status
    })
}

fn deployments(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "deployments", &["agents.register"]);
    let mut n = 0;
    Box::new(move || {
        n += 1;
        let metadata = json!({"deployment_id": format!("d-{n}"), "large": "m".repeat(SMALL)});
        client.post("/agents/register", registration("deployments", n, metadata)).status
    })
}

fn keys(daemon: &Daemon) -> Attack {
    let client = daemon.member("keys", &["*"]);
    let mut made: Option<String> = None;
    Box::new(move || match made.take() {
        Some(id) => client.delete(&format!("/api/users/keys/tokens/{id}")).status,
        None => {
            let reply = client.post("/api/users/keys/tokens", json!({"label": "l".repeat(64)}));
            made = (reply.status == 201).then(|| text(&reply.json(), "id"));
            reply.status
        }
    })
}

fn denials(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "denials", &["agents.read"]);
    let paths = ["agents", "users", "grants", "audit", "backups", "operations", "notifications", "sessions"];
    let mut n = 0;
    Box::new(move || {
        n += 1;
        client.get(&format!("/api/{}?x={n}{}", paths[n % paths.len()], "y".repeat(200))).status
    })
}

fn idempotency(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "idempotency", &["ui.notify"]);
    let mut n = 0;
    Box::new(move || {
        n += 1;
        let key = format!("{n:0>255}");
        let body = json!({"title": "t", "body": "b", "priority": "low"});
        client.with("Idempotency-Key", &key).post("/api/ui/notify", body).status
    })
}
