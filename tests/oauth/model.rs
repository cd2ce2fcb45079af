//! A model of logins beside a real daemon. It knows what was asked for, consented to and given, and what each token may
//! do now.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{self, CALLBACK, parameter, post_form};
use crate::support::{Client, Daemon, Dice, Reply, text};

/// The actions that the model tries, each a bit of a mask.
const TRIES: [u8; 4] = [TASKS_LIST, TASKS_UPDATE, MESSAGES_LIST, MESSAGES_SEND];
const TASKS_LIST: u8 = 1;
const TASKS_UPDATE: u8 = 2;
const MESSAGES_LIST: u8 = 4;
const MESSAGES_SEND: u8 = 8;
const ALL: u8 = 15;

/// The scope words, and which of these actions each allows.
const WORDS: [(&str, u8); 6] = [
    ("tasks", TASKS_LIST | TASKS_UPDATE),
    ("tasks:read", TASKS_LIST),
    ("tasks:write", TASKS_UPDATE),
    ("messages", MESSAGES_LIST | MESSAGES_SEND),
    ("messages:read", MESSAGES_LIST),
    ("messages:write", MESSAGES_SEND),
];

/// The scopes that people's tokens and agents get, and which of these actions they allow.
pub const SCOPES: [(&[&str], u8); 5] = [
    (&["*"], ALL),
    (&["tasks.*", "messages.*"], ALL),
    (&["tasks.*"], TASKS_LIST | TASKS_UPDATE),
    (&["messages.*"], MESSAGES_LIST | MESSAGES_SEND),
    (&["tasks.list"], TASKS_LIST),
];

/// Close to a time limit the model cannot know the outcome. It skips codes older than `CODE`, and an old refresh token
/// whose grant was refreshed between the two times of `CHANCE` ago.
const CODE: Duration = Duration::from_secs(45);
const CHANCE: [Duration; 2] = [Duration::from_secs(50), Duration::from_secs(70)];

pub type Words = Vec<&'static str>;

fn mask(words: &[&str]) -> u8 {
    WORDS.iter().filter(|(word, _)| words.contains(word)).fold(0, |all, (_, bits)| all | bits)
}

/// A person's token and the session it opened.
pub struct Session {
    pub token: String,
    pub browser: Client,
    pub may: u8,
    /// Whether the token lives, and whether the session lives.
    pub lives: [bool; 2],
}

/// As whom a program acts: an agent, by its index in the list, or with `None` the person.
pub type Whom = Option<usize>;

pub struct Agent {
    pub id: String,
    pub name: String,
    pub may: u8,
    pub lives: bool,
}

/// How a program waits for a person's decision.
#[derive(Clone)]
pub enum Way {
    Redirect,
    /// The device code, and the number of the device.
    Device(String, u64),
}

#[derive(Clone)]
pub struct Asked {
    pub path: String,
    pub client: usize,
    pub words: Words,
    pub seen_by: Option<usize>,
    pub way: Way,
}

/// An authorization code, or a device code that was allowed.
#[derive(Debug)]
pub struct Code {
    pub text: String,
    pub client: usize,
    pub words: Words,
    pub whom: Whom,
    pub session: usize,
    pub made: Instant,
    /// The number of the device that it belongs to.
    pub device: Option<u64>,
    pub is_used: bool,
    /// The index of the grant that it gave.
    pub gave: Option<usize>,
}

pub struct Grant {
    pub client: usize,
    pub words: Words,
    pub may: u8,
    pub whom: Whom,
    pub session: usize,
    pub lives: bool,
    pub refreshed: Instant,
    /// Every refresh token that the grant has had, the current one last.
    pub refresh: Vec<String>,
    /// The index of the old refresh token that may be used once more.
    pub previous: Option<usize>,
}

/// An access token, from a grant or an agent's key.
pub struct Access {
    pub client: Client,
    pub may: u8,
    pub from: From,
}

#[derive(Clone, Copy)]
pub enum From {
    Grant(usize),
    Key(usize),
}

pub struct Key {
    pub text: String,
    pub id: String,
    pub agent: usize,
    pub lives: bool,
}

pub struct Model {
    pub daemon: Daemon,
    pub dice: Dice,
    pub clients: Vec<String>,
    pub sessions: Vec<Session>,
    pub agents: Vec<Agent>,
    pub asked: Vec<Asked>,
    pub codes: Vec<Code>,
    pub grants: Vec<Grant>,
    pub access: Vec<Access>,
    pub keys: Vec<Key>,
    pub devices: u64,
    pub steps: u64,
    /// The numbers of tries that were refused and allowed.
    pub tried: [u64; 2],
}

impl Model {
    pub fn new(seed: u64) -> Self {
        let env = [
            ("TAOSD_REQUESTS_PER_MINUTE", "0"),
            ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
            ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"),
            ("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0"),
            ("TAOSD_OAUTH_ACCESS_TTL", "3600"),
            ("TAOSD_BACKUP_INTERVAL", "0"),
            ("TAOSD_LOG", "error"),
        ];
        let daemon = Daemon::with(&[], &env);
        // The person is an admin. No program may ever get admin rights from her.
        daemon.admin("eve");
        let register = |name: &str| {
            let body = json!({"client_name": name, "redirect_uris": [CALLBACK]});
            text(&daemon.anonymous().post("/oauth/register", body).expect(201).json(), "client_id")
        };
        let clients = vec![register("editor"), register("thief")];
        let mut model = Self {
            daemon,
            dice: Dice::new(seed),
            clients,
            sessions: Vec::new(),
            agents: Vec::new(),
            asked: Vec::new(),
            codes: Vec::new(),
            grants: Vec::new(),
            access: Vec::new(),
            keys: Vec::new(),
            devices: 0,
            steps: 0,
            tried: [0; 2],
        };
        model.enter(0);
        model.born();
        model.born();
        model
    }

    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        post_form(&self.daemon.anonymous(), path, fields)
    }

    /// The person logs in with a new token of these scopes.
    pub fn enter(&mut self, scopes: usize) {
        let (scopes, may) = SCOPES[scopes];
        let own: Vec<&str> = scopes.iter().copied().chain(["sessions.*"]).collect();
        let issued = self.daemon.operator().post("/api/users/eve/tokens", json!({"scope": own})).expect(201).json();
        let browser = program::browser(&self.daemon, &text(&issued, "token"));
        self.sessions.push(Session { token: text(&issued, "id"), browser, may, lives: [true; 2] });
    }

    pub fn born(&mut self) {
        let name = format!("agent-{}", self.agents.len());
        let id = self.daemon.agent(&name);
        self.agents.push(Agent { id, name, may: 0, lives: true });
        self.scoped(self.agents.len() - 1, 1);
    }

    /// Sets the agent's scopes to this row of [`SCOPES`].
    pub fn scoped(&mut self, agent: usize, scopes: usize) {
        let (scopes, may) = SCOPES[scopes];
        let path = format!("/api/agents/{}/permissions", self.agents[agent].name);
        self.daemon.operator().put(&path, json!({"scope": scopes})).expect(200);
        self.agents[agent].may = may;
    }

    pub fn words(&mut self) -> Words {
        let chosen = WORDS.iter().filter(|_| self.dice.once_in(2)).map(|(word, _)| *word);
        let chosen: Words = chosen.collect();
        if chosen.is_empty() { vec!["tasks"] } else { chosen }
    }

    /// The index of a random element for which `like` is true.
    pub fn pick<T>(&mut self, all: fn(&Self) -> &Vec<T>, like: impl Fn(&T) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            all(self).iter().enumerate().filter(|(_, one)| like(one)).map(|(nth, _)| nth).collect();
        self.dice.of(&fitting).copied()
    }

    /// The words that a consent gives, or `Err` with the status of the refusal.
    pub fn consented(&self, asked: &Words, ticked: &Words, session: usize) -> Result<Words, u16> {
        let wanted: Words = asked.iter().copied().filter(|word| ticked.contains(word)).collect();
        if wanted.iter().any(|word| mask(&[word]) & self.sessions[session].may == 0) {
            return Err(403);
        }
        if wanted.is_empty() { Err(400) } else { Ok(wanted) }
    }

    pub fn whom_lives(&self, whom: Whom) -> bool {
        whom.is_none_or(|agent| self.agents[agent].lives)
    }

    pub fn session_lives(&self, session: usize) -> bool {
        self.sessions[session].lives == [true; 2]
    }

    /// Whether a grant works: it is not ended, its agent lives, and a grant as the person needs her token to live.
    pub fn lives(&self, grant: usize) -> bool {
        let grant = &self.grants[grant];
        grant.lives && self.whom_lives(grant.whom) && (grant.whom.is_some() || self.sessions[grant.session].lives[0])
    }

    /// Shows a code. `client` and `verifier` may be wrong on purpose.
    pub fn show(&self, code: &Code, client: usize, verifier: &str) -> Reply {
        let (client, device) = (self.clients[client].as_str(), "urn:ietf:params:oauth:grant-type:device_code");
        if code.device.is_some() {
            let fields = [("grant_type", device), ("device_code", &code.text), ("client_id", client)];
            return self.post("/oauth/token", &fields);
        }
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code.text),
            ("redirect_uri", CALLBACK),
            ("client_id", client),
            ("code_verifier", verifier),
        ];
        self.post("/oauth/token", &fields)
    }

    pub fn is_judged(&self, code: &Code) -> bool {
        code.made.elapsed() < CODE
    }

    /// Records the grant that a code gave.
    pub fn given(&mut self, nth: usize, told: &Value) {
        let code = &self.codes[nth];
        let grant = Grant {
            client: code.client,
            may: mask(&code.words) & self.sessions[code.session].may,
            words: code.words.clone(),
            whom: code.whom,
            session: code.session,
            lives: true,
            refreshed: Instant::now(),
            refresh: vec![text(told, "refresh_token")],
            previous: None,
        };
        self.grants.push(grant);
        let last = self.grants.len() - 1;
        self.codes[nth].gave = Some(last);
        let words = self.codes[nth].words.clone();
        self.accessed(told, &words, From::Grant(last));
    }

    /// Records an access token, after a check that the reply names the expected words.
    pub fn accessed(&mut self, told: &Value, words: &[&str], from: From) {
        let scope = text(told, "scope");
        let mut said: Vec<&str> = scope.split(' ').collect();
        let mut wanted = words.to_vec();
        said.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(said, wanted, "step {}", self.steps);
        // The token acts as the agent that the person chose, and as no other.
        let agent = match from {
            From::Grant(at) => self.grants[at].whom,
            From::Key(at) => Some(self.keys[at].agent),
        };
        let said = program::claims(&text(told, "access_token"));
        assert_eq!(
            said["agent_id"],
            agent.map_or(Value::Null, |agent| json!(self.agents[agent].id)),
            "step {}",
            self.steps
        );
        let client = self.daemon.client(&text(told, "access_token"));
        self.access.push(Access { client, may: mask(words), from });
    }

    /// Whether an old refresh token may be used once more. `None` if it is too close to the time limit to know.
    pub fn has_second_chance(&self, grant: usize, nth: usize) -> Option<bool> {
        let grant = &self.grants[grant];
        let age = grant.refreshed.elapsed();
        if grant.previous != Some(nth) || age > CHANCE[1] {
            return Some(false);
        }
        (age < CHANCE[0]).then_some(true)
    }

    /// Tries every action with the token: what it may do now works, everything else and an admin's action are refused.
    /// Returns whether the token lives.
    pub fn probe(&mut self, nth: usize) -> bool {
        let token = &self.access[nth];
        let (lives, may) = match token.from {
            From::Grant(at) => {
                let grant = &self.grants[at];
                (self.lives(at), grant.may & grant.whom.map_or(ALL, |agent| self.agents[agent].may))
            }
            From::Key(at) => {
                let key = &self.keys[at];
                (key.lives && self.agents[key.agent].lives, self.agents[key.agent].may)
            }
        };
        for bit in TRIES {
            let reply = match bit {
                TASKS_LIST => token.client.get("/api/v1/tasks"),
                TASKS_UPDATE => token.client.patch("/api/v1/tasks/none", json!({"title": "t"})),
                MESSAGES_LIST => token.client.get("/api/v1/messages"),
                _ => token.client.post("/api/v1/messages", json!({"content": ""})),
            };
            let allowed = may & token.may & bit != 0;
            let fits = match (lives, allowed) {
                (false, _) => reply.status == 401,
                (true, false) => reply.status == 403,
                (true, true) => [200, 404, 422].contains(&reply.status),
            };
            assert!(
                fits,
                "step {}: {bit} is {}, lives {lives}, may {may:b} of {:b}",
                self.steps,
                reply.text(),
                token.may
            );
            self.tried[usize::from(lives && allowed)] += 1;
        }
        let refused = token.client.post("/api/users", json!({"username": "mallory"}));
        assert!([401, 403].contains(&refused.status), "step {}: {}", self.steps, refused.text());
        lives
    }

    /// The code in the address that the browser is redirected to.
    pub fn led(reply: &Reply) -> Option<String> {
        parameter(&text(&reply.json(), "redirect_to"), "code")
    }
}
