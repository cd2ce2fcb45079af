//! Hostile principals, one of each kind. Each is a closure that sends one request and returns the status.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// Sends the next request and returns the status.
pub type Attack = Box<dyn FnMut() -> u16 + Send>;

/// A kind of hostile principal.
pub struct Kind {
    /// What the principal sends.
    pub name: &'static str,
    /// The shares of the write allowance that the principal has.
    pub shares: u64,
    /// The bytes by which the growth may exceed the allowance, because an upload that has begun is completed.
    pub over: u64,
    /// Makes the principal.
    pub begin: fn(&Daemon) -> Attack,
}

const SMALL: usize = 60_000;
/// The bytes of an upload.
const UPLOAD: usize = 1_000_000;

pub const KINDS: &[Kind] = &[
    Kind { name: "exchange", shares: 8, over: 0, begin: exchange },
    Kind { name: "register", shares: 1, over: 0, begin: register },
    Kind { name: "rotate", shares: 1, over: 0, begin: rotate },
    Kind { name: "sessions", shares: 8, over: 0, begin: sessions },
    Kind { name: "notify", shares: 1, over: 0, begin: notify },
    Kind { name: "knowledge", shares: 1, over: 0, begin: knowledge },
    Kind { name: "deployments", shares: 1, over: 0, begin: deployments },
    Kind { name: "keys", shares: 8, over: 0, begin: keys },
    Kind { name: "denials", shares: 1, over: 0, begin: denials },
    Kind { name: "idempotency", shares: 1, over: 0, begin: idempotency },
    Kind { name: "flood of reads", shares: 1, over: 0, begin: reads },
    Kind { name: "messages", shares: 1, over: 0, begin: messages },
    Kind { name: "tasks", shares: 1, over: 0, begin: tasks },
    Kind { name: "context", shares: 1, over: 0, begin: context },
    Kind { name: "uploads", shares: 1, over: UPLOAD as u64 * 2, begin: uploads },
    Kind { name: "requests", shares: 1, over: 0, begin: requests },
    Kind { name: "joins", shares: 1, over: 0, begin: joins },
    Kind { name: "OAuth", shares: 1, over: 0, begin: oauth },
];

/// Makes an agent with a token of these scopes. The agent has its own owner, because the agents of one owner share an
/// allowance.
fn agent(daemon: &Daemon, name: &str, scopes: &[&str]) -> Client {
    let owner = daemon.member(&format!("of-{name}"), &["*"]);
    daemon.grant(&format!("user:of-{name}"), "*", "creator");
    daemon.agent_by(&owner, name);
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
        // Words that are in no earlier document.
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

/// Sends twenty of the most expensive reads at once, again and again.
fn reads(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "reads", &["knowledge.read", "knowledge.write"]);
    let items: Vec<Value> = (0..200)
        .map(|at| json!({"path": format!("{at}"), "content": format!("some words of {at} ").repeat(200)}))
        .collect();
    client.put("/api/knowledge/sources/reads.all", json!({"items": items}));
    let words = "/api/knowledge/search?q=some+words+of+s*+w*+o*";
    let mut n = 0;
    Box::new(move || {
        n += 1;
        let path = if n % 2 == 0 { words } else { "/api/knowledge/search?q=some+of" };
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..20).map(|_| scope.spawn(|| client.get(path).status)).collect();
            all.into_iter().map(|one| one.join().expect("a reply")).max().unwrap_or(0)
        })
    })
}

fn messages(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "messages", &["messages.*"]);
    let mut n = 0_u64;
    Box::new(move || {
        n += 1;
        let words: String = (0..6000).map(|word| format!("w{:x} ", n.wrapping_mul(1_000_003) + word)).collect();
        client.post("/api/v1/messages", json!({"content": words})).status
    })
}

fn tasks(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "tasks", &["tasks.*"]);
    let mut n = 0;
    Box::new(move || {
        n += 1;
        client.post("/api/v1/tasks", json!({"title": format!("task {n}"), "description": "d".repeat(10_000)})).status
    })
}

fn context(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "context", &["context.*"]);
    let mut n = 0;
    Box::new(move || {
        n += 1;
        client.post("/api/v1/context", json!({"key": format!("k{n}"), "value": "v".repeat(SMALL)})).status
    })
}

fn uploads(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "uploads", &["uploads.*"]).with("Content-Type", "multipart/form-data; boundary=b");
    let mut n = 0;
    Box::new(move || {
        n += 1;
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain";
        let body = format!("--b\r\n{head}\r\n\r\n{n} {}\r\n--b--\r\n", "f".repeat(UPLOAD));
        client.send("POST", "/api/v1/uploads/", Some(body.as_bytes())).status
    })
}

/// Creates and withdraws requests in turn, because an open request blocks the next.
fn requests(daemon: &Daemon) -> Attack {
    let client = agent(daemon, "requests", &["requests.*"]);
    let mut open: Option<String> = None;
    Box::new(move || match open.take() {
        Some(id) => client.post(&format!("/api/requests/{id}/withdraw"), json!({})).status,
        None => {
            let body =
                json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r".repeat(500), "duration_seconds": 60});
            let reply = client.post("/api/requests", body);
            open = reply.json()["id"].as_str().map(str::to_owned);
            reply.status
        }
    })
}

fn joins(daemon: &Daemon) -> Attack {
    let client = daemon.anonymous();
    let mut n = 0;
    Box::new(move || {
        n += 1;
        client.post("/api/joins", json!({"name": format!("bot{n}"), "reason": "r".repeat(500)})).status
    })
}

/// Registers an unknown OAuth client and begins logins, again and again.
fn oauth(daemon: &Daemon) -> Attack {
    let client = daemon.anonymous();
    let form = client.with("Content-Type", "application/x-www-form-urlencoded");
    let mut id = String::from("none");
    let mut n = 0;
    Box::new(move || {
        n += 1;
        if n % 2 == 0 {
            let body = format!("client_id={id}&scope=messages");
            return form.send("POST", "/oauth/device_authorization", Some(body.as_bytes())).status;
        }
        let reply =
            client.post("/oauth/register", json!({"client_name": "p", "redirect_uris": ["http://127.0.0.1/cb"]}));
        if reply.status == 201 {
            id = text(&reply.json(), "client_id");
        }
        reply.status
    })
}
