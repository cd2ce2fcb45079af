//! A daemon with a table of models, and requests for the rows of the route table, about existing things.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::error::Dialect;
use taosd::rest::route::{Answer, BodyKind};

use crate::refusing_runtime;
use crate::support::{Client, Daemon, Reply, Rows, TempDir, text};

/// The settings of these tests: the models and where they are, an image and a node.
pub const MODELS: &str = "[models]\n\"Qwen2.5:7b\" = [\"controller\", \"w1\"]\ngpt = [\"cloud\"]\nfar = [\"w2\"]\n[containers]\nimage = \"i\"\n[nodes.shed]\nurl = \"https://127.0.0.1:9\"\n\
    certificate = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n";

/// A daemon, and a source of unused names.
pub struct Harness {
    pub daemon: Daemon,
    next: AtomicU32,
    _config: TempDir,
}

/// A request that succeeds when the operator sends it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Option<Value>,
}

impl Request {
    /// Sends the request as this caller.
    #[track_caller]
    pub fn by(&self, client: &Client) -> Reply {
        client.call(&self.method, &self.path, self.body.as_ref())
    }

    /// The same request with one field of the body set.
    pub fn with(&self, field: &str, value: impl Into<Value>) -> Self {
        let mut other = self.clone();
        other.body.get_or_insert_with(|| json!({}))[field] = value.into();
        other
    }

    /// The same request on another path.
    pub fn at(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }
}

/// Returns every row of the daemon's own dialect, except those that other targets test: the target `ax` tests web
/// sessions and the JWK set.
pub fn all_routes() -> impl Iterator<Item = &'static ApiRoute> {
    // Joins are for callers without a credential. The target `requests` tests them.
    let elsewhere = |id: &str| id.starts_with("sessions_") || id.starts_with("joins_") || id == "jwks";
    let own = move |route: &&ApiRoute| route.dialect == Dialect::Taos && !elsewhere(route.id);
    routes().iter().flat_map(|table| table.iter()).filter(own)
}

/// Routes that succeed only with a working container runtime, or whose work continues after the reply.
pub const NEED_RUNTIME: &[&str] = &[
    "agents_start",
    "agents_stop",
    "agents_restart",
    "agents_logs",
    "agents_deploy",
    "agents_wake",
    "tripwires_plant",
    "nodes_check",
];

/// Routes for agents only. The target `requests` tests them.
pub const AGENTS_ONLY: &[&str] = &["requests_create", "requests_withdraw", "ui_ask", "ui_answer"];

/// Returns the rows that succeed for a user on a box without containers, and whose replies end.
pub fn plain_routes() -> impl Iterator<Item = &'static ApiRoute> {
    let left_out = |route: &ApiRoute| NEED_RUNTIME.contains(&route.id) || AGENTS_ONLY.contains(&route.id);
    all_routes().filter(move |route| !left_out(route) && !is_stream(route))
}

/// Returns true for a route whose reply is an event stream.
pub fn is_stream(route: &ApiRoute) -> bool {
    matches!(route.answer.1, Answer::Other(media) if media.contains(&"text/event-stream"))
}

/// Returns the row with this id.
#[track_caller]
pub fn route(id: &str) -> &'static ApiRoute {
    all_routes().find(|route| route.id == id).unwrap_or_else(|| panic!("no route {id}"))
}

/// Returns true if the route takes a body with fields.
pub fn takes_fields(route: &ApiRoute) -> bool {
    matches!(route.body, BodyKind::Json(fields) if !fields.is_empty())
}

/// Returns the path of a route with `word` for every parameter.
pub fn path_with(route: &ApiRoute, word: &str) -> String {
    route
        .parameters()
        .iter()
        .fold(route.path.replace("...}", "}"), |path, name| path.replace(&format!("{{{name}}}"), word))
}

impl Harness {
    /// Starts a daemon.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// Starts a daemon with this environment and a container runtime that refuses everything.
    pub fn with(env: &[(&str, &str)]) -> Self {
        let config = TempDir::new();
        let socket = config.path().join("runtime");
        refusing_runtime::serve(&socket, true);
        Self::start(config, &["--containers", "lxd", "--containers-socket", socket.to_str().expect("a path")], env)
    }

    /// Starts a daemon whose container runtime cannot even list its containers.
    pub fn with_broken_runtime() -> Self {
        let config = TempDir::new();
        let socket = config.path().join("runtime");
        refusing_runtime::serve(&socket, false);
        Self::start(config, &["--containers", "lxd", "--containers-socket", socket.to_str().expect("a path")], &[])
    }

    /// Starts a daemon without a container runtime.
    pub fn without_runtime() -> Self {
        Self::start(TempDir::new(), &["--containers", "none"], &[])
    }

    /// Starts a daemon whose container runtime is not running.
    pub fn with_dead_runtime() -> Self {
        let config = TempDir::new();
        let socket = config.path().join("nobody");
        Self::start(config, &["--containers", "lxd", "--containers-socket", socket.to_str().expect("a path")], &[])
    }

    fn start(config: TempDir, args: &[&str], env: &[(&str, &str)]) -> Self {
        let file = config.path().join("taosd.toml");
        std::fs::write(&file, MODELS).expect("a configuration file");
        let args = [args, &["--config", file.to_str().expect("a path")]].concat();
        Self { daemon: Daemon::with(&args, env), next: AtomicU32::new(1), _config: config }
    }

    /// Gives the agent of a request a container, but only in its record.
    pub fn give_container(&self, request: &Request) {
        let named = request.path.split('/').find(|part| part.len() > 1 && self.is_agent(part)).expect("an agent");
        self.daemon.execute(
            "UPDATE agents SET container_name = 'taos-agent-' || id, container_runtime = 'lxd', status = 'running'
            WHERE slug = ?1 OR id = ?1",
            [named],
        );
    }

    /// Inserts an operation on the agent with this id into the database. Returns the operation's id.
    pub fn operation(&self, kind: &str, status: &str, agent_id: Option<&str>) -> String {
        let id = self.name();
        self.daemon.execute(
            "INSERT INTO operations (id, kind, status, agent_id, agent_name, actor, request_id, created_at, finished_at)
            VALUES (?1, ?2, ?3, ?4, (SELECT slug FROM agents WHERE id = ?4), 'system', '-', 1,
                iif(?3 IN ('queued', 'running'), NULL, 2))",
            (&id, kind, status, agent_id),
        );
        id
    }

    /// Returns the id of the live or archived agent that a request is about.
    pub fn agent_of(&self, request: &Request) -> String {
        let named = request.path.split('/').find(|part| part.len() > 1 && self.is_agent(part)).expect("an agent");
        self.daemon.text("SELECT id FROM agents WHERE slug = ?1 OR id = ?1", [named])
    }

    fn is_agent(&self, name: &str) -> bool {
        self.daemon.number("SELECT count(*) FROM agents WHERE slug = ?1 OR id = ?1", [name]) > 0
    }

    /// Returns the operator's client.
    pub fn operator(&self) -> Client {
        self.daemon.operator()
    }

    /// Returns an unused name, which is a valid slug.
    pub fn name(&self) -> String {
        format!("n{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an agent that the operator owns. Returns its name.
    pub fn agent(&self) -> String {
        let name = self.name();
        self.daemon.agent(&name);
        name
    }

    /// Makes an archived agent. Returns its id.
    pub fn archived(&self) -> String {
        let name = self.agent();
        text(&self.operator().delete(&format!("/api/agents/{name}")).expect(200).json(), "id")
    }

    /// Makes a member. Returns its name.
    pub fn user(&self) -> String {
        let name = self.name();
        self.operator().post("/api/users", json!({"username": name})).expect(201);
        name
    }

    /// Makes a member that may use every action.
    pub fn member(&self) -> Client {
        self.daemon.member(&self.name(), &["*"])
    }

    /// Makes a member that may use every action and has this role on an agent.
    pub fn member_on(&self, agent: &str, role: &str) -> Client {
        let name = self.name();
        let member = self.daemon.member(&name, &["*"]);
        let id = text(&self.daemon.record(agent), "id");
        self.daemon.grant(&format!("user:{name}"), &id, role);
        member
    }

    /// Issues a token of a user. Returns its id.
    pub fn user_token_of(&self, username: &str) -> String {
        text(&self.operator().post(&format!("/api/users/{username}/tokens"), json!({})).expect(201).json(), "id")
    }

    /// Makes an agent and its request for a scope. Returns the agent's client and the request's id.
    pub fn asked(&self) -> (Client, String) {
        let agent = self.asker();
        let body = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r", "duration_seconds": 3600});
        let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
        (agent, id)
    }

    /// Makes an agent that may create requests.
    pub fn asker(&self) -> Client {
        self.daemon.agent_token(&self.agent(), &["requests.*", "events.read", "messages.*"])
    }

    /// Returns a request for this route that succeeds.
    pub fn request(&self, route: &ApiRoute) -> Request {
        let body = takes_fields(route).then(|| self.body(route));
        Request { method: route.method.to_string(), path: self.path(route), body }
    }

    /// Waits for the end of the operation that a reply promises, if any.
    #[track_caller]
    pub fn await_end(&self, reply: &Reply) {
        if reply.status == 202 {
            let place = reply.header("location").expect("the operation's place");
            let ended = self.operator().get(&format!("{place}?wait=30")).expect(200).json();
            assert_eq!(ended["status"], "succeeded", "{ended}");
        }
    }

    /// Like [`Harness::request`], by the route's id.
    #[track_caller]
    pub fn request_for(&self, id: &str) -> Request {
        self.request(route(id))
    }

    fn body(&self, route: &ApiRoute) -> Value {
        let mut body: Value = serde_json::from_str(route.example).unwrap_or_else(|e| panic!("{}: {e}", route.id));
        match route.id {
            "users_create" => body["username"] = json!(self.name()),
            "agents_deploy" => body["name"] = json!(self.name()),
            "agents_import" => body["agent"]["name"] = json!(self.name()),
            "grants_create" => body["principal"] = json!(format!("user:{}", self.user())),
            "requests_decide" => body["ids"] = json!([self.asked().1]),
            _ => {}
        }
        body
    }

    /// Inserts an OAuth grant of the operator. Returns its id.
    fn oauth_grant(&self) -> String {
        let id = self.name();
        let user = "(SELECT id FROM users WHERE username = 'operator')";
        let credential = format!(
            "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, state, issued_by, issued_at, expires_at)
            VALUES (?1, 'oauth_grant', substr(hex(randomblob(5)), 1, 10), randomblob(32), {user}, '[]', 'active', 'x', 1, ?2)"
        );
        self.daemon.execute(&credential, (&id, i64::MAX));
        let grant = format!(
            "INSERT INTO oauth_grants (credential_id, handle_hash, refreshed_at, user_id, client_hash, client_name,
                redirect_host, audience, words, created_at, ends_at)
            VALUES (?1, randomblob(32), 1, {user}, randomblob(32), 'x', 'localhost', 'ax-api', 'messages', 1, ?2)"
        );
        self.daemon.execute(&grant, (&id, i64::MAX));
        id
    }

    fn path(&self, route: &ApiRoute) -> String {
        let path = route.path.replace("{path...}", "agents/README");
        if path.contains("/archived/{id}") {
            return path.replace("{id}", &self.archived());
        }
        if path.contains("/oauth/clients/{id}") {
            let made = self.operator().post("/api/oauth/clients", json!({"name": self.name()})).expect(201).json();
            return path.replace("{id}", &text(&made, "id"));
        }
        if path.contains("/oauth/grants/{id}") {
            return path.replace("{id}", &self.oauth_grant());
        }
        if path.contains("/channels/{id}") {
            let (user, id) = (self.user(), self.name());
            self.daemon.execute(
                "INSERT INTO channels (id, user_id, kind, min_level, created_at, updated_at, url)
                SELECT ?1, u.id, 'ntfy', 'normal', 1, 1, 'https://localhost/t' FROM users u WHERE u.username = ?2",
                (&id, &user),
            );
            return path.replace("{username}", &user).replace("{id}", &id);
        }
        if path.contains("/backups/{file}") {
            let made = self.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
            return path.replace("{file}", &text(&made, "file"));
        }
        if path.contains("{username}") {
            let user = self.user();
            let path = path.replace("{username}", &user);
            return if path.contains("{id}") { path.replace("{id}", &self.user_token_of(&user)) } else { path };
        }
        if path.contains("/tripwires/{id}") {
            let agent = self.agent();
            let id = format!("wire-{agent}");
            self.daemon.execute(
                "INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, created_by, created_at)
                SELECT ?1, a.id, 'agent_pat', randomblob(32), '/root/x', 0, 'x', 1 FROM agents a WHERE a.slug = ?2",
                (&id, &agent),
            );
            return path.replace("{name}", &agent).replace("{id}", &id);
        }
        if path.contains("{node}") {
            return path.replace("{node}", "shed");
        }
        if path.contains("{name}") {
            let agent = self.agent();
            match route.id {
                "agents_token_revoke" => drop(self.daemon.agent_token(&agent, &[])),
                "agents_resume" => drop(self.daemon.execute("UPDATE agents SET paused = 1 WHERE slug = ?1", [&agent])),
                "agents_deploy_status" => {
                    let id = text(&self.daemon.record(&agent), "id");
                    self.operation("deploy", "succeeded", Some(&id));
                }
                _ => {}
            }
            return path.replace("{name}", &agent);
        }
        if path.contains("/operations/{id}") {
            return path.replace("{id}", &self.operation("start", "queued", None));
        }
        if path.contains("/requests/{id}") || path.contains("/ask/{id}") {
            let id = self.asked().1;
            if route.id == "requests_revoke" {
                self.operator().post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
            }
            return path.replace("{id}", &id);
        }
        if path.contains("/grants/{id}") {
            let grant = self.daemon.grant(&format!("user:{}", self.user()), "*", "creator");
            return path.replace("{id}", &text(&grant, "id"));
        }
        if path.contains("/notifications/{id}") {
            let sent = self.operator().post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect(200).json();
            return path.replace("{id}", &text(&sent, "notification_id"));
        }
        if path.contains("/knowledge/items/{id}") {
            let first = self.operator().get("/api/knowledge/items?limit=1").expect(200).json()[0].clone();
            return path.replace("{id}", &text(&first, "id"));
        }
        if path.contains("{source_id}") {
            let source = format!("app:{}", self.name());
            let items = json!({"items": [{"path": "a", "content": "text"}]});
            self.operator().put(&format!("/api/knowledge/sources/{source}"), items).expect(200);
            return path.replace("{source_id}", &source);
        }
        if route.id == "knowledge_search" {
            return format!("{path}?q=token");
        }
        assert!(!path.contains('{'), "{path}: say in the tests what stands for its parameter");
        path
    }
}

/// Returns the keys of rows that were added, removed or changed.
pub fn changed(before: &Rows, after: &Rows) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
