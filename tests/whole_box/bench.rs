//! The box beside the model, and how the test calls it: by a route of any dialect, or by a tool.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::BodyKind;

use crate::false_clock::FalseClock;
use crate::requests::given::seconds_of;
use crate::support::{Client, Daemon, Reply, text};
use crate::whole_box::state::{AGENT_DEFAULT, Agent, Credential, Kind, Person, Space, State, Who};

/// The people. Each has a personal space and one more that they create.
const PEOPLE: [&str; 4] = ["ann", "bob", "cyd", "dan"];
/// The number of agents of each person.
const AGENTS_EACH: usize = 2;
/// The age after which a short-lived token is replaced by a new one.
const FRESH: Duration = Duration::from_secs(200);

/// A call: a row of the route table, the values in its path, and its query or body.
#[derive(Debug, Clone)]
pub struct Ask {
    pub route: &'static str,
    pub path: Vec<String>,
    pub fields: Value,
}

pub fn ask(route: &'static str, path: &[&str], fields: Value) -> Ask {
    Ask { route, path: path.iter().map(|&part| part.to_owned()).collect(), fields }
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Outcome {
    /// The HTTP status, which is 200 if a tool refuses.
    pub status: u16,
    pub is_done: bool,
    pub body: Vec<u8>,
}

impl Outcome {
    pub fn json(&self) -> Value {
        let told: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if told.get("jsonrpc").is_some() { told["result"]["structuredContent"].clone() } else { told }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub struct Bench {
    pub state: State,
    pub daemon: Daemon,
    pub operator: Client,
    pub clock: Option<FalseClock>,
    /// The seconds by which the daemon's clock is ahead of the machine's, now and at the last clean stop.
    pub offset: i64,
    pub left: i64,
    rows: HashMap<&'static str, &'static ApiRoute>,
    began: Instant,
    /// The short-lived tokens, by the credential's index and whether they are for tools.
    tokens: HashMap<(usize, bool), (String, Instant)>,
    /// The cookies of people's web sessions.
    cookies: HashMap<usize, String>,
}

impl Bench {
    pub fn new(clock: Option<FalseClock>) -> Self {
        let env = [
            ("TAOSD_REQUESTS_PER_MINUTE", "0"),
            ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"),
            ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
            ("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "100000000"),
            ("TAOSD_WORKSPACE_AGENT_BYTES_PER_DAY", "100000000000"),
            ("TAOSD_SWEEP_INTERVAL", "1"),
            ("TAOSD_BACKUP_INTERVAL", "0"),
            ("TAOSD_LOG", "warn"),
        ];
        let daemon = match &clock {
            Some(clock) => {
                let mut daemon = clock.daemon(&env);
                daemon.spawn();
                daemon
            }
            None => Daemon::with(&[], &env),
        };
        let rows = routes().iter().flat_map(|table| table.iter()).map(|route| (route.id, route)).collect();
        let (state, operator, began) = (State::default(), daemon.operator(), Instant::now());
        let (offset, left, tokens, cookies) = (0, 0, HashMap::new(), HashMap::new());
        let mut bench = Self { state, daemon, operator, clock, offset, left, rows, began, tokens, cookies };
        (0..PEOPLE.len()).for_each(|user| bench.add_person(user));
        bench
    }

    fn add_person(&mut self, user: usize) {
        let name = PEOPLE[user];
        let client = self.daemon.member(name, &["*"]);
        self.daemon.grant(&format!("user:{name}"), "*", "creator");
        let me = client.get("/auth/me").expect(200).json();
        self.state.people.push(Person { id: text(&me, "id"), name });
        let mut token = self.credential(Who::User(user), Kind::UserToken, &json!({"token": client.token()}), &["*"]);
        token.id = text(&client.get("/api/auth/whoami").expect(200).json(), "credential_id");
        self.state.credentials.push(token);
        let home = self.state.spaces.len();
        self.state.spaces.push(Space { id: text(&me, "space_id"), owner: user });
        let marker = format!("zzspace{}end", home + 1);
        let body = json!({"name": marker, "description": marker});
        let made = client.post("/api/spaces/create", body).expect(201).json();
        self.state.spaces.push(Space { id: text(&made["space"], "id"), owner: user });
        for _ in 0..AGENTS_EACH {
            let place = self.state.agents.len();
            let agent = self.new_agent(&client, place, user, home, 0);
            self.state.agents.push(agent);
        }
    }

    /// Creates an agent in this place, with its marker.
    pub fn new_agent(&self, by: &Client, place: usize, owner: usize, home: usize, generation: usize) -> Agent {
        let name = format!("robot{place}");
        let made = by.post("/api/v1/agents", json!({"name": name})).expect(201).json();
        let marker = format!("zzagent{place}g{generation}end");
        by.patch(&format!("/api/agents/{name}/persona"), json!({"soul_md": marker})).expect(200);
        let (id, scope) = (text(&made, "id"), AGENT_DEFAULT.to_vec());
        Agent { id, name, generation, owner, home, is_frozen: false, scope, extra: Vec::new() }
    }

    pub fn credential(&self, who: Who, kind: Kind, made: &Value, scopes: &[&'static str]) -> Credential {
        let secret = ["token", "api_key"].iter().find_map(|name| made[*name].as_str()).expect("a secret").to_owned();
        let id = ["credential_id", "id"].iter().find_map(|name| made[*name].as_str()).unwrap_or_default().to_owned();
        Credential { who, kind, id, secret, scopes: scopes.to_vec(), is_live: true }
    }

    /// The daemon's clock.
    pub fn now(&self) -> f64 {
        SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64() + self.offset as f64
    }

    /// The seconds since the start, by the monotonic clock, which nobody moves.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The seconds by which a time in a reply is ahead of the daemon's clock.
    pub fn seconds_until(&self, time: &Value) -> Option<f64> {
        Some(seconds_of(time.as_str()?) - self.now())
    }

    /// Lets an hour pass for the limits on an agent's requests, so that it may also ask again for what was denied.
    pub fn an_hour_passes(&self, agent: &str) {
        self.daemon.execute(
            "UPDATE requests SET created_at = created_at - 3600000000 WHERE state <> 'pending' AND agent_id = ?1",
            [agent],
        );
    }

    /// A person's first token, which is never revoked.
    pub fn person(&self, user: usize) -> Client {
        let own = |one: &&Credential| one.who == Who::User(user) && one.kind == Kind::UserToken;
        self.daemon.client(&self.state.credentials.iter().find(own).expect("the first").secret)
    }

    pub fn action(&self, route: &str) -> &'static str {
        self.rows[route].action().expect("an action").slug()
    }

    /// True if a route is also a tool.
    pub fn is_tool(&self, route: &str) -> bool {
        self.rows[route].tool.is_some()
    }

    /// Drops every short-lived token and web session, so that the next call gets a new one.
    pub fn forget_tokens(&mut self) {
        self.tokens.clear();
        self.cookies.clear();
    }

    /// A page of the console, as a person's browser gets it.
    pub fn page(&mut self, user: usize, path: &str) -> Outcome {
        if !self.cookies.contains_key(&user) {
            let token = self.person(user);
            let reply = self.daemon.anonymous().post("/api/sessions", json!({"token": token.token()})).expect(200);
            let cookie = reply.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
            self.cookies.insert(user, cookie.to_owned());
        }
        let browser = self.daemon.anonymous().with("Cookie", &self.cookies[&user]).with("Accept", "text/html");
        let reply = browser.try_send("GET", path, None).expect("a reply");
        Outcome { status: reply.status, is_done: reply.status == 200, body: reply.body }
    }

    /// A client with this credential, for a key with a short-lived token. For a key that no longer works, with the last
    /// token it got.
    pub fn client(&mut self, nth: usize, as_tool: bool) -> Client {
        let credential = &self.state.credentials[nth];
        let bare = self.daemon.client("");
        match credential.kind {
            Kind::UserToken | Kind::AgentToken => self.daemon.client(&credential.secret),
            Kind::InternalKey => bare.bearing("").with("x-agent-api-key", &credential.secret),
            Kind::UserKey | Kind::AgentKey => {
                let audience = if as_tool { "ax-mcp" } else { "ax-api" };
                let is_alive = self.state.alive(credential).is_some();
                let is_fresh = self.tokens.get(&(nth, as_tool)).is_some_and(|(_, taken)| taken.elapsed() < FRESH);
                if !is_fresh {
                    let reply =
                        self.daemon.client(&credential.secret).post("/auth/exchange", json!({"audience": audience}));
                    assert_eq!(reply.status, if is_alive { 200 } else { 401 }, "{credential:?}: {}", reply.text());
                    if is_alive {
                        self.tokens.insert((nth, as_tool), (text(&reply.json(), "access_token"), Instant::now()));
                    }
                }
                let token = self.tokens.get(&(nth, as_tool)).map_or("x.y.z", |(token, _)| token);
                self.daemon.client(token)
            }
        }
    }

    /// Calls the route or its tool.
    pub fn send(&self, client: &Client, ask: &Ask, as_tool: bool) -> Outcome {
        let row = self.rows[ask.route];
        let reply = match (&row.tool, as_tool) {
            (Some(tool), true) => {
                let mut arguments = ask.fields.as_object().cloned().unwrap_or_default();
                let path = tool.path.iter().zip(&ask.path);
                arguments.extend(path.map(|(field, value)| (field.name.to_owned(), json!(value))));
                call_tool(client, tool.name, arguments)
            }
            _ => call_route(client, row, ask),
        };
        let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let refused = told.get("error").is_some() || told["result"]["isError"] == true;
        let is_done = reply.status < 300 && !(as_tool && refused);
        Outcome { status: reply.status, is_done, body: reply.body }
    }
}

fn call_tool(client: &Client, name: &str, arguments: Map<String, Value>) -> Reply {
    let params = json!({"name": name, "arguments": arguments});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    client.try_send("POST", "/mcp", Some(body.as_bytes())).expect("a reply")
}

fn call_route(client: &Client, row: &ApiRoute, ask: &Ask) -> Reply {
    let mut path = ask.path.iter();
    let mut filled = |segment: &str| match segment.starts_with('{') {
        true => path.next().expect("a part of the path").replace('/', "%2F"),
        false => segment.to_owned(),
    };
    let mut target = row.path.split('/').map(&mut filled).collect::<Vec<_>>().join("/");
    let (client, body) = match row.body {
        BodyKind::None => (client.clone(), None),
        BodyKind::Multipart(_) => (client.with("Content-Type", FORM), Some(form(&ask.fields))),
        _ => (client.clone(), Some(ask.fields.to_string())),
    };
    let query = ask.fields.as_object().filter(|fields| body.is_none() && !fields.is_empty());
    for (nth, (name, value)) in query.into_iter().flatten().enumerate() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        target += &format!("{}{name}={value}", if nth == 0 { "?" } else { "&" });
    }
    client.try_send(row.method.as_str(), &target, body.as_deref().map(str::as_bytes)).expect("a reply")
}

/// The content type of a form.
const FORM: &str = "multipart/form-data; boundary=b";

/// The fields as a form, of which the last is a file.
fn form(fields: &Value) -> String {
    let (space, content) = (&fields["space_id"], &fields["file"]);
    let [space, content] = [space, content].map(|value| value.as_str().expect("a text"));
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"space_id\"\r\n\r\n{space}\r\n--b\r\nContent-Disposition: form-data; \
        name=\"file\"; filename=\"{content}.txt\"\r\nContent-Type: text/plain\r\n\r\n{content}\r\n--b--\r\n"
    )
}
