//! Random sequences of issuing, narrowing, rotating, revoking, exchanging and making keys, with the real binary. No
//! credential ever has power beyond its agent's present scope and the credential that made it, none outlives its maker,
//! and none ends that should live.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

const SCOPES: &[&str] = &[
    "*",
    "agents.*",
    "agents.read",
    "agents.list",
    "keys.*",
    "keys.create",
    "messages.*",
    "messages.send",
    "tasks.*",
    "credentials.*",
    "spaces.*",
    "knowledge.read",
];
const AUDIENCES: &[&str] = &["cli", "mcp", "both"];
const STEPS: usize = 220;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    UserToken,
    UserPat,
    AgentPat,
    AgentToken,
    InternalKey,
}

struct Credential {
    id: String,
    secret: String,
    kind: Kind,
    made_by: Option<String>,
    scopes: Vec<String>,
    audience: String,
    expires_at: String,
    revoked: bool,
    /// The short-lived tokens that it was exchanged for earlier.
    tokens: Vec<String>,
}

struct Fixture {
    daemon: Daemon,
    /// The state of a xorshift generator.
    rng: u64,
    owner: Client,
    editor: Client,
    agent_id: String,
    agent_scope: Vec<String>,
    all: Vec<Credential>,
    log: Vec<String>,
}

fn covers(own: &[String], wanted: &str) -> bool {
    own.iter().any(|scope| {
        scope == "*" || scope == wanted || scope.strip_suffix('*').is_some_and(|prefix| wanted.starts_with(prefix))
    })
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|scope| scope.as_str().expect("a scope").to_owned()).collect()
}

impl Fixture {
    fn new(seed: u64) -> Self {
        let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
        let owner = daemon.member("ow", &["*"]);
        daemon.grant("user:ow", "*", "creator");
        let editor = daemon.member("ed", &["*"]);
        let agent_id = daemon.agent_by(&owner, "worker");
        daemon.grant("user:ed", &agent_id, "editor");
        let agent_scope = list(&daemon.record("worker")["scope"]);
        let rng = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { daemon, rng, owner, editor, agent_id, agent_scope, all: Vec::new(), log: Vec::new() }
    }

    fn below(&mut self, n: usize) -> usize {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng >> 33) as usize % n
    }

    fn scopes(&mut self) -> Option<Vec<&'static str>> {
        let n = self.below(4);
        (n > 0).then(|| (0..n).map(|_| SCOPES[self.below(SCOPES.len())]).collect())
    }

    /// Whether a credential should work: it was not revoked, nor was a maker on which it depends.
    fn lives(&self, at: usize) -> bool {
        let own = &self.all[at];
        let bound = matches!(own.kind, Kind::UserToken | Kind::UserPat);
        !own.revoked
            && own.made_by.as_ref().filter(|_| bound).is_none_or(|maker| {
                self.all.iter().position(|other| other.id == *maker).is_none_or(|maker| self.lives(maker))
            })
    }

    fn pick(&mut self, fits: impl Fn(&Credential) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.all.len()).filter(|at| fits(&self.all[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[self.below(fitting.len())])
    }

    fn exchange(&mut self, at: usize, class: &str) -> Option<Client> {
        let mut body = json!({"requested_token_class": class});
        if self.all[at].audience == "mcp" {
            body["audience"] = json!("ax-mcp");
        }
        let reply = self.daemon.client(&self.all[at].secret).post("/auth/exchange", body);
        let token = (reply.status == 200).then(|| text(&reply.json(), "access_token"))?;
        if self.all[at].audience != "mcp" {
            self.all[at].tokens.push(token.clone());
        }
        Some(self.daemon.client(&token))
    }

    /// A client that acts as the owner, and the credential that it uses.
    fn actor(&mut self, class: &str) -> (Client, Option<usize>) {
        let at = self.pick(|own| matches!(own.kind, Kind::UserToken | Kind::UserPat));
        let Some(at) = at.filter(|_| self.below(4) > 0) else { return (self.owner.clone(), None) };
        if self.all[at].kind == Kind::UserToken {
            return (self.daemon.client(&self.all[at].secret), Some(at));
        }
        match self.exchange(at, class) {
            Some(client) => (client, Some(at)),
            None => (self.owner.clone(), None),
        }
    }

    fn keep(&mut self, kind: Kind, secret: String, told: &Value, maker: Option<usize>) {
        let field = |names: [&str; 2]| names.iter().find_map(|name| told[*name].as_str()).unwrap_or("").to_owned();
        let new = Credential {
            id: field(["credential_id", "id"]),
            secret,
            kind,
            made_by: told["made_by"].as_str().map(str::to_owned).or_else(|| maker.map(|at| self.all[at].id.clone())),
            scopes: [&told["scopes"], &told["scope"]].into_iter().find(|l| l.is_array()).map(list).unwrap_or_default(),
            audience: told["audience"].as_str().unwrap_or("both").to_owned(),
            expires_at: told["expires_at"].as_str().unwrap_or("9999").to_owned(),
            revoked: false,
            tokens: Vec::new(),
        };
        if let Some(maker) = maker {
            let maker = &self.all[maker];
            let agents = matches!(kind, Kind::AgentPat | Kind::AgentToken | Kind::InternalKey);
            assert!(maker.audience == "both" || maker.audience == new.audience || kind != Kind::UserPat, "audience");
            if !agents {
                assert!(
                    new.scopes.iter().all(|scope| covers(&maker.scopes, scope)),
                    "{:?} by {:?}",
                    new.scopes,
                    maker.scopes
                );
                let cut = |at: &str| at.trim_end_matches('Z').get(..19).unwrap_or(at).to_owned();
                assert!(cut(&new.expires_at) <= cut(&maker.expires_at), "it outlives its maker");
            }
        }
        self.all.push(new);
    }

    fn step(&mut self) {
        match self.below(10) {
            0 => self.issue_user_token(),
            1 | 2 => self.make_key(),
            3 => self.make_agent_pat(),
            4 => self.issue_agent_token(),
            5 => self.set_scope(),
            6 => self.rotate(),
            7 => self.revoke(),
            8 => self.make_internal_key(),
            _ => {
                if let Some(at) = self.pick(|own| matches!(own.kind, Kind::UserPat | Kind::AgentPat)) {
                    let class = if self.all[at].kind == Kind::UserPat { "user_access" } else { "agent_access" };
                    let _ = self.exchange(at, class);
                }
            }
        }
    }

    fn issue_user_token(&mut self) {
        let maker = self.pick(|own| own.kind == Kind::UserToken);
        let client = maker.map_or_else(|| self.owner.clone(), |at| self.daemon.client(&self.all[at].secret));
        let mut body = json!({"expires_in_days": 1 + self.below(300)});
        if let Some(scopes) = self.scopes() {
            body["scope"] = json!(scopes);
        }
        let reply = client.post("/api/users/ow/tokens", body.clone());
        self.log.push(format!("user token {body} by {maker:?}: {}", reply.status));
        if reply.status == 201 {
            let told = reply.json();
            self.keep(Kind::UserToken, text(&told, "token"), &told, maker);
        }
    }

    fn make_key(&mut self) {
        let (client, maker) = self.actor("user_access");
        let mut body = json!({"name": "k", "expires_in_days": 1 + self.below(300)});
        if let Some(scopes) = self.scopes() {
            body["scopes"] = json!(scopes);
        }
        if self.below(2) == 0 {
            body["audience"] = json!(AUDIENCES[self.below(3)]);
        }
        let reply = client.post("/api/v1/keys", body.clone());
        self.log.push(format!("key {body} by {maker:?}: {}", reply.status));
        if reply.status == 201 {
            let told = reply.json();
            if let Some(maker) = maker {
                assert_eq!(told["made_by"], self.all[maker].id);
            }
            self.keep(Kind::UserPat, text(&told, "token"), &told, maker);
        }
    }

    fn make_agent_pat(&mut self) {
        let (client, maker) = if self.below(3) == 0 { (self.editor.clone(), None) } else { self.actor("user_admin") };
        let mut body = json!({"name": "a", "bound_agent_id": self.agent_id});
        if let Some(scopes) = self.scopes() {
            body["scopes"] = json!(scopes);
        }
        let reply = client.post("/api/v1/keys", body.clone());
        self.log.push(format!("agent key {body} by {maker:?}: {}", reply.status));
        if reply.status == 201 {
            let told = reply.json();
            self.keep(Kind::AgentPat, text(&told, "token"), &told, maker);
        } else if reply.status == 409 {
            // Revokes one to make room for the next.
            if let Some(at) = self.pick(|own| own.kind == Kind::AgentPat && !own.revoked) {
                self.owner.delete(&format!("/credentials/{}", self.all[at].id)).expect(200);
                self.all[at].revoked = true;
            }
        }
    }

    fn issue_agent_token(&mut self) {
        let by_editor = self.below(2) == 0;
        let client = if by_editor { self.editor.clone() } else { self.owner.clone() };
        let scopes = self.scopes();
        let body = scopes.as_ref().map_or(json!({}), |scopes| json!({"scope": scopes}));
        let reply = client.post("/api/agents/worker/token/issue", body.clone());
        self.log.push(format!("agent token {body} by editor {by_editor}: {}", reply.status));
        if reply.status == 200 {
            let told = reply.json();
            for own in self.all.iter_mut().filter(|own| own.kind == Kind::AgentToken) {
                own.revoked = true;
            }
            if by_editor {
                for scope in list(&told["scope"]) {
                    assert!(self.agent_may(&scope), "an editor widened to {scope}");
                }
            }
            self.keep(Kind::AgentToken, text(&told, "token"), &told, None);
        }
    }

    fn make_internal_key(&mut self) {
        let name = format!("k{}", self.all.len());
        let body = json!({"agent_id": self.agent_id, "name": name, "api_key_type": "internal"});
        let told = self.owner.post("/agent_api_keys", body).expect(200).json();
        self.log.push("internal key".into());
        self.keep(Kind::InternalKey, text(&told, "api_key"), &told, None);
    }

    fn set_scope(&mut self) {
        let scopes = self.scopes().unwrap_or_default();
        self.owner.put("/api/agents/worker/permissions", json!({"scope": scopes})).expect(200);
        self.log.push(format!("agent scope {scopes:?}"));
        self.agent_scope = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    fn rotate(&mut self) {
        let (client, by) = self.actor("user_access");
        let Some(at) = self.pick(|own| matches!(own.kind, Kind::UserPat | Kind::AgentPat)) else { return };
        let reply = client.post(&format!("/api/v1/keys/{}/rotate", self.all[at].id), json!({}));
        self.log.push(format!("rotate {at} by {by:?}: {}", reply.status));
        if reply.status != 200 {
            return;
        }
        assert!(self.lives(at), "a dead key was rotated");
        let told = reply.json();
        let (old, kind) = (self.all[at].id.clone(), self.all[at].kind);
        if kind == Kind::UserPat {
            let made_by = told["made_by"].as_str().map(str::to_owned);
            let by = by.map(|by| self.all[by].id.clone());
            assert!(made_by == self.all[at].made_by || by.is_none() || made_by == by, "{made_by:?}");
        }
        self.all[at].revoked = true;
        self.keep(kind, text(&told, "token"), &told, None);
        let new = self.all.last().expect("the successor").id.clone();
        for other in self.all.iter_mut().filter(|other| other.made_by.as_ref() == Some(&old)) {
            other.made_by = Some(new.clone());
        }
    }

    fn revoke(&mut self) {
        let Some(at) = self.pick(|own| own.kind == Kind::UserPat || own.kind == Kind::UserToken) else { return };
        let cascade = ["keys", "all", "none"][self.below(3)];
        let id = self.all[at].id.clone();
        let reply = if self.all[at].kind == Kind::UserPat {
            self.owner.delete(&format!("/credentials/{id}?cascade={cascade}"))
        } else {
            self.owner.delete(&format!("/api/users/ow/tokens/{id}?cascade={cascade}"))
        };
        self.log.push(format!("revoke {at} cascade {cascade}: {}", reply.status));
        if !matches!(reply.status, 200 | 204) {
            assert!(!self.lives(at), "{}", reply.text());
            return;
        }
        if reply.status == 200 && cascade == "all" {
            assert_eq!(reply.json()["still_live"], json!([]));
        }
        let mut dead: Vec<String> = vec![id.clone()];
        if cascade == "none" {
            let above = self.all[at].made_by.clone();
            for other in self.all.iter_mut().filter(|other| other.made_by.as_ref() == Some(&id)) {
                other.made_by.clone_from(&above);
            }
        } else {
            loop {
                let more: Vec<String> = self
                    .all
                    .iter()
                    .filter(|other| matches!(other.kind, Kind::UserPat | Kind::UserToken) || cascade == "all")
                    .filter(|other| other.made_by.as_ref().is_some_and(|maker| dead.contains(maker)))
                    .filter(|other| !dead.contains(&other.id))
                    .map(|other| other.id.clone())
                    .collect();
                if more.is_empty() {
                    break;
                }
                dead.extend(more);
            }
        }
        for other in self.all.iter_mut().filter(|other| dead.contains(&other.id)) {
            other.revoked = true;
        }
    }

    /// Whether the agent's own scope covers `scope`, directly or by an action that implies it.
    fn agent_may(&self, scope: &str) -> bool {
        let with = match scope {
            "auth.whoami" | "credentials.fingerprint" => return true,
            "agents.presence" => "agents.list",
            "agents.heartbeat" | "agents.processing" | "agents.profile" => "agents.register",
            other => other,
        };
        covers(&self.agent_scope, scope) || covers(&self.agent_scope, with)
    }

    /// Checks whether one credential works as it should, and what it may do.
    fn probe(&mut self, at: usize) {
        let (kind, lives) = (self.all[at].kind, self.lives(at));
        let secret = self.all[at].secret.clone();
        let mut clients = Vec::new();
        match kind {
            Kind::UserToken | Kind::AgentToken => clients.push(self.daemon.client(&secret)),
            Kind::InternalKey => {
                let client = self.daemon.anonymous().with("x-agent-api-key", &secret);
                let status = client.get("/agents").status;
                let may = self.agent_may("agents.list") && covers(&self.all[at].scopes_or_all(), "agents.list");
                assert!(status == 403 || (status == 200 && may), "{at}: {status}\n{}", self.log.join("\n"));
            }
            Kind::UserPat | Kind::AgentPat => {
                let class = if kind == Kind::UserPat { "user_access" } else { "agent_access" };
                let before = self.all[at].tokens.len();
                let fresh = self.exchange(at, class);
                assert!(lives || fresh.is_none(), "{at} is dead and exchanges\n{}", self.log.join("\n"));
                clients.extend(self.all[at].tokens[..before].iter().map(|token| self.daemon.client(token)));
                clients.extend(fresh.filter(|_| self.all[at].audience != "mcp"));
            }
        }
        for client in clients {
            let me = client.get("/api/auth/whoami");
            if !lives {
                assert_eq!(me.status, 401, "{at} is dead\n{}", self.log.join("\n"));
                continue;
            }
            assert_eq!(me.status, 200, "{at} is stranded: {}\n{}", me.text(), self.log.join("\n"));
            for scope in list(&me.json()["scope"]) {
                let mut above = Some(at);
                while let Some(own) = above.filter(|_| matches!(kind, Kind::UserToken | Kind::UserPat)) {
                    assert!(
                        covers(&self.all[own].scopes, &scope),
                        "{at}: {scope} is beyond {own}\n{}",
                        self.log.join("\n")
                    );
                    let maker = self.all[own].made_by.clone();
                    above = maker.and_then(|maker| self.all.iter().position(|other| other.id == maker));
                }
                if matches!(kind, Kind::AgentPat | Kind::AgentToken) {
                    assert!(self.agent_may(&scope), "{at}: {scope} is beyond the agent\n{}", self.log.join("\n"));
                }
            }
        }
    }
}

impl Credential {
    fn scopes_or_all(&self) -> Vec<String> {
        if self.scopes.is_empty() { vec!["*".into()] } else { self.scopes.clone() }
    }
}

fn run(seed: u64) {
    let mut fixture = Fixture::new(seed);
    for _ in 0..STEPS {
        fixture.step();
        for _ in 0..3 {
            if let Some(at) = fixture.pick(|_| true) {
                fixture.probe(at);
            }
        }
    }
    for at in 0..fixture.all.len() {
        fixture.probe(at);
    }
    assert!(fixture.all.len() > 20, "little was made: {}", fixture.log.join("\n"));
}

#[test]
fn random_sequences_never_yield_more_than_owner_and_maker_allow() {
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            scope.spawn(move || run(seed));
        }
    });
}
