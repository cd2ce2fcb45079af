//! A change of one agent changes no row of another. The test makes changes in random order on a box with many agents.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::harness::{Harness, changed};
use crate::support::{Rows, is_audit, text};

/// Routes that change one agent, by its name.
const CHANGES: &[&str] = &[
    "agents_update",
    "agents_persona",
    "agents_memory",
    "agents_model",
    "agents_permissions",
    "agents_token_issue",
    "agents_token_revoke",
    "agents_delete",
];

/// Returns the rows that belong to an agent: its own, and those that contain its id.
fn rows_of<'a>(rows: &'a Rows, id: &'a str) -> BTreeSet<&'a String> {
    rows.iter().filter(|(key, row)| !is_audit(key) && row.contains(id)).map(|(key, _)| key).collect()
}

struct Crowd {
    harness: Harness,
    /// The name and the id of each live agent.
    agents: Vec<(String, String)>,
}

impl Crowd {
    fn new() -> Self {
        let harness = Harness::new();
        let mut crowd = Self { harness, agents: Vec::new() };
        // Names with the same beginning, so that a wrong pattern would show.
        for name in ["bee", "bee-2", "bee-22", "be", "beehive"] {
            crowd.add(name);
        }
        crowd
    }

    fn add(&mut self, name: &str) {
        let id = self.harness.daemon.agent(name);
        self.harness.daemon.agent_token(name, &["agents.read"]);
        self.harness.member_on(name, "viewer");
        self.agents.push((name.to_owned(), id));
    }

    /// Makes one change to one agent, and compares all rows before and after it.
    fn change(&mut self, which: usize, change: &str) {
        let (name, id) = self.agents[which % self.agents.len()].clone();
        let request = self.harness.request_for(change);
        let own = request.path.split('/').nth(3).expect("a name").to_owned();
        let request = request.at(request.path.replace(&format!("/agents/{own}"), &format!("/agents/{name}")));
        self.harness.operator().delete(&format!("/api/agents/{own}")).expect(200);
        let before = self.harness.daemon.rows();
        let reply = request.by(&self.harness.operator());
        assert!(reply.status < 300, "{change} on {name}: {}", reply.text());
        let after = self.harness.daemon.rows();
        let (was, is) = (rows_of(&before, &id), rows_of(&after, &id));
        for key in changed(&before, &after) {
            // The rows of the name index belong to no single agent.
            let allowed = is_audit(&key) || key.starts_with("agent_parts_") || was.contains(&key) || is.contains(&key);
            assert!(allowed, "{change} on {name} changed {key}: {:?} to {:?}", before.get(&key), after.get(&key));
        }
        if change == "agents_delete" {
            self.agents.retain(|(other, _)| *other != name);
            self.add(&name);
        }
    }
}

#[test]
fn any_change_of_any_agent_touches_only_its_own_rows() {
    let mut crowd = Crowd::new();
    let steps = prop::collection::vec((0..5_usize, prop::sample::select(CHANGES)), 8);
    let config = Config { cases: 4, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let crowd = std::sync::Mutex::new(&mut crowd);
    let ran = TestRunner::new(config).run(&steps, |steps| {
        let mut crowd = crowd.lock().expect("no step failed");
        steps.into_iter().for_each(|(which, change)| crowd.change(which, change));
        Ok(())
    });
    ran.expect("every step kept to its own");
}

#[test]
fn users_grants_and_tokens_are_changed_one_at_a_time() {
    let harness = Harness::new();
    let (ann, bob) = (harness.user(), harness.user());
    let (first, second) = (harness.user_token_of(&ann), harness.user_token_of(&ann));
    harness.user_token_of(&bob);
    let agent = text(&harness.daemon.record(&harness.agent()), "id");
    let grant = text(&harness.daemon.grant(&format!("user:{ann}"), &agent, "viewer"), "id");
    harness.daemon.grant(&format!("user:{bob}"), &agent, "viewer");
    let only = |expected: &[String], act: &dyn Fn()| {
        let before = harness.daemon.rows();
        act();
        let mut touched = changed(&before, &harness.daemon.rows());
        touched.retain(|key| !is_audit(key));
        assert_eq!(touched, expected);
    };
    let id = |name: &str| harness.daemon.text("SELECT id FROM users WHERE username = ?1", [name]);
    let operator = harness.operator();
    only(&[format!("users/{}", id(&ann))], &|| {
        operator.patch(&format!("/api/users/{ann}"), json!({"display_name": "A"})).expect(200);
    });
    only(&[format!("credentials/{first}")], &|| {
        operator.delete(&format!("/api/users/{ann}/tokens/{first}")).expect(204);
    });
    only(&[format!("grants/{grant}")], &|| drop(harness.daemon.grant(&format!("user:{ann}"), &agent, "owner")));
    only(&[format!("grants/{grant}")], &|| drop(operator.delete(&format!("/api/grants/{grant}")).expect(204)));
    let space = harness.daemon.text("SELECT id FROM spaces WHERE owner_user_id = ?1", [id(&ann)]);
    let user = id(&ann);
    let mut gone = [
        format!("credentials/{first}"),
        format!("credentials/{second}"),
        format!("spaces/{space}"),
        format!("users/{user}"),
    ];
    gone.sort();
    only(&gone, &|| drop(operator.delete(&format!("/api/users/{ann}")).expect(204)));
}
