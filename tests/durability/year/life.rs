//! The events of a day on a busy box.

use serde_json::{Value, json};

use super::Year;
use crate::support::{Client, text};

/// The ages of an agent, in days, at which it is archived, restored, archived again and purged.
const AGES: [u64; 4] = [3, 5, 7, 14];
/// The days that a user's token is valid by default.
const TOKEN_DAYS: u64 = 90;
/// The number of keys that Ann keeps.
const KEYS: usize = 10;
/// The days that a guest stays.
const VISIT: u64 = 14;
/// A scope that agents request, and the path below the agent that needs it.
const ASKED: (&str, &str) = ("agents.export", "export");

/// An agent that is made and later purged.
pub struct Baby {
    born: u64,
    name: String,
    id: String,
    token: String,
}

/// A user that is made and later deleted.
pub struct Guest {
    came: u64,
    name: String,
    token: String,
}

/// An agent that stays. Its token is rotated.
pub struct Keeper {
    pub name: String,
    pub token: String,
}

impl Year {
    /// Does the same each day, and some things once a week or less often.
    pub(super) fn live_a_day(&mut self) {
        self.rotate();
        self.be_born();
        self.grow_old();
        self.use_keys();
        self.work();
        if self.day % 7 == 1 {
            self.receive();
            self.keep();
        }
        self.see_guests_off();
        if self.day % 30 == 15 {
            self.replace_anns_token();
        }
        if self.day.is_multiple_of(14) {
            self.operator().post("/api/backups?wait=60", json!({})).expect(200);
        }
    }

    /// Rotates one keeper's token. The old token works for another hour.
    fn rotate(&mut self) {
        let nth = self.day as usize % self.keepers.len();
        let name = self.keepers[nth].name.clone();
        let token = self.issue(&name, json!({"grace_seconds": 3600}));
        let old = std::mem::replace(&mut self.keepers[nth].token, token);
        assert_eq!((self.whoami(&old), self.whoami(&self.keepers[nth].token)), (200, 200));
        self.mortal.push(old);
    }

    fn be_born(&mut self) {
        let (day, name) = (self.day, format!("d{}", self.day));
        let id = self.daemon.agent_by(&self.ann(), &name);
        let token = self.issue(&name, json!({}));
        let baby = Baby { born: day, name, id, token };
        self.talk(&baby);
        self.ask(&baby);
        let agent = self.daemon.client(&baby.token);
        agent.post("/api/ui/notify", json!({"title": "born", "body": baby.name})).expect(200);
        let context = json!({"key": format!("of {}", baby.name), "value": baby.name, "ttl": 3600});
        agent.post("/api/v1/context", context).expect(200);
        let source = format!("/api/knowledge/sources/of.{}", baby.name);
        let items = json!({"items": [{"path": "p", "title": baby.name, "content": "what is known of a newborn"}]});
        self.ann().put(&source, items).expect(200);
        self.ann().delete(&source).expect(204);
        agent.get("/api/backups").expect(403);
        self.babies.push(baby);
    }

    /// Lets a new agent send messages to all and to one, and read messages.
    fn talk(&self, baby: &Baby) {
        let agent = self.daemon.client(&baby.token);
        let heard = self.say(&self.ann(), json!({"content": format!("welcome @{}", baby.name)}));
        let body = json!({"content": format!("hello @ann, I am {}", baby.name), "client_id": baby.name});
        let said = self.say(&agent, body.clone());
        assert_eq!(self.say(&agent, body), said, "a repeat speaks once");
        self.say(&agent, json!({"content": "for you alone", "channel": "dm:ann"}));
        self.say(&self.ann(), json!({"content": "and for you", "channel": format!("dm:{}", baby.name)}));
        agent.post(&format!("/api/v1/messages/{heard}/read"), json!({})).expect(200);
        agent.get("/api/v1/messages?limit=5&mark_read=true").expect(200);
        agent.post(&format!("/api/v1/messages/{heard}/reactions"), json!({"emoji": "👍"})).expect(201);
    }

    /// Lets a new agent request a scope for an hour, which Ann approves. Nobody decides its other requests.
    fn ask(&self, baby: &Baby) {
        let agent = self.daemon.client(&baby.token);
        let (scope, tail) = ASKED;
        let tried = format!("/api/agents/{}/{tail}", baby.name);
        agent.get(&tried).expect(403);
        let ask = |scope: &str| {
            let body = json!({"kind": "scope", "scope": [scope], "reason": "r", "duration_seconds": 3600});
            text(&agent.post("/api/requests", body).expect(201).json(), "id")
        };
        let path = format!("/api/requests/{}", ask(scope));
        self.ann().post(&format!("{path}/approve"), json!({})).expect(200);
        agent.get(&tried).expect(200);
        ask("agents.token.read");
        let id = ask("operations.read");
        agent.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect(200);
        if let Some(yesterday) = self.babies.last() {
            let path = format!("/api/agents/{}/{tail}", yesterday.name);
            self.daemon.client(&yesterday.token).get(&path).expect(403);
        }
    }

    /// Archives, restores, archives again and purges agents at their ages.
    fn grow_old(&mut self) {
        let ann = self.ann();
        for nth in 0..self.babies.len() {
            let (age, id) = (self.day - self.babies[nth].born, self.babies[nth].id.clone());
            let archived = format!("/api/agents/archived/{id}");
            if age == AGES[0] || age == AGES[2] {
                ann.delete(&format!("/api/agents/{}", self.babies[nth].name)).expect(200);
                self.dead.push(self.babies[nth].token.clone());
            } else if age == AGES[1] {
                let back = ann.send("POST", &format!("{archived}/restore"), None).expect(200).json();
                let name = text(&back, "name");
                self.babies[nth].token = self.issue(&name, json!({}));
                self.babies[nth].name = name;
            } else if age == AGES[3] {
                ann.delete(&archived).expect(200);
            }
        }
        let day = self.day;
        self.babies.retain(|baby| day - baby.born < AGES[3]);
    }

    /// Makes, exchanges, rotates and revokes keys of Ann and of an agent, and opens a session.
    fn use_keys(&mut self) {
        let ann = self.ann();
        let key = ann.post("/api/v1/keys", json!({"name": format!("k{}", self.day)})).expect(201).json();
        let rotate = format!("/api/v1/keys/{}/rotate", text(&key, "credential_id"));
        let before = self.exchange(&key, &json!({})).expect("a token");
        let next = ann.post(&rotate, json!({})).expect(200).json();
        assert_eq!((self.exchange(&key, &json!({})), self.whoami(&before)), (None, 401));
        let token = self.exchange(&next, &json!({})).expect("a token");
        assert_eq!(self.whoami(&token), 200);
        // The token lives for minutes, so it is invalid tomorrow. Its key is valid until it is revoked.
        self.mortal.push(token);
        let keeper = &self.keepers[0].name;
        let pat = ann.post("/credentials/agent-pat", json!({"agent_id": keeper})).expect(201).json();
        let class = json!({"requested_token_class": "agent_access"});
        let token = self.exchange(&pat, &class).expect("a token");
        assert_eq!(self.whoami(&token), 200);
        ann.delete(&format!("/credentials/{}", text(&pat, "credential_id"))).expect(200);
        assert_eq!((self.exchange(&pat, &class), self.whoami(&token)), (None, 401));
        self.dead.push(token);
        self.keys.push_back(text(&next, "credential_id"));
        if self.keys.len() > KEYS {
            let oldest = self.keys.pop_front().expect("a key");
            ann.delete(&format!("/api/v1/keys/{oldest}")).expect(204);
        }
        ann.bearing("").post("/api/sessions", json!({"token": self.ann})).expect(200);
    }

    /// Exchanges a key. Returns the short-lived token, or `None` if the key is not valid.
    fn exchange(&self, key: &Value, body: &Value) -> Option<String> {
        let reply = self.daemon.client(&text(key, "token")).post("/auth/exchange", body.clone());
        assert!([200, 401].contains(&reply.status), "{}", reply.text());
        (reply.status == 200).then(|| text(&reply.json(), "access_token"))
    }

    /// Makes, claims and ends a task, and sends a request twice with an idempotency key.
    fn work(&self) {
        let (ann, keeper) = (self.ann(), self.daemon.client(&self.keepers[0].token));
        let task = ann.post("/api/v1/tasks", json!({"title": format!("of day {}", self.day)})).expect(201).json();
        let path = format!("/api/v1/tasks/{}", text(&task, "id"));
        let claimed = keeper.post(&format!("{path}/claim"), json!({})).expect(200).json();
        let done = json!({"status": "done", "fence": claimed["lease"]["fence"]});
        keeper.patch(&path, done).expect(200);
        let keyed = keeper.with("Idempotency-Key", &format!("day-{}", self.day));
        let body = json!({"title": "done", "body": "a task", "priority": "low"});
        keyed.post("/api/ui/notify", body.clone()).expect(200);
        assert_eq!(keyed.post("/api/ui/notify", body).expect(200).header("idempotent-replayed"), Some("true"));
    }

    /// Makes a user, who reads an agent's record and the messages of the space.
    fn receive(&mut self) {
        let name = format!("g{}", self.day);
        let guest: Client = self.daemon.member(&name, &["*"]);
        self.ann()
            .post(&format!("/api/v1/spaces/{}/members", self.space), json!({"username": name, "role": "viewer"}))
            .expect(201);
        let id = text(&self.daemon.record("keeper-1"), "id");
        self.daemon.grant(&format!("user:{name}"), &id, "viewer");
        guest.get("/api/agents/keeper-1").expect(200);
        let read = format!("/api/v1/messages?space_id={}&limit=3&mark_read=true", self.space);
        guest.get(&read).expect(200);
        self.guests.push(Guest { came: self.day, name, token: guest.token().to_owned() });
    }

    /// Issues Ann's next token before her current one expires.
    fn replace_anns_token(&mut self) {
        let next = self.daemon.user_token("ann", &["*"]).token().to_owned();
        self.replaced.push((self.day + TOKEN_DAYS, std::mem::replace(&mut self.ann, next)));
    }

    fn see_guests_off(&mut self) {
        let day = self.day;
        let (gone, stay) =
            std::mem::take(&mut self.guests).into_iter().partition(|guest: &Guest| day - guest.came >= VISIT);
        self.guests = stay;
        for guest in gone {
            self.operator().delete(&format!("/api/users/{}", guest.name)).expect(204);
            self.dead.push(guest.token);
        }
    }

    /// Makes lasting things: a file, a context value, a pinned message, an open task and a document.
    fn keep(&mut self) {
        let (ann, day) = (self.ann(), self.day);
        let mark = format!("kept since day {day}.");
        let content = format!("{mark} {}", "x".repeat(20_000));
        let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"f{day}.txt\"");
        let form = format!("--b\r\n{head}\r\nContent-Type: text/plain\r\n\r\n{content}\r\n--b--\r\n");
        let sender = ann.with("Content-Type", "multipart/form-data; boundary=b");
        let file = sender.send("POST", "/api/v1/uploads/", Some(form.as_bytes())).expect(201).json();
        self.promise(None, &text(&file, "url"), &mark);
        let key = format!("kept-{day}");
        ann.post("/api/v1/context", json!({"key": key, "value": mark, "ttl": 60})).expect(200);
        let promote = format!("/api/v1/spaces/{}/intelligence/promote", self.space);
        ann.post(&promote, json!({"key": key, "artifact_type": "RESEARCH"})).expect(200);
        self.promise(None, &format!("/api/v1/context/{key}"), &mark);
        let message = format!("/api/v1/messages/{}", self.say(&ann, json!({"content": mark})));
        ann.patch(&message, json!({"pinned": true})).expect(200);
        self.promise(None, &message, &mark);
        let task = ann.post("/api/v1/tasks", json!({"title": mark})).expect(201).json();
        self.promise(None, &format!("/api/v1/tasks/{}", text(&task, "id")), &mark);
        let items: Vec<Value> = (1..=day).step_by(7).map(|of| json!({"path": format!("{of}"), "title": format!("kept since day {of}."), "content": "a document"})).collect();
        ann.put("/api/knowledge/sources/kept", json!({"items": items})).expect(200);
        self.promise(None, "/api/knowledge/items?source_id=kept&limit=500", &mark);
    }
}
