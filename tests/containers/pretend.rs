//! A daemon on a pretended Incus: its containers are only names with a state, and it fails or hangs as the test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::fake::{Answer, Fake};
use crate::fake_node::GREETING;
use crate::support::{Daemon, Reply, wait_until};

#[derive(Default)]
pub struct Pretended {
    /// By name: the status, and the configuration.
    pub containers: BTreeMap<String, (String, Map<String, Value>)>,
    /// Requests whose line contains this text fail.
    pub fails: Option<&'static str>,
    /// Requests for this action on a container are carried out, and their connection is closed without a reply.
    pub unanswered: Option<&'static str>,
    /// Requests whose line contains this text do not get a reply yet.
    pub hangs: Option<&'static str>,
    /// The replies to requests whose line contains this text are made, but not sent yet.
    pub holds: Option<&'static str>,
    /// The content of the last file that was written below `/root`.
    pub file: Option<String>,
    /// The first request whose line begins with this text is carried out, but gets no reply. From then on it is away.
    pub loses: Option<&'static str>,
    /// True while every connection is closed without a reply.
    pub away: bool,
    /// The snapshots: their paths below `/1.0/instances`.
    pub snapshots: BTreeSet<String>,
    /// The state of this container is longer than any reply may be.
    pub endless: Option<&'static str>,
    /// The actions that a container was asked for, such as `start`.
    pub actions: Vec<String>,
}

pub struct Pretend {
    pub daemon: Daemon,
    state: Arc<Mutex<Pretended>>,
    fake: Fake,
}

impl Pretend {
    pub fn start() -> Self {
        let state = Arc::<Mutex<Pretended>>::default();
        let seen = Arc::clone(&state);
        let fake = Fake::reading(move |line, body| {
            let now = || seen.lock().unwrap();
            while now().hangs.is_some_and(|text| line.contains(text)) {
                thread::sleep(Duration::from_millis(10));
            }
            let answer = now().answer_or_fail(line, body);
            while now().holds.is_some_and(|text| line.contains(text)) {
                thread::sleep(Duration::from_millis(10));
            }
            answer
        });
        let socket = fake.socket();
        let socket = socket.to_str().expect("a path");
        let daemon = Daemon::with(&["--containers", "incus", "--containers-socket", socket], &[]);
        Self { daemon, state, fake }
    }

    pub fn state(&self) -> MutexGuard<'_, Pretended> {
        self.state.lock().unwrap()
    }

    /// Takes the runtime's socket away, or puts it back.
    pub fn plug(&self, there: bool) {
        let (socket, away) = (self.fake.socket(), self.fake.socket().with_extension("away"));
        let (from, to) = if there { (away, socket) } else { (socket, away) };
        std::fs::rename(from, to).expect("a socket");
    }

    pub fn status(&self, container: &str) -> String {
        self.state().containers[container].0.clone()
    }

    /// The number of requests so far whose line contains this text.
    pub fn requests(&self, text: &str) -> usize {
        let is_one = |head: &&String| head.lines().next().is_some_and(|line| line.contains(text));
        self.fake.requests().iter().filter(is_one).count()
    }

    /// Waits until a further request whose line contains this text has come.
    pub fn wait_for_request(&self, text: &str) {
        let before = self.requests(text);
        wait_until("a request comes", || self.requests(text) > before);
    }

    /// Creates an agent whose container is in this state. Returns the agent's id.
    #[track_caller]
    pub fn agent(&self, name: &str, status: &str) -> String {
        let id = self.daemon.agent(name);
        let container = format!("taos-agent-{name}");
        let config = Map::from_iter([("user.taosd.owner".to_owned(), json!(id))]);
        self.state().containers.insert(container.clone(), (status.to_owned(), config));
        let placed = "UPDATE agents SET container_name = ?1, container_runtime = 'incus', status = 'running',
            token_delivery = 'delivered' WHERE id = ?2";
        self.daemon.execute(placed, [container.as_str(), &id]);
        id
    }

    /// Sends a request without a body and waits for the end of its operation.
    #[track_caller]
    pub fn act(&self, method: &str, path: &str) -> Reply {
        self.daemon.operator().send(method, &format!("{path}?wait=20"), None)
    }
}

impl Pretended {
    fn answer_or_fail(&mut self, line: &str, body: &str) -> Answer {
        if self.away {
            return Answer::Raw(Vec::new());
        }
        if self.fails.is_some_and(|text| line.contains(text)) {
            return Answer::error(500, "out of order");
        }
        if self.is_endless(line) {
            return Answer::Body(200, " ".repeat(9 * 1024 * 1024));
        }
        let answer = self.answer(line, body);
        self.away = self.loses.is_some_and(|text| line.starts_with(text));
        if self.away { Answer::Raw(Vec::new()) } else { answer }
    }

    fn is_endless(&self, line: &str) -> bool {
        let asks = |name| line == format!("GET /1.0/instances/{name}?recursion=1");
        self.endless.is_some_and(|name| line == "GET /1.0/instances?recursion=2" || asks(name))
    }

    fn answer(&mut self, line: &str, body: &str) -> Answer {
        let (verb, path) = line.split_once(' ').expect("a request line");
        let path = path.split('?').next().unwrap_or_default();
        match (verb, path) {
            ("GET", "/1.0") => Answer::sync(GREETING),
            ("GET", "/1.0/images/aliases") => Answer::sync("[]"),
            ("GET", "/1.0/instances") => {
                let all = self.containers.iter().map(|(name, told)| shown(name, told));
                Answer::sync(&Value::from_iter(all).to_string())
            }
            ("POST", "/1.0/instances") => {
                let body: Value = serde_json::from_str(body).expect("JSON");
                let config = body["config"].as_object().cloned().expect("a configuration");
                let name = body["name"].as_str().expect("a name").to_owned();
                self.containers.insert(name, ("Stopped".to_owned(), config));
                Answer::operation()
            }
            ("GET", "/1.0/operations") => Answer::sync("{}"),
            ("GET", path) if path.starts_with("/1.0/operations/ab-12") => Answer::sync(r#"{"status_code":200}"#),
            _ if line.contains("/files?path=%2Froot%2F") => self.about_file(verb, body),
            _ => match path.strip_prefix("/1.0/instances/") {
                Some(rest) => self.about(verb, rest, &serde_json::from_str(body).unwrap_or_default()),
                None => Answer::error(404, "not found"),
            },
        }
    }

    fn about_file(&mut self, verb: &str, body: &str) -> Answer {
        match (verb, &self.file) {
            _ if self.containers.is_empty() => return Answer::error(404, "not found"),
            ("GET", None) => return Answer::error(404, "not found"),
            ("GET", Some(text)) => {
                let head = "HTTP/1.1 200 X\r\nX-Incus-type: file\r\nX-Incus-mode: 0600";
                return Answer::Raw(format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes());
            }
            ("DELETE", _) => self.file = None,
            _ => self.file = Some(body.to_owned()),
        }
        Answer::sync("{}")
    }

    fn about(&mut self, verb: &str, rest: &str, body: &Value) -> Answer {
        let (name, part) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(told) = self.containers.get_mut(name) else { return Answer::error(404, "not found") };
        let taken = part.strip_prefix("snapshots/").is_some_and(|_| self.snapshots.contains(rest));
        match (verb, part) {
            ("GET", _) if taken => return Answer::sync("{}"),
            ("POST", "snapshots") => {
                let snapshot = body["name"].as_str().expect("a name");
                if !self.snapshots.insert(format!("{name}/snapshots/{snapshot}")) {
                    return Answer::error(400, "it exists");
                }
            }
            ("GET", "") => return Answer::sync(&shown(name, told).to_string()),
            ("GET", _) => return Answer::error(404, "not found"),
            (_, "files") => return Answer::sync("{}"),
            ("PATCH", "") => told.1.extend(body["config"].as_object().cloned().unwrap_or_default()),
            ("DELETE", "") => drop(self.containers.remove(name)),
            ("POST", "") if told.0 != "Stopped" => return Answer::error(400, "it runs"),
            ("POST", "") => {
                let told = self.containers.remove(name).expect("it is there");
                self.containers.insert(body["name"].as_str().expect("a name").to_owned(), told);
            }
            ("PUT", "state") => {
                let action = body["action"].as_str().expect("an action");
                self.actions.push(action.to_owned());
                let to = match action {
                    "stop" => "Stopped",
                    "freeze" => "Frozen",
                    _ => "Running",
                };
                if told.0 == to {
                    return Answer::error(400, "it is that already");
                }
                to.clone_into(&mut told.0);
                if self.unanswered == Some(action) {
                    return Answer::Raw(Vec::new());
                }
            }
            _ => {}
        }
        Answer::operation()
    }
}

fn shown(name: &str, (status, config): &(String, Map<String, Value>)) -> Value {
    json!({"name": name, "status": status, "config": config, "devices": {}, "architecture": "x", "profiles": []})
}
