//! Stories of what clients write while the daemon may die at any moment. There is one story for each kind of thing, and
//! each records what a reply promises.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Reply, text};

/// A fact that holds once a reply has arrived: a request, and the reply it must get even after a crash.
#[derive(Clone)]
pub struct Fact {
    client: Client,
    path: String,
    status: u16,
    holds: String,
}

/// The certain facts, by subject. While a write about a subject is in flight, nothing is known about it.
#[derive(Default)]
pub struct Known(Mutex<BTreeMap<String, Vec<Fact>>>);

impl Known {
    /// Removes and returns all facts.
    pub fn take(&self) -> BTreeMap<String, Vec<Fact>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Fact {
    /// Returns what is wrong with the daemon's reply now, if anything.
    pub fn broken(&self, daemon: &Daemon) -> Option<String> {
        let reply = self.client.at(&daemon.address).get(&self.path);
        let is_so = reply.status == self.status && reply.text().contains(&self.holds);
        let told = || {
            format!("{} is {} and not {} with {:?}: {}", self.path, reply.status, self.status, self.holds, reply.text())
        };
        (!is_so).then(told)
    }
}

/// The actors of the stories, made before the storm.
pub struct Cast {
    pub operator: Client,
    pub member: Client,
    pub shared_id: String,
}

impl Cast {
    /// Makes the actors on a fresh box.
    pub fn make(daemon: &Daemon) -> Self {
        let (operator, member) = (daemon.operator(), daemon.member("mia", &["*"]));
        let shared_id = daemon.agent("shared");
        Self { operator, member, shared_id }
    }
}

/// A client that runs a story.
pub struct Teller<'a> {
    pub cast: &'a Cast,
    pub address: &'a str,
    pub known: &'a Known,
    /// A name that no other teller has, in any round.
    pub name: String,
}

/// A story. It returns `None` if the daemon failed before its end.
pub type Story = fn(&Teller<'_>) -> Option<()>;

/// All stories, each with the kind of thing that it writes.
pub const STORIES: &[(&str, Story)] = &[
    ("agents and tokens", agents),
    ("keys", keys),
    ("grants", grants),
    ("requests", requests),
    ("sessions", sessions),
    ("users", users),
    ("context", context),
    ("messages", messages),
    ("tasks", tasks),
    ("uploads", uploads),
    ("knowledge", knowledge),
    ("notifications", notifications),
    ("registry", registry),
    ("backups", backups),
];

impl Teller<'_> {
    fn operator(&self) -> Client {
        self.cast.operator.at(self.address)
    }

    /// Sends a write about `subject`. Forgets the facts about it until the reply has arrived.
    fn write(&self, subject: &str, client: &Client, method: &str, path: &str, body: &Value) -> Option<Reply> {
        self.known.0.lock().unwrap().remove(subject);
        let body = (method != "DELETE").then(|| body.to_string().into_bytes());
        let reply = client.at(self.address).try_send(method, path, body.as_deref()).ok()?;
        if reply.status >= 500 {
            return None;
        }
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text());
        Some(reply)
    }

    fn know(&self, subject: &str, client: &Client, path: &str, status: u16, holds: &str) {
        let fact = Fact { client: client.clone(), path: path.to_owned(), status, holds: holds.to_owned() };
        self.known.0.lock().unwrap().entry(subject.to_owned()).or_default().push(fact);
    }

    /// Records whether a token is valid.
    fn know_token(&self, subject: &str, token: &str, good: bool) {
        let client = self.cast.operator.bearing(token);
        self.know(subject, &client, "/api/auth/whoami", if good { 200 } else { 401 }, "");
    }
}

fn agents(t: &Teller<'_>) -> Option<()> {
    let (name, operator) = (&t.name, t.operator());
    let (one, tokens) = (format!("/api/agents/{name}"), format!("tokens of {name}"));
    t.write(name, &operator, "POST", "/api/agents", &json!({"name": name}))?;
    t.know(name, &operator, &one, 200, "");
    let issue = |n: usize| {
        let issued = t.write(&tokens, &operator, "POST", &format!("{one}/token/issue"), &json!({}))?.json();
        let token = text(&issued, "token");
        t.know_token(&tokens, &token, true);
        Some((format!("token {n} of {name}"), token))
    };
    let (old, first) = issue(1)?;
    let (_, second) = issue(2)?;
    t.know_token(&old, &first, false);
    t.write(&tokens, &operator, "POST", &format!("{one}/freeze"), &json!({"reason": "a test"}))?;
    t.know_token(&tokens, &second, false);
    t.write(&tokens, &operator, "POST", &format!("{one}/thaw"), &json!({}))?;
    t.know_token(&tokens, &second, true);
    t.known.0.lock().unwrap().remove(&tokens);
    t.write(name, &operator, "DELETE", &one, &json!({}))?;
    t.know(name, &operator, &one, 404, "agent_not_found");
    t.know_token(&tokens, &second, false);
    Some(())
}

fn keys(t: &Teller<'_>) -> Option<()> {
    // Each key has its own user, because the number of a user's keys is limited.
    let (name, user) = (format!("key {}", t.name), format!("k{}", t.name));
    let owner = token_of_new_user(t, &user)?;
    let owner = t.operator().bearing(&owner);
    let made = t.write(&name, &owner, "POST", "/api/v1/keys", &json!({"name": t.name}))?.json();
    let exchanged = |key: &Value| {
        let client = owner.bearing(&text(key, "token"));
        let reply = client.try_send("POST", "/auth/exchange", Some(b"{}")).ok().filter(|reply| reply.status == 200)?;
        Some(text(&reply.json(), "access_token"))
    };
    let first = exchanged(&made)?;
    t.know_token(&name, &first, true);
    let path = format!("/api/v1/keys/{}", text(&made, "credential_id"));
    let rotated = t.write(&name, &owner, "POST", &format!("{path}/rotate"), &json!({}))?.json();
    t.know_token(&format!("{name}, old"), &first, false);
    let second = exchanged(&rotated)?;
    t.know_token(&name, &second, true);
    t.write(&name, &owner, "DELETE", &format!("/api/v1/keys/{}", text(&rotated, "credential_id")), &json!({}))?;
    t.know_token(&name, &second, false);
    Some(())
}

fn grants(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = ("grant of mia", t.operator());
    let grant = json!({"principal": "user:mia", "resource": format!("agent:{}", t.cast.shared_id), "role": "viewer"});
    let given = t.write(subject, &operator, "POST", "/api/grants", &grant)?.json();
    t.know(subject, &t.cast.member, "/api/agents/shared", 200, "");
    t.write(subject, &operator, "DELETE", &format!("/api/grants/{}", text(&given, "id")), &json!({}))?;
    t.know(subject, &t.cast.member, "/api/agents/shared", 404, "");
    Some(())
}

fn requests(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("request {}", t.name), t.operator());
    // Each request has its own agent, because the number of an agent's requests is limited.
    let agent = format!("asks-{}", t.name);
    t.write(&agent, &operator, "POST", "/api/agents", &json!({"name": agent}))?;
    let issue = format!("/api/agents/{agent}/token/issue");
    let asker = operator.bearing(&text(&t.write(&agent, &operator, "POST", &issue, &json!({}))?.json(), "token"));
    let ask = json!({"kind": "scope", "scope": ["audit.read"], "reason": t.name, "duration_seconds": 3600});
    let id = text(&t.write(&subject, &asker, "POST", "/api/requests", &ask)?.json(), "id");
    let path = format!("/api/requests/{id}");
    t.know(&subject, &operator, &path, 200, "\"pending\"");
    for (verb, state) in [("approve", "\"approved\""), ("revoke", "\"revoked\"")] {
        t.write(&subject, &operator, "POST", &format!("{path}/{verb}"), &json!({}))?;
        t.know(&subject, &operator, &path, 200, state);
    }
    t.write(&agent, &operator, "DELETE", &format!("/api/agents/{agent}"), &json!({}))?;
    Some(())
}

fn sessions(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("session {}", t.name), t.operator());
    let reply = t.write(&subject, &operator, "POST", "/api/sessions", &json!({"token": operator.token()}))?;
    let cookie = reply.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let page = operator.bearing("").with("Cookie", &cookie).with("Sec-Fetch-Site", "same-origin");
    t.know(&subject, &page, "/api/auth/whoami", 200, "");
    t.write(&subject, &page, "DELETE", "/api/sessions/current", &json!({}))?;
    t.know(&subject, &page, "/api/auth/whoami", 401, "");
    Some(())
}

/// Makes a user. Returns a token of the user.
fn token_of_new_user(t: &Teller<'_>, name: &str) -> Option<String> {
    let (tokens, operator) = (format!("tokens of {name}"), t.operator());
    t.write(name, &operator, "POST", "/api/users", &json!({"username": name}))?;
    let path = format!("/api/users/{name}/tokens");
    let token = text(&t.write(&tokens, &operator, "POST", &path, &json!({"scope": ["*"]}))?.json(), "token");
    t.know_token(&tokens, &token, true);
    Some(token)
}

fn users(t: &Teller<'_>) -> Option<()> {
    let (name, operator) = (format!("u{}", t.name), t.operator());
    let (one, tokens) = (format!("/api/users/{name}"), format!("tokens of {name}"));
    let token = token_of_new_user(t, &name)?;
    t.write(&tokens, &operator, "PATCH", &one, &json!({"disabled": true}))?;
    t.know_token(&tokens, &token, false);
    t.write(&tokens, &operator, "DELETE", &one, &json!({}))?;
    t.know_token(&tokens, &token, false);
    Some(())
}

fn context(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("context {}", t.name), t.operator());
    let path = format!("/api/v1/context/{}", t.name);
    for value in ["first", "second"] {
        t.write(&subject, &operator, "POST", "/api/v1/context", &json!({"key": t.name, "value": value}))?;
        t.know(&subject, &operator, &path, 200, value);
    }
    t.write(&subject, &operator, "DELETE", &path, &json!({}))?;
    t.know(&subject, &operator, &path, 404, "");
    Some(())
}

fn messages(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("message {}", t.name), t.operator());
    let sent = t.write(&subject, &operator, "POST", "/api/v1/messages", &json!({"content": "as sent"}))?.json();
    let path = format!("/api/v1/messages/{}", text(&sent["message"], "id"));
    t.know(&subject, &operator, &path, 200, "as sent");
    t.write(&subject, &operator, "PATCH", &path, &json!({"content": "as changed"}))?;
    t.know(&subject, &operator, &path, 200, "as changed");
    t.write(&subject, &operator, "DELETE", &path, &json!({}))?;
    t.know(&subject, &operator, &path, 404, "");
    Some(())
}

fn tasks(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("task {}", t.name), t.operator());
    let made = t.write(&subject, &operator, "POST", "/api/v1/tasks", &json!({"title": t.name}))?.json();
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    t.know(&subject, &operator, &path, 200, &t.name);
    let claimed = t.write(&subject, &operator, "POST", &format!("{path}/claim"), &json!({}))?.json();
    t.know(&subject, &operator, &path, 200, "in_progress");
    let done = json!({"status": "done", "fence": claimed["lease"]["fence"]});
    t.write(&subject, &operator, "PATCH", &path, &done)?;
    t.know(&subject, &operator, &path, 200, "\"done\"");
    Some(())
}

fn uploads(t: &Teller<'_>) -> Option<()> {
    let operator = t.operator();
    let content = t.name.repeat(2000);
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        {content}\r\n--b--\r\n",
        t.name
    );
    let sender = operator.with("Content-Type", "multipart/form-data; boundary=b");
    let reply = sender.try_send("POST", "/api/v1/uploads/", Some(form.as_bytes())).ok()?;
    if reply.status >= 500 {
        return None;
    }
    let id = text(&reply.expect(201).json(), "attachment_id");
    t.know(&format!("upload {}", t.name), &operator, &format!("/api/v1/uploads/files/{id}"), 200, &content);
    Some(())
}

fn knowledge(t: &Teller<'_>) -> Option<()> {
    let (source, operator) = (format!("source.{}", t.name), t.operator());
    let path = format!("/api/knowledge/sources/{source}");
    let list = format!("/api/knowledge/items?source_id={source}");
    for title in ["the first title", "the second title"] {
        let items = json!({"items": [{"path": "p", "title": title, "content": "c"}]});
        t.write(&source, &operator, "PUT", &path, &items)?;
        t.know(&source, &operator, &list, 200, title);
    }
    t.write(&source, &operator, "DELETE", &path, &json!({}))?;
    t.know(&source, &operator, &list, 200, "[]");
    Some(())
}

fn notifications(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = ("the last notification", t.operator());
    t.write(subject, &operator, "POST", "/api/ui/notify", &json!({"title": t.name, "body": "b"}))?;
    t.know(subject, &operator, "/api/notifications?limit=100", 200, &t.name);
    Some(())
}

fn registry(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = (format!("registered {}", t.name), t.operator());
    let body = json!({"name": format!("r-{}", t.name), "description": "d", "acp_url": "http://127.0.0.1:1", "acp_type": "sync"});
    t.write(&subject, &operator, "POST", "/agents/register", &body)?;
    let path = format!("/agents/name/r-{}", t.name);
    t.know(&subject, &operator, &path, 200, "");
    t.write(&subject, &operator, "DELETE", &path, &json!({}))?;
    t.know(&subject, &operator, &path, 404, "");
    Some(())
}

fn backups(t: &Teller<'_>) -> Option<()> {
    let (subject, operator) = ("the last backup", t.operator());
    let done = t.write(subject, &operator, "POST", "/api/backups?wait=10", &json!({}))?.json();
    if done["status"] == "succeeded" {
        t.know(subject, &operator, "/api/backups", 200, &text(&done["result"], "name"));
    }
    Some(())
}
