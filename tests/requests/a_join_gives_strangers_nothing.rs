//! Joins under attack: floods, guesses, polls that are too frequent, two deciders at once, a kill between decision and
//! key, and deciders who lose their right meanwhile.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::requests::an_agent_joins_and_comes_back::{Stranger, exchanged};
use crate::requests::harness::Harness;
use crate::support::text;

#[test]
fn a_flood_is_bounded_and_stores_nothing() {
    let w = Harness::new();
    let before = w.daemon.operator().get("/api/requests").expect(200).json();
    let client = w.daemon.anonymous();
    let mut taken = 0;
    for n in 0..60 {
        let reply = client.post("/api/joins", json!({"name": format!("bot{n}"), "reason": "let me in"}));
        match reply.status {
            201 => taken += 1,
            429 => assert!(reply.header("retry-after").is_some()),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!(taken, 5, "of one peer");
    let listed = w.daemon.operator().get("/api/requests?state=pending").expect(200).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(5));
    assert_eq!(before, json!([]));
    // A restart forgets undecided joins.
    let mut w = w;
    w.daemon.restart();
    assert_eq!(w.daemon.operator().get("/api/requests").expect(200).json(), json!([]));
}

#[test]
fn hostile_texts_are_refused_and_guesses_count_as_failed_logins() {
    let w = Harness::new();
    let client = w.daemon.anonymous();
    for name in ["", "a b", "../x", "\u{202e}x", "me", &"a".repeat(65), "0192f3c4-5d6e-7f80-9a1b-2c3d4e5f6071"] {
        client.post("/api/joins", json!({"name": name, "reason": "r"})).expect(422);
    }
    client.post("/api/joins", json!({"name": "a", "reason": "r".repeat(501)})).expect(422);
    client.post("/api/joins", json!({"name": "a", "reason": "r", "description": "two\nlines"})).expect(422);
    client.post("/api/joins", json!({"name": "a", "reason": "r", "scope": ["*"]})).expect(422);
    let mut refused = 0;
    for n in 0..80 {
        let code = format!("taos_device_{n:043}");
        let reply = client.post("/api/joins/key", json!({"device_code": code}));
        refused += u32::from(reply.status == 429);
        assert!(matches!(reply.status, 400 | 429), "{}", reply.text());
    }
    assert!(refused > 0, "guesses are throttled like failed logins");
    // A code does not help without a login.
    let stranger = Stranger::asks(&w.daemon, "scout");
    client.post(&format!("/api/requests/{}/approve", text(&stranger.join, "user_code")), json!({})).expect(401);
}

#[test]
fn who_asks_too_often_is_told_to_slow_down() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "scout");
    assert_eq!(stranger.fetch(&w.daemon).expect(400).json()["error"], "authorization_pending");
    assert_eq!(stranger.fetch(&w.daemon).expect(400).json()["error"], "slow_down");
}

#[test]
fn of_many_decisions_at_once_one_counts() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "scout");
    let (approve, deny) =
        (format!("/api/requests/{}/approve", stranger.id()), format!("/api/requests/{}/deny", stranger.id()));
    let barrier = Barrier::new(20);
    let won: Vec<String> = thread::scope(|scope| {
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (client, barrier, approve, deny) = (w.daemon.operator(), &barrier, &approve, &deny);
                scope.spawn(move || {
                    barrier.wait();
                    let reply = client.post(if n % 2 == 0 { approve } else { deny }, json!({}));
                    assert!(matches!(reply.status, 200 | 409), "{}", reply.text());
                    (reply.status == 200).then(|| text(&reply.json(), "state"))
                })
            })
            .collect();
        tasks.into_iter().filter_map(|task| task.join().expect("no panic")).collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    let (status, agents) = if won[0] == "approved" { (200, 200) } else { (400, 404) };
    stranger.fetch(&w.daemon).expect(status);
    w.daemon.operator().get("/api/agents/scout").expect(agents);
}

#[test]
fn of_many_who_fetch_at_once_one_gets_the_key() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "scout");
    w.ann.post(&format!("/api/requests/{}/approve", stranger.id()), json!({})).expect(200);
    let barrier = Barrier::new(8);
    let keys: usize = thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    stranger.fetch(&w.daemon).status
                })
            })
            .collect();
        tasks.into_iter().map(|task| usize::from(task.join().expect("no panic") == 200)).sum()
    });
    assert_eq!(keys, 1);
}

#[test]
fn a_kill_between_decision_and_key_loses_neither() {
    let mut w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "atlas");
    w.ann.post(&format!("/api/requests/{}/approve", stranger.id()), json!({"as": "same"})).expect(200);
    let (denied, forgotten) = (Stranger::asks(&w.daemon, "mole"), Stranger::asks(&w.daemon, "late"));
    w.ann.post(&format!("/api/requests/{}/deny", denied.id()), json!({})).expect(200);
    w.daemon.kill();
    w.daemon.spawn();
    w.atlas = w.daemon.client(w.atlas.token());
    w.atlas.get("/api/agents/atlas").expect(401);
    let again = |one: &Stranger| one.fetch(&w.daemon);
    let key = again(&stranger).expect(200).json();
    exchanged(&w.daemon, &key).get("/api/agents/atlas").expect(200);
    assert_eq!(again(&stranger).expect(400).json()["error"], "expired_token");
    assert_eq!(again(&denied).expect(400).json()["error"], "access_denied");
    assert_eq!(again(&forgotten).expect(400).json()["error"], "expired_token");
}

#[test]
fn a_key_is_not_given_once_the_decider_has_lost_the_right() {
    let w = Harness::new();
    let (one, two) = (Stranger::asks(&w.daemon, "scout"), Stranger::asks(&w.daemon, "atlas"));
    w.ann.post(&format!("/api/requests/{}/approve", one.id()), json!({})).expect(200);
    w.ann.post(&format!("/api/requests/{}/approve", two.id()), json!({"as": "same"})).expect(200);
    w.daemon.operator().post("/api/agents/atlas/freeze", json!({"reason": "r"})).expect(200);
    assert_eq!(two.fetch(&w.daemon).expect(409).json()["error"], "agent_frozen");
    w.daemon.operator().patch("/api/users/ann", json!({"disabled": true})).expect(200);
    assert_eq!(one.fetch(&w.daemon).expect(400).json()["error"], "access_denied");
}

#[test]
fn nobody_lets_in_what_his_own_token_could_not_make() {
    let w = Harness::new();
    let dora = w.daemon.member("dora", &["requests.*"]);
    w.daemon.grant("user:dora", "*", "creator");
    let stranger = Stranger::asks(&w.daemon, "scout");
    let refused = dora.post(&format!("/api/requests/{}/approve", stranger.id()), json!({})).expect(403).json();
    assert_eq!((&refused["error"], &refused["scope"]), (&json!("scope_exceeds_issuer"), &json!("agents.create")));
    w.daemon.operator().get("/api/agents/scout").expect(404);
}
