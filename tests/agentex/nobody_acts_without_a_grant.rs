//! Random sequences of users, grants, builds, rebuilds, registrations, deletions and uses of keys, checked with a small
//! model. Nobody ever reads or acts without a grant that an owner or an admin gave.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::agentex::harness::{build, registration, with_key};
use crate::support::{Client, Daemon, text};

/// The numbers of users and names.
const USERS: usize = 3;
const NAMES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Build(usize, usize),
    Register(usize, usize),
    Share { from: usize, to: usize, name: usize, role: usize },
    Unshare { from: usize, to: usize, name: usize },
    Creator(usize, bool),
    MakeKey(usize, usize, bool),
    Delete(usize, usize),
    UseKeys,
}

fn step() -> impl Strategy<Value = Step> {
    let (user, name) = (0..USERS, 0..NAMES);
    prop_oneof![
        4 => (user.clone(), name.clone()).prop_map(|(u, n)| Step::Build(u, n)),
        3 => (user.clone(), name.clone()).prop_map(|(u, n)| Step::Register(u, n)),
        4 => (user.clone(), user.clone(), name.clone(), 0..3usize).prop_map(|(from, to, name, role)| Step::Share { from, to, name, role }),
        1 => (user.clone(), user.clone(), name.clone()).prop_map(|(from, to, name)| Step::Unshare { from, to, name }),
        1 => (user.clone(), any::<bool>()).prop_map(|(u, yes)| Step::Creator(u, yes)),
        2 => (user.clone(), name.clone(), any::<bool>()).prop_map(|(u, n, inside)| Step::MakeKey(u, n, inside)),
        2 => (user, name).prop_map(|(u, n)| Step::Delete(u, n)),
        2 => Just(Step::UseKeys),
    ]
}

/// The expected state: for each live name its agent's id and the role of each user (1 viewer, 2 editor, 3 owner).
#[derive(Default)]
struct Model {
    live: BTreeMap<usize, (String, BTreeMap<usize, usize>)>,
    creators: BTreeSet<usize>,
    /// Every key ever made, with the id of its agent, and whether it is internal.
    keys: Vec<(String, String, bool)>,
    registered: BTreeSet<String>,
    had_key: BTreeSet<String>,
}

impl Model {
    fn role(&self, user: usize, name: usize) -> usize {
        self.live.get(&name).and_then(|(_, roles)| roles.get(&user)).copied().unwrap_or(0)
    }
}

struct Fixture<'a> {
    daemon: &'a Daemon,
    run: usize,
    users: Vec<Client>,
    model: Model,
}

const ROLES: [&str; 4] = ["", "viewer", "editor", "owner"];

impl Fixture<'_> {
    fn name(&self, name: usize) -> String {
        format!("r{}-n{name}", self.run)
    }

    fn username(&self, user: usize) -> String {
        format!("r{}u{user}", self.run)
    }

    /// The expected status of a change.
    fn may(&self, user: usize, name: usize, needed: usize) -> u16 {
        match self.model.role(user, name) {
            0 => 404,
            role if role < needed => 403,
            _ => 200,
        }
    }

    fn created(&mut self, user: usize, name: usize, id: String) {
        assert!(!self.model.live.values().any(|(other, _)| *other == id), "an id twice");
        self.model.live.insert(name, (id, BTreeMap::from([(user, 3)])));
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Build(user, name) => {
                let reply = build(&self.users[user], &self.name(name));
                let known = self.model.live.contains_key(&name);
                let expected = match (self.model.creators.contains(&user), known, self.model.role(user, name)) {
                    (false, ..) => (403, "create_not_allowed"),
                    (true, true, 0) => (403, "name_unavailable"),
                    _ => (200, ""),
                };
                assert_eq!((reply.status, reply.json()["error"].as_str().unwrap_or("")), expected);
                if expected.0 == 200 && !known {
                    self.created(user, name, text(&reply.json(), "id"));
                }
            }
            Step::Register(user, name) => {
                let reply = self.users[user].post("/agents/register", registration(&self.name(name)));
                let known = self.model.live.contains_key(&name);
                let expected = match (known, self.model.role(user, name), self.model.creators.contains(&user)) {
                    (true, 2.., _) | (false, _, true) => (200, ""),
                    (true, 1, _) => (403, "forbidden"),
                    (true, 0, true) => (403, "name_unavailable"),
                    _ => (403, "create_not_allowed"),
                };
                assert_eq!((reply.status, reply.json()["error"].as_str().unwrap_or("")), expected);
                if expected.0 == 200 {
                    let id = text(&reply.json(), "id");
                    if !known {
                        self.created(user, name, id.clone());
                    }
                    self.model.registered.insert(id.clone());
                    let first = self.model.role(user, name) == 3 && self.model.had_key.insert(id.clone());
                    assert_eq!(reply.json()["agent_api_key"].is_string(), first, "{}", reply.text());
                    if first {
                        self.model.keys.push((text(&reply.json(), "agent_api_key"), id, true));
                    }
                }
            }
            Step::Share { from, to, name, role } => {
                let Some((id, _)) = self.model.live.get(&name) else { return };
                let grant = json!({"principal": format!("user:{}", self.username(to)), "resource": format!("agent:{id}"),
                    "role": ROLES[role + 1]});
                let reply = self.users[from].post("/api/grants", grant);
                assert_eq!(reply.status < 300, self.model.role(from, name) == 3, "{}", reply.text());
                if reply.status < 300
                    && let Some((_, roles)) = self.model.live.get_mut(&name)
                {
                    roles.insert(to, role + 1);
                }
            }
            Step::Unshare { from, to, name } => {
                let Some((id, _)) = self.model.live.get(&name).cloned() else { return };
                let path = format!("/api/grants?resource=agent:{id}&principal=user:{}", self.username(to));
                let grants = self.daemon.operator().get(&path).expect(200).json();
                let Some(grant) = grants.get(0) else { return };
                let reply = self.users[from].delete(&format!("/api/grants/{}", text(grant, "id")));
                assert_eq!(reply.status < 300, self.model.role(from, name) == 3, "{}", reply.text());
                if reply.status < 300
                    && let Some((_, roles)) = self.model.live.get_mut(&name)
                {
                    roles.remove(&to);
                }
            }
            Step::Creator(user, yes) => {
                let principal = format!("user:{}", self.username(user));
                let grant = self.daemon.grant(&principal, "*", "creator");
                if yes {
                    self.model.creators.insert(user);
                } else {
                    self.daemon.operator().delete(&format!("/api/grants/{}", text(&grant, "id"))).expect(204);
                    self.model.creators.remove(&user);
                }
            }
            Step::MakeKey(user, name, inside) => {
                let kind = if inside { "internal" } else { "external" };
                let number = self.model.keys.len();
                let body = json!({"agent_name": self.name(name), "name": format!("k{number}"), "api_key_type": kind});
                let reply = self.users[user].post("/agent_api_keys", body);
                assert_eq!(reply.status, self.may(user, name, if inside { 3 } else { 2 }), "{}", reply.text());
                if reply.status == 200 {
                    let (key, id) = (text(&reply.json(), "api_key"), text(&reply.json(), "agent_id"));
                    if inside {
                        self.model.had_key.insert(id.clone());
                    }
                    self.model.keys.push((key, id, inside));
                }
            }
            Step::Delete(user, name) => {
                let reply = self.users[user].delete(&format!("/agents/name/{}", self.name(name)));
                assert_eq!(reply.status, self.may(user, name, 3), "{}", reply.text());
                if reply.status == 200 {
                    self.model.live.remove(&name);
                }
            }
            Step::UseKeys => self.use_keys(),
        }
    }

    /// Checks that an internal key reads its own live agent and nothing else.
    fn use_keys(&self) {
        for (key, id, inside) in &self.model.keys {
            let (client, lives) = (with_key(self.daemon, key), self.model.live.values().any(|(other, _)| other == id));
            for (other, _) in self.model.live.values() {
                let expected = match (lives && *inside, other == id) {
                    (false, _) => 401,
                    (true, false) => 404,
                    (true, true) => 200,
                };
                assert_eq!(client.get(&format!("/agents/{other}")).status, expected);
            }
            if !lives {
                client.get("/agents").expect_agentex(401, "unauthenticated");
            }
        }
    }

    /// Checks that each user sees exactly what the grants allow.
    fn look(&self) {
        for (user, client) in self.users.iter().enumerate() {
            let seen: BTreeSet<String> = client
                .get("/agents")
                .expect(200)
                .json()
                .as_array()
                .expect("a list")
                .iter()
                .map(|agent| text(agent, "id"))
                .collect();
            let granted = self.model.live.iter().filter(|(name, _)| self.model.role(user, **name) > 0);
            assert_eq!(seen, granted.map(|(_, (id, _))| id.clone()).collect::<BTreeSet<_>>());
            for name in 0..NAMES {
                let reply = client.get(&format!("/agents/name/{}", self.name(name)));
                assert_eq!(reply.status, self.may(user, name, 1), "{}", reply.text());
                if reply.status == 200 {
                    let registered = self.model.registered.contains(&text(&reply.json(), "id"));
                    assert_eq!(reply.json()["status"], if registered { "Ready" } else { "BuildOnly" });
                }
                let keys = client.get(&format!("/agent_api_keys?agent_name={}", self.name(name)));
                assert_eq!(keys.status, self.may(user, name, 2), "{}", keys.text());
            }
        }
    }
}

#[test]
fn whatever_happens_everybody_may_do_what_was_granted_and_nothing_else() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let run = std::cell::Cell::new(0);
    let config = Config { cases: 12, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(step(), 1..40);
    let done = TestRunner::new(config).run(&sequences, |steps| {
        run.set(run.get() + 1);
        let users = (0..USERS).map(|user| daemon.member(&format!("r{}u{user}", run.get()), &["*"])).collect();
        let mut fixture = Fixture { daemon: &daemon, run: run.get(), users, model: Model::default() };
        fixture.apply(&Step::Creator(0, true));
        fixture.apply(&Step::Creator(1, true));
        for step in &steps {
            fixture.apply(step);
            fixture.look();
        }
        fixture.use_keys();
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}
