//! A user who builds an agent under a name that exists gets no access that the user did not have before.

use std::sync::Barrier;

use serde_json::json;

use crate::agentex::harness::{build, built, creator, register, share};
use crate::support::{Daemon, text};

/// The tables that a build writes.
const KEPT: [&str; 5] = ["agents", "grants", "registrations", "deployments", "deployment_history"];

#[test]
fn the_second_users_build_of_a_name_is_refused_and_tells_nothing() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let secret = json!({"name": "mailer", "description": "of ann alone", "registration_metadata": {"k": "hidden"}});
    let id = text(&ann.post("/agents/register-build", secret).expect(200).json(), "id");
    // Only these tables: the daemon itself writes to others meanwhile.
    let kept = || {
        let mut rows = daemon.rows();
        rows.retain(|key, _| KEPT.contains(&key.split('/').next().unwrap_or_default()));
        rows
    };
    let before = kept();
    let refused = build(&bob, "mailer").expect_agentex(403, "name_unavailable");
    for told in [id.as_str(), "of ann alone", "hidden", "BuildOnly"] {
        assert!(!refused.text().contains(told), "{}", refused.text());
    }
    bob.get("/agents/name/mailer").expect_agentex(404, "agent_not_found");
    bob.get(&format!("/agents/{id}")).expect_agentex(404, "agent_not_found");
    assert_eq!(bob.get("/agents").expect(200).json(), json!([]));
    assert_eq!(kept(), before);
    assert_eq!(daemon.number("SELECT count(*) FROM grants WHERE agent_id = ?1", [&id]), 1, "one owner, no other grant");
}

#[test]
fn a_name_that_is_readable_is_given_back_as_it_is_without_a_grant() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let made = build(&ann, "mailer").expect(200).json();
    share(&daemon, "bob", made["id"].as_str().expect("an id"), "viewer");
    let given = bob.post("/agents/register-build", json!({"name": "mailer", "description": "mine now"})).expect(200);
    assert_eq!(given.json(), made);
    assert_eq!(daemon.number("SELECT count(*) FROM grants WHERE agent_id IS NOT NULL AND role = 'owner'", []), 1);
    assert!(given.json().get("agent_api_key").is_none());
}

#[test]
fn without_creator_a_build_is_refused_whether_the_name_is_known_or_not() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let eve = daemon.member("eve", &["*"]);
    build(&ann, "mailer").expect(200);
    let known = build(&eve, "mailer").expect_agentex(403, "create_not_allowed");
    let unknown = build(&eve, "nobody").expect_agentex(403, "create_not_allowed");
    assert_eq!(known.body, unknown.body);
    let agent = daemon.agent_token("mailer", &["*"]);
    daemon.grant("agent:mailer", "*", "creator");
    build(&agent, "child").expect_agentex(403, "create_not_allowed");
}

#[test]
fn twenty_builds_at_once_make_one_agent_and_one_grant() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let start = Barrier::new(20);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            built(&ann, "mailer")
        };
        let all: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().expect("an id")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(daemon.number("SELECT count(*) FROM agents", []), 1);
    assert_eq!(daemon.number("SELECT count(*) FROM grants WHERE agent_id = ?1 AND role = 'owner'", [&ids[0]]), 1);
}

#[test]
fn an_archived_name_gives_a_fresh_agent_that_inherits_nothing() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let old = register(&ann, "mailer");
    let (id, key) = (text(&old, "id"), text(&old, "agent_api_key"));
    share(&daemon, "bob", &id, "viewer");
    ann.post(&format!("/agents/{id}/deployments"), json!({"docker_image": "x"})).expect(200);
    ann.delete(&format!("/agents/{id}")).expect(200);
    let fresh = built(&ann, "mailer");
    assert_ne!(fresh, id);
    daemon.anonymous().with("x-agent-api-key", &key).get("/agents/name/mailer").expect_agentex(401, "unauthenticated");
    bob.get("/agents/name/mailer").expect_agentex(404, "agent_not_found");
    assert_eq!(ann.get(&format!("/agents/{fresh}/deployments")).expect(200).json(), json!([]));
    assert_eq!(ann.get("/agent_api_keys?agent_name=mailer").expect(200).json(), json!([]));
    let told = ann.get("/agents/name/mailer").expect(200).json();
    assert_eq!((&told["status"], &told["registered_at"]), (&json!("BuildOnly"), &json!(null)));
}
