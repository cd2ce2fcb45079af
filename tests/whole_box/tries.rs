//! Tries: each is done or refused as the model says, and no reply shows too much.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::text;
use crate::whole_box::World;
use crate::whole_box::bench::{Ask, Outcome, ask};
use crate::whole_box::state::{Answer, Credential, Kind, Lease, Need, Role, Sort, Thing, Who};

/// The most things of one kind in one space that the model knows.
const THINGS: usize = 12;
/// The seconds around a lease's end in which the model does not check it.
const LEASE_NEAR: f64 = 8.0;

impl World {
    pub fn attempt(&mut self) {
        match self.dice.below(100) {
            0..=19 => self.try_a_space(),
            20..=21 => self.try_a_page(),
            22..=44 => self.try_a_thing(),
            45..=56 => self.try_a_list(),
            57..=77 => self.try_an_agent(),
            78..=88 => self.try_to_add(),
            _ => self.try_a_lease(),
        }
    }

    /// A random credential, mostly one that is live.
    pub fn any_credential(&mut self) -> usize {
        let all = &self.bench.state.credentials;
        let any = self.dice.once_in(8);
        let chosen: Vec<usize> = (0..all.len()).filter(|&nth| any || all[nth].is_live).collect();
        *self.dice.of(&chosen).expect("people have tokens")
    }

    fn any_space(&mut self) -> usize {
        self.dice.below(self.bench.state.spaces.len())
    }

    pub fn any_agent(&mut self) -> usize {
        self.dice.below(self.bench.state.agents.len())
    }

    /// Whether the model expects this call to be done.
    pub fn may(&self, nth: usize, ask: &Ask, need: Need, as_tool: bool) -> Answer {
        let (state, now) = (&self.bench.state, self.bench.now());
        let credential = &state.credentials[nth];
        let Some(who) = state.alive(credential) else { return Answer::No };
        if state.is_in_doubt(who, now) || self.owner_is_in_doubt(who, now) {
            return Answer::InDoubt;
        }
        let is_agentex = ask.route.starts_with("agentex_");
        if credential.kind == Kind::InternalKey && !is_agentex {
            return Answer::No;
        }
        if !state.covers(credential, self.bench.action(ask.route), as_tool, now) {
            return Answer::No;
        }
        let is_so = match need {
            // In the Agentex dialect an agent may reach only itself.
            Need::Agent(agent, _) if is_agentex && matches!(who, Who::Agent(own) if own != agent) => false,
            _ => state.has(who, need, now),
        };
        is_so.into()
    }

    fn owner_is_in_doubt(&self, who: Who, now: f64) -> bool {
        let state = &self.bench.state;
        matches!(who, Who::Agent(agent) if state.is_in_doubt(Who::User(state.agents[agent].owner), now))
    }

    /// Makes the call, compares the outcome with the model, and returns it if the call was done.
    #[track_caller]
    pub fn judge(&mut self, nth: usize, ask: &Ask, need: Need) -> Option<Outcome> {
        // A tool needs a bearer token. An internal key is sent in its own header only.
        let is_key = self.bench.state.credentials[nth].kind == Kind::InternalKey;
        let as_tool = !is_key && self.bench.is_tool(ask.route) && self.dice.once_in(2);
        let client = self.bench.client(nth, as_tool);
        let (expected, before) = (self.may(nth, ask, need, as_tool), self.bench.now());
        let outcome = self.bench.send(&client, ask, as_tool);
        self.sees_only_its_own(nth, ask, &outcome, before);
        // A busy machine may have answered late.
        let afterwards = self.may(nth, ask, need, as_tool);
        if expected == afterwards && expected != Answer::InDoubt {
            let credential = &self.bench.state.credentials[nth];
            let told = || {
                format!(
                    "step {}: {} {ask:?} with {need:?}: {expected:?}, and it was {} {}\n{credential:?}",
                    self.steps,
                    if as_tool { "tool" } else { "route" },
                    outcome.status,
                    outcome.text()
                )
            };
            assert_eq!(outcome.is_done, expected == Answer::Yes, "{}", told());
            assert!(outcome.status < 500, "{}", told());
            if self.bench.state.alive(credential).is_none() {
                assert_eq!(outcome.status, 401, "{}", told());
            }
            self.tried[usize::from(outcome.is_done)] += 1;
            let way = format!("{} {}", if as_tool { "tool" } else { "route" }, ask.route);
            self.ways.entry(way).or_default()[usize::from(outcome.is_done)] += 1;
        }
        outcome.is_done.then_some(outcome)
    }

    /// Checks that a reply shows nothing that its reader could not see at the time of the call.
    #[track_caller]
    fn sees_only_its_own(&self, nth: usize, ask: &Ask, outcome: &Outcome, now: f64) {
        let state = &self.bench.state;
        let reader = state.alive(&state.credentials[nth]);
        if reader.is_some_and(|who| state.is_in_doubt(who, now) || self.owner_is_in_doubt(who, now)) {
            return;
        }
        if let Some(marker) = state.leak(reader, &outcome.body, now) {
            panic!("step {}: {reader:?} sees {marker} by {ask:?}: {}", self.steps, outcome.text());
        }
    }

    fn try_a_space(&mut self) {
        let (nth, space) = (self.any_credential(), self.any_space());
        let id = self.bench.state.spaces[space].id.clone();
        let listed = |route| ask(route, &[], json!({"space_id": id, "limit": 3}));
        let one = match self.dice.below(8) {
            0 => ask("spaces_read", &[&id], json!({})),
            7 => ask("messages_stream", &[], json!({"space_id": id})),
            1 => ask("spaces_members", &[&id], json!({})),
            2 => listed("messages_list"),
            3 => listed("tasks_list"),
            4 => ask("context_list", &[], json!({"space_id": id, "limit": 3})),
            5 => listed("uploads_list"),
            _ => listed("ax_agents_list"),
        };
        self.judge(nth, &one, Need::Space(space, Role::Viewer));
    }

    /// A person opens a page of the console.
    fn try_a_page(&mut self) {
        let (user, place) = (self.dice.below(self.bench.state.people.len()), self.any_agent());
        let (who, space, now) = (Who::User(user), self.any_space(), self.bench.now());
        let state = &self.bench.state;
        if state.is_in_doubt(who, now) {
            return;
        }
        let names = (&state.spaces[space].id, &state.agents[place].name);
        let (path, of) = match self.dice.below(9) {
            0 => (format!("/ui/spaces/{}", names.0), Need::Space(space, Role::Viewer)),
            1 | 2 => (format!("/ui/agents/{}", names.1), Need::Agent(place, Role::Viewer)),
            3 => ("/ui/find?q=plain".to_owned(), Need::Nothing),
            other => {
                (["/ui/", "/ui/agents", "/ui/inbox", "/ui/spaces", "/ui/requests"][other - 4].to_owned(), Need::Nothing)
            }
        };
        let is_shown = state.has(who, of, now);
        let outcome = self.bench.page(user, &path);
        let state = &self.bench.state;
        // A busy machine may have answered late.
        if state.is_in_doubt(who, self.bench.now()) || state.has(who, of, self.bench.now()) != is_shown {
            return;
        }
        let told = || format!("step {}: {who:?} at {path}: {} {}", self.steps, outcome.status, outcome.text());
        assert_eq!(outcome.status, if is_shown { 200 } else { 404 }, "{}", told());
        if let Some(marker) = self.bench.state.leak(Some(who), &outcome.body, now) {
            panic!("{marker}: {}", told());
        }
        let way = path.split('/').take(3).collect::<Vec<_>>().join("/");
        self.tried[usize::from(is_shown)] += 1;
        self.ways.entry(format!("page {way}")).or_default()[usize::from(is_shown)] += 1;
    }

    fn any_thing(&mut self) -> Option<Thing> {
        self.dice.of(&self.bench.state.things).cloned()
    }

    fn try_a_thing(&mut self) {
        let (nth, Some(thing)) = (self.any_credential(), self.any_thing()) else { return };
        let (id, space) = (thing.id.as_str(), &self.bench.state.spaces[thing.space].id);
        let (one, role) = match (thing.sort, self.dice.below(3)) {
            (Sort::Message, 0) => (ask("messages_get", &[id], json!({})), Role::Viewer),
            (Sort::Message, 1) => (ask("messages_replies", &[id], json!({})), Role::Viewer),
            (Sort::Message, _) => (ask("messages_react", &[id], json!({"emoji": "ok"})), Role::Editor),
            (Sort::Task, 0) => (ask("tasks_history", &[id], json!({})), Role::Viewer),
            (Sort::Task, _) => (ask("tasks_read", &[id], json!({})), Role::Viewer),
            (Sort::Context, _) => (ask("context_read", &[id], json!({"space_id": space})), Role::Viewer),
            (Sort::Upload, _) => (ask("uploads_read", &[id], json!({})), Role::Viewer),
        };
        self.judge(nth, &one, Need::Space(thing.space, role));
    }

    fn try_a_list(&mut self) {
        let nth = self.any_credential();
        let one = match self.dice.below(14) {
            0 | 1 => ask("agents_list", &[], json!({})),
            2 => ask("spaces_list", &[], json!({})),
            3 | 4 => ask("messages_search", &[], json!({"query": "plain", "limit": 20})),
            5 => ask("notifications_list", &[], json!({"limit": 10})),
            6 => ask("requests_list", &[], json!({"limit": 10})),
            7 => ask("grants_list", &[], json!({"limit": 20})),
            8 => ask("agentex_agents_list", &[], json!({})),
            9 => ask("agents_presence_list", &[], json!({})),
            10 => ask("operations_list", &[], json!({"limit": 10})),
            11 => ask("agents_archived_list", &[], json!({})),
            12 => ask("messages_list", &[], json!({"limit": 3})),
            _ => ask("auth_whoami", &[], json!({})),
        };
        let before = self.bench.now();
        let Some(outcome) = self.judge(nth, &one, Need::Nothing) else { return };
        let state = &self.bench.state;
        let who = state.credentials[nth].who;
        if state.is_in_doubt(who, before) || self.owner_is_in_doubt(who, before) {
            return;
        }
        let told = outcome.json();
        let ids = |list: &Value| -> BTreeSet<String> {
            list.as_array().into_iter().flatten().map(|one| text(one, "id")).collect()
        };
        let own = |all: &mut dyn Iterator<Item = (bool, &String)>| -> BTreeSet<String> {
            all.filter(|(is_seen, _)| *is_seen).map(|(_, id)| id.clone()).collect()
        };
        let told_of = |list: &Value, own: BTreeSet<String>| {
            assert_eq!(ids(list), own, "step {}: {who:?} by {one:?}: {told}", self.steps);
        };
        // A tool returns a list as `items`.
        let list = |name: &str| [&told["items"], &told[name], &told].into_iter().find(|one| one.is_array()).cloned();
        match one.route {
            "agents_list" => told_of(
                &list("agents").expect("a list"),
                own(&mut (0..state.agents.len())
                    .map(|agent| (state.agent_role(who, agent, before).is_some(), &state.agents[agent].id))),
            ),
            "spaces_list" => told_of(
                &list("spaces").expect("a list"),
                own(&mut (0..state.spaces.len())
                    .map(|space| (state.space_role(who, space, before).is_some(), &state.spaces[space].id))),
            ),
            _ => {}
        }
    }

    fn try_an_agent(&mut self) {
        let (nth, place) = (self.any_credential(), self.any_agent());
        if self.dice.once_in(12) {
            return self.try_who_is_gone(nth);
        }
        let agent = self.bench.state.agents[place].clone();
        let (id, name) = (agent.id.as_str(), agent.name.as_str());
        let marker = format!("zzagent{place}g{}end", agent.generation);
        let (one, role) = match self.dice.below(13) {
            9 => (ask("agentex_deployments_list", &[id], json!({})), Role::Viewer),
            10 => (ask("agentex_keys_list", &[], json!({"agent_id": id})), Role::Editor),
            11 => (ask("tripwires_list", &[name], json!({})), Role::Owner),
            0 | 1 => (ask("agents_get", &[name], json!({})), Role::Viewer),
            2 => (ask("agents_export", &[name], json!({})), Role::Viewer),
            3 => (ask("agents_token_show", &[name], json!({})), Role::Viewer),
            4 => (ask("agentex_agents_get", &[id], json!({})), Role::Viewer),
            5 => (ask("agentex_agents_get_by_name", &[name], json!({})), Role::Viewer),
            6 => (ask("ax_agents_read", &[id], json!({})), Role::Viewer),
            7 => (ask("agents_persona", &[name], json!({"soul_md": marker})), Role::Editor),
            8 => (ask("agents_memory", &[name], json!({"memory_plugin": "none"})), Role::Editor),
            _ => (ask("agents_update", &[name], json!({"color": "#123456"})), Role::Editor),
        };
        self.judge(nth, &one, Need::Agent(place, role));
    }

    fn try_who_is_gone(&mut self, nth: usize) {
        let Some(id) = self.dice.of(&self.bench.state.gone).cloned() else { return };
        let one = match self.dice.below(3) {
            0 => ask("agentex_agents_get", &[&id], json!({})),
            1 => ask("ax_agents_read", &[&id], json!({})),
            _ => ask("agents_get", &[&id], json!({})),
        };
        self.judge(nth, &one, Need::Never);
    }

    fn try_to_add(&mut self) {
        let (nth, space) = (self.any_credential(), self.any_space());
        let (id, marker) = (self.bench.state.spaces[space].id.clone(), format!("zzspace{space}end"));
        let (sort, one) = match self.dice.below(6) {
            0 | 1 => {
                let body = json!({"content": format!("plain {marker}"), "space_id": id, "metadata": {"m": marker}});
                (Sort::Message, ask("messages_send", &[], body))
            }
            2 => {
                let body = json!({"title": marker, "space_id": id, "description": marker, "max_attempts": 100});
                (Sort::Task, ask("tasks_create", &[], body))
            }
            3 => {
                let body = json!({"key": format!("key{}", self.dice.below(4)), "value": marker, "space_id": id});
                (Sort::Context, ask("context_set", &[], body))
            }
            4 => (Sort::Upload, ask("uploads_create", &[], json!({"space_id": id, "file": marker}))),
            _ => return self.try_to_tell(nth),
        };
        let Some(outcome) = self.judge(nth, &one, Need::Space(space, Role::Editor)) else { return };
        let told = outcome.json();
        let id = match sort {
            Sort::Message => text(&told["message"], "id"),
            Sort::Upload => text(&told, "attachment_id"),
            Sort::Task => text(&told, "id"),
            _ => text(&one.fields, "key"),
        };
        self.knows(Thing { space, sort, id, lease: Lease::Free });
    }

    /// An agent notifies its owner.
    fn try_to_tell(&mut self, nth: usize) {
        let Who::Agent(agent) = self.bench.state.credentials[nth].who else { return };
        let marker = format!("zznotes{agent}end");
        self.judge(nth, &ask("ui_notify", &[], json!({"title": marker, "body": marker})), Need::Nothing);
    }

    /// Adds a thing to the model, which keeps a few of each kind in each space.
    pub fn knows(&mut self, thing: Thing) {
        let things = &mut self.bench.state.things;
        let same = |one: &Thing| one.space == thing.space && one.sort == thing.sort;
        if things.iter().any(|one| same(one) && one.id == thing.id) {
            return;
        }
        if things.iter().filter(|one| same(one)).count() >= THINGS {
            let oldest = things.iter().position(same).expect("some");
            things.remove(oldest);
        }
        things.push(thing);
    }

    fn try_a_lease(&mut self) {
        let tasks: Vec<usize> =
            (0..self.bench.state.things.len()).filter(|&at| self.bench.state.things[at].sort == Sort::Task).collect();
        let (nth, Some(&at)) = (self.any_credential(), self.dice.of(&tasks)) else { return };
        let thing = self.bench.state.things[at].clone();
        let who = self.bench.state.credentials[nth].who;
        let is_holder = matches!(thing.lease, Lease::Held { by, .. } if by == who);
        let fence = match thing.lease {
            Lease::Held { fence, .. } if is_holder => fence,
            _ => 1,
        };
        let one = match self.dice.below(4) {
            0 | 1 => ask("tasks_claim", &[&thing.id], json!({"lease_seconds": 10 + self.dice.below(80)})),
            2 => ask("tasks_update", &[&thing.id], json!({"priority": "low", "fence": fence})),
            _ => ask("tasks_release", &[&thing.id], json!({"fence": fence})),
        };
        if let Some(need) = self.lease_needs(nth, &thing, one.route, is_holder) {
            let done = self.judge(nth, &one, need);
            self.lease_after(at, who, one.route, done);
        } else {
            let (client, before) = (self.bench.client(nth, false), self.bench.now());
            let outcome = self.bench.send(&client, &one, false);
            self.sees_only_its_own(nth, &one, &outcome, before);
            self.lease_after(at, who, one.route, outcome.is_done.then_some(outcome));
        }
    }

    /// What a step of a lease needs. `None` if the model does not check it.
    fn lease_needs(&self, nth: usize, thing: &Thing, route: &str, is_holder: bool) -> Option<Need> {
        let clock = self.bench.seconds();
        let credential: &Credential = &self.bench.state.credentials[nth];
        let needed = Need::Space(thing.space, Role::Editor);
        match (&thing.lease, route) {
            (Lease::Unknown, _) => None,
            (Lease::Held { until, .. }, _) if (until - clock).abs() < LEASE_NEAR => None,
            (Lease::Held { until, .. }, "tasks_claim") if *until < clock => Some(needed),
            (Lease::Held { until, .. }, _) if *until < clock => None,
            (Lease::Free, "tasks_claim") => Some(needed),
            (Lease::Free, _) => None,
            // The holder may claim again, because the reply may have been lost.
            (Lease::Held { .. }, "tasks_claim") => (!is_holder).then_some(Need::Never),
            (Lease::Held { .. }, _) if is_holder => Some(needed),
            // A person may override a lease, so the model expects a refusal only for agents.
            (Lease::Held { .. }, _) => matches!(credential.who, Who::Agent(_)).then_some(Need::Never),
        }
    }

    fn lease_after(&mut self, at: usize, by: Who, route: &str, done: Option<Outcome>) {
        let Some(outcome) = done else { return };
        let clock = self.bench.seconds();
        self.bench.state.things[at].lease = match route {
            "tasks_claim" => {
                let told = outcome.json();
                let seconds = told["lease"]["lease_seconds"].as_f64();
                let fence = told["lease"]["fence"].as_i64().expect("a fence");
                match seconds.or_else(|| self.bench.seconds_until(&told["lease"]["until"])) {
                    Some(seconds) => Lease::Held { by, fence, until: clock + seconds },
                    None => Lease::Unknown,
                }
            }
            "tasks_release" => Lease::Free,
            _ => return,
        };
    }
}
