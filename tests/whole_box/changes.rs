//! Changes to members, roles, credentials, requests, scopes, freezes and agents. The model says whether the caller may
//! make the change.

use serde_json::{Value, json};

use crate::requests::given::seconds_of;
use crate::support::text;
use crate::whole_box::World;
use crate::whole_box::bench::ask;
use crate::whole_box::state::{AGENT_DEFAULT, Credential, Given, Held, Kind, Lease, Need, Role, State, Who};

const ROLES: [Role; 3] = [Role::Viewer, Role::Editor, Role::Owner];
/// The scopes of the tokens that a user makes after the first one.
const SOME_SCOPES: &[&[&str]] = &[
    &["messages.*", "spaces.*", "agents.read", "agents.list"],
    &["tasks.*", "context.*", "agents.token.issue", "agents.read"],
    &["agents.*", "grants.list", "requests.*", "notifications.read"],
];
/// The scopes that an agent asks for, and otherwise has only if its owner gives them.
const MORE: [&str; 3] = ["agents.export", "agents.token.read", "agents.update"];
/// The most live credentials of one kind that a principal has. Before another one is made, one is revoked.
const AT_MOST: usize = 2;
/// The number of ended credentials that the model keeps to try.
const DEAD: usize = 40;

impl World {
    pub fn change(&mut self) {
        match self.dice.below(100) {
            0..=19 => self.let_in(),
            20..=29 => self.put_out(),
            30..=41 => self.give_a_role(),
            42..=49 => self.take_a_role(),
            50..=64 => self.ask_for_more(),
            65..=80 => self.credentials(),
            81..=86 => self.set_scope(),
            87..=95 => self.freeze_or_thaw(),
            _ => self.replace(),
        }
    }

    /// The first token of this person, or any credential.
    fn one_of(&mut self, user: usize) -> usize {
        if self.dice.once_in(2) {
            return self.any_credential();
        }
        let all = &self.bench.state.credentials;
        all.iter().position(|one| one.who == Who::User(user)).expect("the first")
    }

    fn owner_of(&self, agent: usize) -> usize {
        self.bench.state.agents[agent].owner
    }

    /// A user or an agent.
    fn anybody(&mut self) -> Who {
        match self.dice.below(2) {
            0 => Who::User(self.dice.below(self.bench.state.people.len())),
            _ => Who::Agent(self.any_agent()),
        }
    }

    fn principal(&self, who: Who) -> String {
        match who {
            Who::User(user) => format!("user:{}", self.bench.state.people[user].name),
            Who::Agent(agent) => format!("agent:{}", self.bench.state.agents[agent].name),
        }
    }

    /// True if this caller may know of `whom`. It may know of an agent only if it has a role on it.
    fn knows_of(&self, nth: usize, whom: Who) -> bool {
        let state = &self.bench.state;
        match whom {
            Who::User(_) => true,
            Who::Agent(agent) => state.agent_role(state.credentials[nth].who, agent, self.bench.now()).is_some(),
        }
    }

    /// Adds a member to a space, by one of two routes.
    fn let_in(&mut self) {
        let (whom, space) = (self.anybody(), self.dice.below(self.bench.state.spaces.len()));
        let nth = self.one_of(self.bench.state.spaces[space].owner);
        let is_at_home = match whom {
            Who::User(user) => self.bench.state.spaces[space].owner == user,
            Who::Agent(agent) => self.bench.state.agents[agent].home == space,
        };
        if is_at_home {
            return;
        }
        let role = *self.dice.of(&ROLES).expect("roles");
        let seconds = self.dice.once_in(2).then(|| 60 + self.dice.below(60));
        let id = self.bench.state.spaces[space].id.clone();
        let mut fields = json!({"role": role.word()});
        if let Some(seconds) = seconds {
            fields["expires_in_seconds"] = json!(seconds);
        }
        let one = if self.dice.once_in(2) {
            match whom {
                Who::User(user) => fields["username"] = json!(self.bench.state.people[user].name),
                Who::Agent(agent) => fields["agent"] = json!(self.bench.state.agents[agent].id),
            }
            ask("spaces_members_add", &[&id], fields)
        } else {
            fields["principal"] = json!(self.principal(whom));
            fields["resource"] = json!(format!("space:{id}"));
            ask("grants_create", &[], fields)
        };
        let need = if self.knows_of(nth, whom) { Need::ToGiveASpace(space) } else { Need::Never };
        let before = self.bench.now();
        if self.judge(nth, &one, need).is_some() {
            let until = seconds.map(|seconds| before + seconds as f64);
            let held = self.bench.state.in_spaces.entry((whom, space)).or_default();
            held.own = Some(Given { role, until, id: String::new() });
            if let (Who::User(user), Role::Owner) = (whom, role) {
                self.bench.state.have_owned.insert((user, space));
            }
            self.leases_are_unknown(whom);
        }
    }

    /// Removes a member from a space, or a member leaves.
    fn put_out(&mut self) {
        let members: Vec<(Who, usize)> = self.bench.state.in_spaces.keys().copied().collect();
        let Some(&(whom, space)) = self.dice.of(&members) else { return };
        let nth = self.one_of(self.bench.state.spaces[space].owner);
        let state = &self.bench.state;
        let now = self.bench.now();
        // Skipped if `whom` is no longer a member, or not for certain.
        if state.is_in_doubt(whom, now) || state.space_role(whom, space, now).is_none() {
            return;
        }
        let member = match whom {
            Who::User(user) => state.people[user].id.clone(),
            Who::Agent(agent) => state.agents[agent].id.clone(),
        };
        let one = ask("spaces_members_remove", &[&state.spaces[space].id, &member], json!({}));
        let leaves = state.credentials[nth].who == whom;
        let need = if leaves { Need::Nothing } else { Need::Space(space, Role::Owner) };
        if self.judge(nth, &one, need).is_some() {
            self.bench.state.in_spaces.remove(&(whom, space));
            self.leases_are_unknown(whom);
        }
    }

    /// Gives a role on an agent.
    fn give_a_role(&mut self) {
        let (whom, agent) = (self.anybody(), self.any_agent());
        let nth = self.one_of(self.owner_of(agent));
        let is_natural = whom == Who::User(self.bench.state.agents[agent].owner) || whom == Who::Agent(agent);
        if is_natural {
            return;
        }
        let role = *self.dice.of(&ROLES).expect("roles");
        let seconds = self.dice.once_in(2).then(|| 60 + self.dice.below(60));
        let resource = format!("agent:{}", self.bench.state.agents[agent].id);
        let mut fields = json!({"principal": self.principal(whom), "resource": resource, "role": role.word()});
        if let Some(seconds) = seconds {
            fields["expires_in_seconds"] = json!(seconds);
        }
        let need = if self.knows_of(nth, whom) { Need::ToGiveAnAgent(agent) } else { Need::Never };
        let before = self.bench.now();
        if let Some(outcome) = self.judge(nth, &ask("grants_create", &[], fields), need) {
            let (until, id) = (seconds.map(|seconds| before + seconds as f64), text(&outcome.json(), "id"));
            let held = self.bench.state.on_agents.entry((whom, agent)).or_default();
            held.own = Some(Given { role, until, id });
        }
    }

    fn take_a_role(&mut self) {
        let given: Vec<((Who, usize), String)> = self
            .bench
            .state
            .on_agents
            .iter()
            .filter_map(|(key, held)| Some((*key, held.own.as_ref()?.id.clone())))
            .collect();
        let Some(((whom, agent), id)) = self.dice.of(&given).cloned() else { return };
        let nth = self.one_of(self.owner_of(agent));
        if self.bench.state.is_in_doubt(whom, self.bench.now()) || self.is_over(whom, agent) {
            return;
        }
        if self.judge(nth, &ask("grants_delete", &[&id], json!({})), Need::ToGiveAnAgent(agent)).is_some() {
            self.bench.state.on_agents.entry((whom, agent)).or_default().own = None;
        }
    }

    fn is_over(&self, whom: Who, agent: usize) -> bool {
        let own = self.bench.state.on_agents.get(&(whom, agent)).and_then(|held| held.own.as_ref());
        own.and_then(|given| given.until).is_some_and(|until| until <= self.bench.now())
    }

    /// An agent asks for a scope or for a space, and somebody decides.
    fn ask_for_more(&mut self) {
        let place = self.any_agent();
        let own = |one: &usize| {
            let credential = &self.bench.state.credentials[*one];
            credential.who == Who::Agent(place) && credential.is_live && credential.kind == Kind::AgentToken
        };
        let Some(nth) = (0..self.bench.state.credentials.len()).find(own) else { return };
        let agent = self.bench.state.agents[place].clone();
        let seconds = 60 + self.dice.below(60);
        let space = self.dice.below(self.bench.state.spaces.len());
        let role = *self.dice.of(&ROLES[..2]).expect("roles");
        let word = *self.dice.of(&MORE).expect("words");
        let for_space = self.dice.once_in(2);
        let fields = if for_space {
            let (resource, reason) = (&self.bench.state.spaces[space].id, format!("zzwants{place}s{space}end"));
            json!({"kind": "grant", "resource": format!("space:{resource}"), "role": role.word(), "reason": reason,
                "duration_seconds": seconds})
        } else {
            json!({"kind": "scope", "scope": [word], "reason": "for work", "duration_seconds": seconds})
        };
        let asked = ask("requests_create", &[], fields);
        self.bench.an_hour_passes(&agent.id);
        let Some(outcome) = self.judge(nth, &asked, Need::Nothing) else { return };
        let Some(id) = outcome.json()["id"].as_str().map(str::to_owned) else { return };
        self.decide(place, (for_space, space, role, word), &id);
        // A request that was not decided is withdrawn.
        let client = self.bench.client(nth, false);
        let back = self.bench.send(&client, &ask("requests_withdraw", &[&id], json!({})), false);
        assert!(back.status < 500, "{}", back.text());
    }

    fn decide(&mut self, place: usize, what: (bool, usize, Role, &'static str), id: &str) {
        let (for_space, space, role, word) = what;
        let nth = self.one_of(if for_space { self.bench.state.spaces[space].owner } else { self.owner_of(place) });
        let who = self.bench.state.credentials[nth].who;
        let agent = &self.bench.state.agents[place];
        let need = match (who, for_space) {
            // An agent never decides.
            (Who::Agent(_), _) => Need::Never,
            (_, true) => Need::Space(space, Role::Owner),
            // Only the agent's owner decides, not a user who was given the owner role.
            (Who::User(user), false) if user == agent.owner => Need::Nothing,
            (_, false) => Need::Never,
        };
        let is_frozen = agent.is_frozen;
        // A user can give only scopes that the credential in use covers.
        let holds = self.bench.state.covers(&self.bench.state.credentials[nth], word, false, self.bench.now());
        let need = if for_space || holds { need } else { Need::Never };
        let Some(outcome) = self.judge(nth, &ask("requests_approve", &[id], json!({})), need) else { return };
        assert!(!is_frozen, "step {}: a frozen agent asked", self.steps);
        let until = Some(seconds_of(&text(&outcome.json(), "until")));
        let owner = self.bench.state.spaces[space].owner;
        if for_space && who != Who::User(owner) {
            // It would end with the role of the decider. So the space's owner revokes it.
            self.bench.person(owner).post(&format!("/api/requests/{id}/revoke"), json!({})).expect(200);
        } else if for_space {
            let held: &mut Held = self.bench.state.in_spaces.entry((Who::Agent(place), space)).or_default();
            held.asked.push(Given { role, until, id: id.to_owned() });
        } else {
            let given = Given { role: Role::Viewer, until, id: id.to_owned() };
            self.bench.state.agents[place].extra.push((word, given));
        }
    }

    /// Makes or revokes a credential.
    fn credentials(&mut self) {
        match self.dice.below(10) {
            0..=3 => self.issue_a_token(),
            4 => self.make_a_key_of_a_user(),
            5 => self.make_a_token_of_a_user(),
            6 => self.make_a_key_of_an_agent(Kind::AgentKey),
            7 => self.make_a_key_of_an_agent(Kind::InternalKey),
            _ => self.revoke_one(),
        }
    }

    /// Issues an agent's token, which ends the one before.
    fn issue_a_token(&mut self) {
        let place = self.any_agent();
        let nth = self.one_of(self.owner_of(place));
        let agent = self.bench.state.agents[place].clone();
        let holds = State::holds(&self.bench.state.credentials[nth], &agent.scope);
        let need = match agent.is_frozen || !holds {
            true => Need::Never,
            false => Need::Agent(place, Role::Editor),
        };
        let one = ask("agents_token_issue", &[&agent.name], json!({}));
        let Some(outcome) = self.judge(nth, &one, need) else { return };
        for other in &mut self.bench.state.credentials {
            other.is_live &= other.who != Who::Agent(place) || other.kind != Kind::AgentToken;
        }
        let made = self.bench.credential(Who::Agent(place), Kind::AgentToken, &outcome.json(), &agent.scope);
        self.adds(made);
    }

    fn make_a_key_of_a_user(&mut self) {
        let user = self.dice.below(self.bench.state.people.len());
        let made = self.bench.person(user).post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
        let key = self.bench.credential(Who::User(user), Kind::UserKey, &made, &["*"]);
        self.makes_room(Who::User(user), Kind::UserKey);
        self.adds(key);
    }

    fn make_a_token_of_a_user(&mut self) {
        let user = self.dice.below(self.bench.state.people.len());
        let scopes = *self.dice.of(SOME_SCOPES).expect("scopes");
        let path = format!("/api/users/{}/tokens", self.bench.state.people[user].name);
        let made = self.bench.person(user).post(&path, json!({"scope": scopes})).expect(201).json();
        let token = self.bench.credential(Who::User(user), Kind::UserToken, &made, scopes);
        self.makes_room(Who::User(user), Kind::UserToken);
        self.adds(token);
    }

    fn make_a_key_of_an_agent(&mut self, kind: Kind) {
        let place = self.any_agent();
        let agent = self.bench.state.agents[place].clone();
        if agent.is_frozen {
            return;
        }
        self.makes_room(Who::Agent(place), kind);
        let owner = self.bench.person(agent.owner);
        let made = match kind {
            Kind::AgentKey => {
                let body = json!({"agent_id": agent.id, "audience": "both"});
                owner.post("/credentials/agent-pat", body).expect(201).json()
            }
            _ => {
                let name = format!("key{}", self.steps);
                let body = json!({"agent_id": agent.id, "name": name, "api_key_type": "internal"});
                owner.post("/agent_api_keys", body).expect(200).json()
            }
        };
        // An agent key holds the agent's present scope. An internal key holds its maker's scope, which is everything.
        let mut scopes = if kind == Kind::AgentKey { agent.scope } else { vec!["*"] };
        if scopes.contains(&"agents.list") {
            scopes.push("agents.presence");
        }
        let key = self.bench.credential(Who::Agent(place), kind, &made, &scopes);
        self.adds(key);
    }

    fn adds(&mut self, made: Credential) {
        let all = &mut self.bench.state.credentials;
        all.push(made);
        // The model keeps the credentials that ended last. Not between a backup and its restore, which goes by the
        // positions in the list.
        let dead = all.iter().filter(|one| !one.is_live).count();
        if dead > 2 * DEAD && self.may_replace {
            let mut extra = dead - DEAD;
            all.retain(|one| {
                let goes = !one.is_live && extra > 0;
                extra -= usize::from(goes);
                !goes
            });
            self.bench.forget_tokens();
        }
    }

    /// Revokes a credential of this kind if there are [`AT_MOST`].
    fn makes_room(&mut self, who: Who, kind: Kind) {
        let own: Vec<usize> = (0..self.bench.state.credentials.len())
            .filter(|&nth| {
                let one = &self.bench.state.credentials[nth];
                one.who == who && one.kind == kind && one.is_live && !self.is_first(nth)
            })
            .collect();
        if own.len() >= AT_MOST {
            self.revoke(own[0]);
        }
    }

    /// True for a person's first token, which is never revoked.
    fn is_first(&self, nth: usize) -> bool {
        let all = &self.bench.state.credentials;
        all[nth].kind == Kind::UserToken
            && !all[..nth].iter().any(|one| one.who == all[nth].who && one.kind == all[nth].kind)
    }

    fn revoke_one(&mut self) {
        let live: Vec<usize> = (0..self.bench.state.credentials.len())
            .filter(|&nth| self.bench.state.credentials[nth].is_live && !self.is_first(nth))
            .collect();
        if let Some(&nth) = self.dice.of(&live) {
            self.revoke(nth);
        }
    }

    pub fn revoke(&mut self, nth: usize) {
        let credential = self.bench.state.credentials[nth].clone();
        let owner = match credential.who {
            Who::User(user) => user,
            Who::Agent(agent) => self.bench.state.agents[agent].owner,
        };
        let client = self.bench.person(owner);
        let path = match (credential.kind, credential.who) {
            (Kind::UserToken, Who::User(user)) => {
                format!("/api/users/{}/tokens/{}", self.bench.state.people[user].name, credential.id)
            }
            (Kind::AgentToken, Who::Agent(agent)) => {
                format!("/api/agents/{}/token", self.bench.state.agents[agent].name)
            }
            (Kind::InternalKey, _) => format!("/agent_api_keys/{}", credential.id),
            _ => format!("/credentials/{}", credential.id),
        };
        let reply = client.delete(&path);
        assert!(reply.status < 300, "{path}: {}", reply.text());
        self.bench.state.credentials[nth].is_live = false;
    }

    /// An owner narrows or widens an agent's scope. Every credential of the agent follows.
    fn set_scope(&mut self) {
        let place = self.any_agent();
        let nth = self.one_of(self.owner_of(place));
        let mut scope = AGENT_DEFAULT.to_vec();
        match self.dice.below(3) {
            0 => scope.retain(|word| {
                !word.starts_with(*self.dice.of(&["messages", "tasks", "agents", "spaces"]).expect("one"))
            }),
            1 => scope.extend(MORE),
            _ => {}
        }
        let one = ask("agents_permissions", &[&self.bench.state.agents[place].name], json!({"scope": scope}));
        let holds = State::holds(&self.bench.state.credentials[nth], &scope);
        let need = if holds { Need::Agent(place, Role::Owner) } else { Need::Never };
        if self.judge(nth, &one, need).is_some() {
            // The agent's token gets the same scope.
            for token in &mut self.bench.state.credentials {
                if token.who == Who::Agent(place) && token.kind == Kind::AgentToken {
                    token.scopes.clone_from(&scope);
                }
            }
            self.bench.state.agents[place].scope = scope;
            // A short-lived token holds what its key could do when the token was issued.
            self.bench.forget_tokens();
        }
    }

    /// An owner freezes or thaws an agent.
    fn freeze_or_thaw(&mut self) {
        let place = self.any_agent();
        let nth = self.one_of(self.owner_of(place));
        let is_frozen = self.bench.state.agents[place].is_frozen;
        let name = self.bench.state.agents[place].name.clone();
        let one = match is_frozen {
            true => ask("agents_thaw", &[&name], json!({})),
            false if self.dice.once_in(3) => ask("agents_freeze", &[&name], json!({"reason": "alarm"})),
            false => return,
        };
        if self.judge(nth, &one, Need::Agent(place, Role::Owner)).is_some() {
            self.bench.state.agents[place].is_frozen = !is_frozen;
            self.leases_are_unknown(Who::Agent(place));
        }
    }

    /// The tasks that `who` held may be free now.
    fn leases_are_unknown(&mut self, who: Who) {
        for thing in &mut self.bench.state.things {
            if matches!(thing.lease, Lease::Held { by, .. } if by == who) {
                thing.lease = Lease::Unknown;
            }
        }
    }

    /// Purges an agent, and another one takes its name. The new agent has no access from the first.
    fn replace(&mut self) {
        if !self.may_replace || !self.dice.once_in(3) {
            return;
        }
        let place = self.any_agent();
        let agent = self.bench.state.agents[place].clone();
        let (owner, name) = (self.bench.person(agent.owner), &agent.name);
        self.leases_are_unknown(Who::Agent(place));
        let gone: Value = owner.delete(&format!("/api/agents/{name}")).expect(200).json();
        let archived = gone["archived_id"].as_str().or(gone["id"].as_str()).unwrap_or(&agent.id).to_owned();
        owner.delete(&format!("/api/agents/archived/{archived}")).expect(200);
        let other = self.bench.new_agent(&owner, place, agent.owner, agent.home, agent.generation + 1);
        let state = &mut self.bench.state;
        for credential in state.credentials.iter_mut().filter(|one| one.who == Who::Agent(place)) {
            credential.is_live = false;
        }
        state.in_spaces.retain(|(who, _), _| *who != Who::Agent(place));
        state.on_agents.retain(|(who, on), _| *who != Who::Agent(place) && *on != place);
        state.gone.push(agent.id);
        state.agents[place] = other;
        self.forget_the_dead();
    }

    /// Keeps only a few of the purged agents.
    fn forget_the_dead(&mut self) {
        let state = &mut self.bench.state;
        let extra = state.gone.len().saturating_sub(8);
        state.gone.drain(..extra);
    }
}
