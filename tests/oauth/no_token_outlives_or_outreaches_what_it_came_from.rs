//! Random sequences beside a model: requests, consents, codes, refreshes, replays, revocations, devices, exchanges,
//! narrowed and archived agents, disabled people and restarts. Every token does exactly what its origin allows at that
//! moment, a replay ends the whole grant, and every code works at most once.
//!
//! `TAOSD_MODEL_STEPS` sets the number of steps, `TAOSD_MODEL_SEED` the seed of the random choices.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::model::{Asked, Code, From, Key, Model, SCOPES, Way};
use crate::program::{CALLBACK, VERIFIER, challenge, form};
use crate::support::{Dice, text};

impl Model {
    /// A program asks for a login, by a browser or by the device grant.
    fn ask(&mut self) {
        let (client, words) = (self.dice.below(2), self.words());
        if self.dice.once_in(4) {
            return self.ask_for_a_device(client, words);
        }
        let challenge = challenge(VERIFIER);
        let scope = words.join(" ");
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.clients[client]),
            ("redirect_uri", CALLBACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", &scope),
        ]);
        let page = self.daemon.anonymous().get(&format!("/oauth/authorize?{query}")).expect(200).text();
        let from = page.find("/oauth/consent/").expect("a link");
        let path = page[from..from + "/oauth/consent/".len() + 43].to_owned();
        self.waits(Asked { path, client, words, seen_by: None, way: Way::Redirect });
    }

    fn ask_for_a_device(&mut self, client: usize, words: Vec<&'static str>) {
        let scope = words.join(" ");
        self.devices += 1;
        let fields = [("client_id", self.clients[client].as_str()), ("scope", &scope)];
        let told = self.post("/oauth/device_authorization", &fields).expect(200).json();
        let Some(session) = self.pick(|all| &all.sessions, |one| one.lives == [true; 2]) else { return };
        let typed = json!({"user_code": told["user_code"]});
        let led = self.sessions[session].browser.post("/oauth/device", typed).expect(200).json();
        let way = Way::Device(text(&told, "device_code"), self.devices);
        self.waits(Asked { path: text(&led, "redirect_to"), client, words, seen_by: Some(session), way });
    }

    /// Keeps fewer waiting requests than the daemon, which holds 16 of a peer and 8 devices.
    fn waits(&mut self, asked: Asked) {
        self.asked.push(asked);
        if self.asked.len() > 6 {
            self.asked.remove(0);
        }
        let oldest = self.devices.saturating_sub(6);
        self.asked.retain(|one| !matches!(one.way, Way::Device(_, device) if device <= oldest));
        self.codes.retain(|one| one.device.is_none_or(|device| device > oldest));
    }

    /// A random session, mostly one that lives.
    fn somebody(&mut self) -> Option<usize> {
        let any = self.dice.once_in(10);
        self.pick(|all| &all.sessions, |one| any || one.lives == [true; 2])
    }

    /// A random agent, mostly one that lives.
    fn some_agent(&mut self) -> Option<usize> {
        let any = self.dice.once_in(10);
        self.pick(|all| &all.agents, |agent| any || agent.lives)
    }

    /// A person decides. Sometimes she has not seen the page, ticks more than was asked for, or what she may not give.
    fn consent(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let nth = self.dice.below(self.asked.len());
        let Some(session) = self.somebody() else { return };
        let asked = self.asked[nth].clone();
        let browser = self.sessions[session].browser.clone();
        let mut seen_by = asked.seen_by;
        if !self.dice.once_in(8) {
            let page = browser.get(&asked.path);
            if self.session_lives(session) {
                seen_by = Some(*seen_by.get_or_insert(session));
                assert_eq!(page.status == 200, seen_by == Some(session), "step {}", self.steps);
            }
            self.asked[nth].seen_by = seen_by;
        }
        let (ticked, is_denied) = (self.words(), self.dice.once_in(10));
        let whom = if self.dice.once_in(3) { None } else { self.some_agent() };
        let act_as = whom.map_or(json!({"user": true}), |agent| json!({"agent_id": self.agents[agent].id}));
        let decision = if is_denied { "deny" } else { "allow" };
        let reply = browser.post(&asked.path, json!({"decision": decision, "act_as": act_as, "scope": ticked}));
        let expected = match self.session_lives(session) {
            false => Err(401),
            true if seen_by != Some(session) => Err(404),
            true if is_denied => Ok(Vec::new()),
            true => self
                .consented(&asked.words, &ticked, session)
                .and_then(|words| if self.whom_lives(whom) { Ok(words) } else { Err(404) }),
        };
        let status = expected.as_ref().map_or_else(|status| *status, |_| 200);
        assert_eq!(reply.status, status, "step {}: {}", self.steps, reply.text());
        let Ok(words) = expected else { return };
        self.asked.remove(nth);
        if is_denied {
            return;
        }
        let (text, device) = match asked.way {
            Way::Redirect => (Self::led(&reply).expect("a code"), None),
            Way::Device(code, device) => (code, Some(device)),
        };
        let (client, made) = (asked.client, Instant::now());
        self.codes.push(Code { text, client, words, whom, session, made, device, is_used: false, gave: None });
        // The daemon remembers only a few used codes.
        if self.codes.len() > 16 {
            self.codes.remove(0);
        }
    }

    /// A program or a thief shows a code, perhaps a used one.
    fn show_code(&mut self) {
        if self.codes.is_empty() {
            return;
        }
        let nth = self.dice.below(self.codes.len());
        let code = &self.codes[nth];
        if !self.is_judged(code) {
            self.codes.remove(nth);
            return;
        }
        let (is_thief, is_wrong) = (self.dice.once_in(12), self.dice.once_in(12));
        let code = &self.codes[nth];
        let client = if is_thief { 1 - code.client } else { code.client };
        let reply = self.show(code, client, if is_wrong { &VERIFIER[1..] } else { VERIFIER });
        let is_right = !is_thief && (code.device.is_some() || !is_wrong);
        let works = !code.is_used && is_right && self.session_lives(code.session) && self.whom_lives(code.whom);
        let whom = [self.session_lives(code.session), self.whom_lives(code.whom)];
        let told =
            format!("step {}: thief {is_thief}, wrong {is_wrong}, {whom:?}, {code:?}: {}", self.steps, reply.text());
        assert_eq!(reply.status, if works { 200 } else { 400 }, "{told}");
        if works {
            self.codes[nth].is_used = true;
            return self.given(nth, &reply.json());
        }
        // A device code that the wrong client shows stays unused. One that its own client showed in vain is used up.
        if code.device.is_none() {
            if let Some(grant) = code.gave {
                self.grants[grant].lives = false;
            }
            self.codes[nth].is_used = true;
        } else if is_right {
            self.codes[nth].is_used = true;
        }
    }

    /// A refresh: with the current token or an old one, by its own program or another, perhaps for fewer words.
    fn refresh(&mut self) {
        let Some(nth) = self.pick(|all| &all.grants, |grant| grant.lives) else { return };
        let grant = &self.grants[nth];
        let count = grant.refresh.len();
        let at = if self.dice.once_in(5) { self.dice.below(count) } else { count - 1 };
        let is_thief = self.dice.once_in(15);
        let fewer = self.dice.once_in(4);
        let grant = &self.grants[nth];
        let words = if fewer { grant.words[..1].to_vec() } else { grant.words.clone() };
        let chance = self.has_second_chance(nth, at);
        if at + 1 < count && chance.is_none() {
            return;
        }
        let client = if is_thief { 1 - grant.client } else { grant.client };
        // The daemon drops words that the grant never had, such as `context`.
        let scope = format!("{} context", words.join(" "));
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", grant.refresh[at].as_str()),
            ("client_id", &self.clients[client]),
            ("scope", &scope),
        ];
        let reply = self.post("/oauth/token", &fields);
        let is_present = at + 1 == count;
        let works = self.lives(nth) && !is_thief && (is_present || chance == Some(true));
        assert_eq!(reply.status, if works { 200 } else { 400 }, "step {}: {}", self.steps, reply.text());
        let grant = &mut self.grants[nth];
        if !works {
            // A refresh by a thief's client does not change the grant. One with an old token ends it.
            grant.lives &= is_thief || is_present;
            return;
        }
        let told = reply.json();
        grant.previous = is_present.then_some(at);
        grant.refresh.push(text(&told, "refresh_token"));
        grant.refreshed = Instant::now();
        self.accessed(&told, &words, From::Grant(nth));
    }

    /// The program revokes its grant.
    fn revoke(&mut self) {
        let Some(nth) = self.pick(|all| &all.grants, |grant| grant.lives) else { return };
        let grant = &self.grants[nth];
        let client = &self.clients[grant.client];
        let refresh = &grant.refresh[self.dice.below(grant.refresh.len())];
        self.post("/oauth/revoke", &[("token", refresh), ("client_id", client)]).expect(200);
        self.grants[nth].lives = false;
    }

    /// An agent's key becomes a token by either grant type, or is made, or is revoked.
    fn key(&mut self) {
        let operator = self.daemon.operator();
        let Some(at) = self.pick(|all| &all.keys, |key| key.lives) else {
            let Some(agent) = self.pick(|all| &all.agents, |agent| agent.lives) else { return };
            let body =
                json!({"name": "k", "bound_agent_id": self.agents[agent].id, "scopes": ["tasks.*", "messages.*"]});
            let made = operator.post("/api/v1/keys", body).expect(201).json();
            let (text, id) = (text(&made, "token"), text(&made, "credential_id"));
            return self.keys.push(Key { text, id, agent, lives: true });
        };
        if self.dice.once_in(6) {
            operator.delete(&format!("/credentials/{}", self.keys[at].id)).expect(200);
            self.keys[at].lives = false;
            return;
        }
        let (words, is_exchange) = (self.words(), self.dice.once_in(2));
        let (key, scope) = (&self.keys[at], words.join(" "));
        let reply = if is_exchange {
            let fields = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", key.text.as_str()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("scope", &scope),
            ];
            self.post("/oauth/token", &fields)
        } else {
            let id = key.text.split('.').next().unwrap_or_default();
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", &key.text),
                ("scope", &scope),
            ];
            self.post("/oauth/token", &fields)
        };
        if reply.status == 200 {
            self.accessed(&reply.json(), &words, From::Key(at));
        } else {
            // The agent no longer has the scopes that are asked for.
            assert_eq!(reply.json()["error"], "invalid_scope", "step {}: {}", self.steps, reply.text());
        }
    }

    /// People and agents lose rights, and new ones replace those that ended.
    fn rights(&mut self) {
        let operator = self.daemon.operator();
        match self.dice.below(12) {
            0 => {
                let Some(nth) = self.pick(|all| &all.sessions, |one| one.lives[0]) else { return };
                operator.delete(&format!("/api/users/eve/tokens/{}", self.sessions[nth].token)).expect(204);
                self.sessions[nth].lives = [false; 2];
            }
            1 => {
                let Some(nth) = self.pick(|all| &all.sessions, |one| one.lives == [true; 2]) else { return };
                self.sessions[nth].browser.delete("/api/sessions/current").expect(204);
                self.sessions[nth].lives[1] = false;
            }
            2 => {
                let Some(nth) = self.pick(|all| &all.agents, |agent| agent.lives) else { return };
                operator.delete(&format!("/api/agents/{}", self.agents[nth].name)).expect(200);
                self.agents[nth].lives = false;
                self.keys.iter_mut().filter(|key| key.agent == nth).for_each(|key| key.lives = false);
                self.born();
            }
            3 if self.dice.once_in(3) => {
                // Nothing that came from her works while she is disabled. Afterwards it works again.
                operator.patch("/api/users/eve", json!({"disabled": true})).expect(200);
                let of_her = self.access.iter().filter(|token| matches!(token.from, From::Grant(_)));
                of_her.for_each(|token| drop(token.client.get("/api/v1/tasks").expect(401)));
                self.sessions.iter().for_each(|one| drop(one.browser.get("/api/auth/whoami").expect(401)));
                if let Some(grant) = self.pick(|all| &all.grants, |grant| grant.lives) {
                    let grant = &self.grants[grant];
                    let (client, last) = (&self.clients[grant.client], grant.refresh.last().expect("a token"));
                    let fields = [("grant_type", "refresh_token"), ("refresh_token", last), ("client_id", client)];
                    self.post("/oauth/token", &fields).expect_error(400, "invalid_grant");
                }
                operator.patch("/api/users/eve", json!({"disabled": false})).expect(200);
            }
            4..=7 => {
                let Some(nth) = self.pick(|all| &all.agents, |agent| agent.lives) else { return };
                // The first row, `*`, is wider than the scopes of agents in this test.
                let scopes = 1 + self.dice.below(SCOPES.len() - 1);
                self.scoped(nth, scopes);
            }
            _ => {}
        }
        if self.sessions.iter().filter(|one| one.lives == [true; 2]).count() < 3 {
            let scopes = self.dice.below(SCOPES.len());
            self.enter(scopes);
        }
    }

    /// The daemon starts again. Requests and codes are lost, grants and tokens stay.
    fn again(&mut self) {
        if self.dice.once_in(2) {
            self.daemon.kill();
            self.daemon.spawn();
        } else {
            self.daemon.restart();
        }
        self.asked.clear();
        self.codes.clear();
        let address = self.daemon.address.clone();
        self.sessions.iter_mut().for_each(|one| one.browser = one.browser.at(&address));
        self.access.iter_mut().for_each(|one| one.client = one.client.at(&address));
    }

    /// Whether the run has tried enough tokens and made enough grants for this number of steps.
    fn has_seen(&self, steps: u64) -> bool {
        let [refused, allowed] = self.tried;
        allowed > steps / 20 && refused > steps / 20 && self.grants.len() as u64 > steps / 50
    }

    fn step(&mut self) {
        self.steps += 1;
        match self.dice.below(1000) {
            0..=1 => self.again(),
            2..=59 => self.rights(),
            60..=229 => self.ask(),
            230..=459 => self.consent(),
            460..=619 => self.show_code(),
            620..=769 => self.refresh(),
            770..=789 => self.revoke(),
            790..=839 => self.key(),
            _ => self.look(),
        }
        self.forget();
    }

    /// Tries a token. Of those that no longer live, the model drops one in three.
    fn look(&mut self) {
        if self.access.is_empty() {
            return;
        }
        let nth = self.dice.below(self.access.len());
        if !self.probe(nth) && self.dice.once_in(3) {
            self.access.remove(nth);
        }
    }

    /// Tries a token now and then, and drops old tokens and grants: an agent may have 10 grants, a person 50.
    fn forget(&mut self) {
        if self.steps.is_multiple_of(4) {
            self.look();
        }
        while self.access.len() > 40 {
            self.probe(0);
            self.access.remove(0);
        }
        for whom in (0..self.agents.len()).map(Some).chain([None]) {
            let live: Vec<usize> =
                (0..self.grants.len()).filter(|nth| self.grants[*nth].whom == whom && self.lives(*nth)).collect();
            if live.len() > 8 {
                let grant = &self.grants[live[0]];
                let fields = [("token", grant.refresh[0].as_str()), ("client_id", &self.clients[grant.client])];
                self.post("/oauth/revoke", &fields).expect(200);
                self.grants[live[0]].lives = false;
            }
        }
    }
}

fn run(steps: u64) {
    let steps = Dice::told("TAOSD_MODEL_STEPS").unwrap_or(steps);
    let seed = Dice::told("TAOSD_MODEL_SEED").unwrap_or_else(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos() & 0xffff_ffff)
            .expect("32 bits")
    });
    eprintln!("TAOSD_MODEL_SEED={seed} TAOSD_MODEL_STEPS={steps}");
    let mut model = Model::new(seed);
    // A short run may by chance try too little. Then it goes on.
    while model.steps < steps || !model.has_seen(steps) && model.steps < 5 * steps {
        model.step();
    }
    for nth in 0..model.access.len() {
        model.probe(nth);
    }
    let [refused, allowed] = model.tried;
    eprintln!("{} steps: {} grants; {allowed} tries were allowed, {refused} were not", model.steps, model.grants.len());
    assert!(model.has_seen(steps), "it saw too little to prove anything");
    let live = (0..model.grants.len()).filter(|nth| model.lives(*nth)).count();
    let told = model.daemon.operator().get("/api/oauth/grants?limit=200").expect(200).json();
    assert_eq!(told.as_array().map(Vec::len), Some(live));
}

#[test]
fn every_token_does_what_it_came_from_allows_now() {
    run(800);
}

#[test]
#[ignore = "takes minutes"]
fn every_token_does_what_it_came_from_allows_now_ten_thousand_times() {
    run(12_000);
}
