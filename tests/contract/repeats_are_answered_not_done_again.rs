//! `Idempotency-Key`: a repeated request gets the first reply again, also after restarts and crashes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use taosd::rest::route::Repeat;

use crate::harness::{Harness, plain_routes, takes_fields};
use crate::support::{Client, Daemon, Reply, text};

#[track_caller]
fn replays(first: &Reply, again: &Reply) {
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("location"), first.header("location"));
}

fn keyed(client: &Client, key: &str) -> Client {
    client.with("Idempotency-Key", key)
}

#[test]
fn a_repeat_gets_the_first_reply_on_every_route_that_takes_a_key() {
    let mut harness = Harness::new();
    let mut done = Vec::new();
    for route in plain_routes().filter(|route| route.repeat == Repeat::Key) {
        let request = harness.request(route);
        let key = keyed(&harness.operator(), "the-key");
        let first = request.by(&key);
        assert!(first.status < 300, "{}: {}", route.id, first.text());
        harness.await_end(&first);
        replays(&first, &request.by(&key));
        done.push((route, request, first));
    }
    let rows = harness.daemon.rows();
    harness.daemon.restart();
    for (route, request, first) in done {
        replays(&first, &request.by(&keyed(&harness.operator(), "the-key")));
        if takes_fields(route) {
            // Another body with the same key is an error and has no effect. Without a key it is another request.
            let other = request.body.as_ref().map(|body| format!("{body} ")).unwrap_or_default();
            let client = keyed(&harness.operator(), "the-key");
            client
                .send(&request.method, &request.path, Some(other.as_bytes()))
                .expect_error(422, "idempotency_key_reused");
        }
    }
    assert_eq!(
        crate::harness::changed(&rows, &harness.daemon.rows())
            .iter()
            .filter(|k| !k.starts_with("credentials/"))
            .count(),
        0
    );
}

#[test]
fn a_key_belongs_to_one_principal_one_method_and_one_path() {
    let harness = Harness::new();
    let body = json!({"name": "Same"});
    let boss = harness.daemon.admin("boss");
    let mine = keyed(&harness.operator(), "k").post("/api/agents", body.clone()).expect(200);
    let theirs = keyed(&boss, "k").post("/api/agents", body.clone()).expect(200);
    assert_ne!(mine.json()["id"], theirs.json()["id"]);
    assert_eq!(theirs.header("idempotent-replayed"), None);
    // Another token of the same user is the same principal.
    let other_token = harness.daemon.user_token("operator", &["*"]);
    replays(&mine, &keyed(&other_token, "k").post("/api/agents", body.clone()));
    replays(&mine, &keyed(&harness.daemon.on_socket(), "k").post("/api/agents/", body));
    keyed(&harness.operator(), "k").post("/api/users", json!({"username": "same"})).expect(201);
}

#[test]
fn refusals_are_kept_but_not_those_that_may_pass() {
    let harness = Harness::new();
    let key = keyed(&harness.operator(), "kept");
    let first = key.post("/api/agents", json!({"name": "é"})).expect_error(400, "invalid_agent_name");
    replays(&first, &key.post("/api/agents", json!({"name": "é"})));
    let id = harness.archived();
    let restore = format!("/api/agents/archived/{}/restore", id.replace('0', "1"));
    let gone = key.send("POST", &restore, None).expect_error(404, "archived_agent_not_found");
    replays(&gone, &key.send("POST", &restore, None));
    let taken = key.post("/api/users", json!({"username": "operator"})).expect_error(409, "username_taken");
    replays(&taken, &key.post("/api/users", json!({"username": "operator"})));
    // A 403 is not stored: once the grant exists, the same request succeeds.
    let member = keyed(&harness.daemon.member("late", &["*"]), "k");
    let body = json!({"name": "later"});
    member.post("/api/agents", body.clone()).expect_error(403, "create_not_allowed");
    harness.daemon.grant("user:late", "*", "creator");
    assert_eq!(member.post("/api/agents", body).expect(200).header("idempotent-replayed"), None);
    // A 422 or 400 from a check before the key reserves nothing.
    let key = keyed(&harness.operator(), "free");
    key.post("/api/agents", json!({"no_such": 1})).expect_error(422, "validation_error");
    key.post("/api/agents", json!({"name": "free"})).expect(200);
}

#[test]
fn keys_are_one_to_255_visible_characters() {
    let harness = Harness::new();
    for bad in ["", "a b", "ü", &"k".repeat(256), "a\tb"] {
        let reply = keyed(&harness.operator(), bad).post("/api/agents", json!({"name": "x"}));
        reply.expect_error(400, "invalid_idempotency_key");
    }
    let twice = keyed(&keyed(&harness.operator(), "a"), "a").post("/api/agents", json!({"name": "x"}));
    twice.expect_error(400, "invalid_idempotency_key");
    keyed(&harness.operator(), &"~".repeat(255)).post("/api/agents", json!({"name": "x"})).expect(200);
}

#[test]
fn routes_that_take_no_key_ignore_it_and_store_nothing() {
    let harness = Harness::new();
    let stored = "SELECT count(*) FROM idempotency";
    let name = harness.agent();
    for key in ["k", "", "not a key"] {
        let client = keyed(&harness.operator(), key);
        let issue =
            || text(&client.post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json(), "token");
        assert_ne!(issue(), issue());
        let tokens = || text(&client.post("/api/users/operator/tokens", json!({})).expect(201).json(), "token");
        assert_ne!(tokens(), tokens());
    }
    for route in plain_routes().filter(|route| route.repeat != Repeat::Key) {
        let reply = harness.request(route).by(&keyed(&harness.operator(), "bad key"));
        assert!(reply.status < 300 && reply.header("idempotent-replayed").is_none(), "{}: {}", route.id, reply.text());
    }
    assert_eq!(harness.daemon.number(stored, []), 0);
}

#[test]
fn twenty_at_once_with_one_key_make_one_agent() {
    let harness = Harness::new();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let create = || keyed(&harness.operator(), "once").post("/api/agents", json!({"name": "One"})).expect(200);
        let sent: Vec<_> = (0..20).map(|_| scope.spawn(create)).collect();
        sent.into_iter().map(|thread| thread.join().expect("a reply")).collect()
    });
    assert!(replies.iter().all(|reply| reply.body == replies[0].body));
    let fresh = replies.iter().filter(|reply| reply.header("idempotent-replayed").is_none()).count();
    assert_eq!((fresh, harness.daemon.number("SELECT count(*) FROM agents", [])), (1, 1));
}

#[test]
fn twenty_at_once_with_one_key_make_one_agent_though_the_daemon_is_killed_in_the_middle() {
    for kill_after in [1, 3, 9] {
        let mut daemon = Daemon::start();
        let done = AtomicUsize::new(0);
        let pid = daemon.pid().to_string();
        std::thread::scope(|scope| {
            for n in 0..20 {
                let (client, done) = (keyed(&daemon.operator(), "once"), &done);
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_micros(n * 300));
                    let sent = client.try_send("POST", "/api/agents", Some(br#"{"name":"One"}"#));
                    done.fetch_add(usize::from(sent.is_ok_and(|reply| reply.status == 200)), Ordering::SeqCst);
                });
            }
            std::thread::sleep(Duration::from_millis(kill_after));
            let _ = std::process::Command::new("kill").args(["-KILL", &pid]).status();
        });
        let before = done.load(Ordering::SeqCst);
        daemon.kill();
        daemon.spawn();
        let count = daemon.number("SELECT count(*) FROM agents", []);
        assert!(count <= 1 && (before == 0 || count == 1), "{count} agents, {before} were told of it");
        let reply = keyed(&daemon.operator(), "once").post("/api/agents", json!({"name": "One"})).expect(200);
        assert_eq!(reply.header("idempotent-replayed").is_some(), count == 1, "what was done is not done again");
        assert_eq!(daemon.record("one")["id"], reply.json()["id"]);
        assert_eq!(daemon.number("SELECT count(*) FROM agents", []), 1);
    }
}

#[test]
fn a_reservation_left_by_a_daemon_that_died_is_free_after_the_next_start() {
    let mut daemon = Daemon::start();
    let operator = daemon.text("SELECT 'user:' || id FROM users", []);
    let body = json!({"name": "One"});
    daemon.execute(
        "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at)
        VALUES (?1, 'POST /api/agents', 'k', ?2, 'dead', 1)",
        (&operator, blake3::hash(body.to_string().as_bytes()).as_bytes()),
    );
    // Another body is refused at once. The same body would have to wait.
    keyed(&daemon.operator(), "k")
        .post("/api/agents", json!({"name": "Two"}))
        .expect_error(422, "idempotency_key_reused");
    daemon.kill();
    daemon.spawn();
    keyed(&daemon.operator(), "k").post("/api/agents", body).expect(200);
}
