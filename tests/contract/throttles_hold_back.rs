//! Rate limits: requests and writes of a principal, failed logins of a peer. The excess of one never affects another.

use serde_json::json;
use taosd::api::engine::growth::{self, Growth};
use taosd::api::routes;

use crate::harness::{Harness, is_stream, path_with, takes_fields};

const WHOAMI: &str = "/api/auth/whoami";

#[test]
fn a_principal_that_used_up_its_minute_waits_and_others_go_on() {
    let harness = Harness::with(&[("TAOSD_REQUESTS_PER_MINUTE", "5")]);
    let other = harness.daemon.member("ann", &["*"]);
    let second = harness.daemon.user_token("operator", &["*"]);
    let used: Vec<u16> = (0..4).map(|_| harness.operator().get(WHOAMI).status).collect();
    assert_eq!(used, [200, 200, 429, 429], "a user and two tokens were the first three of five");
    second.get(WHOAMI).expect_error(429, "rate_limited");
    let refused = harness.operator().get(WHOAMI).expect_error(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    other.get(WHOAMI).expect(200);
    harness.daemon.anonymous().get("/healthz").expect(200);
    // The rate is checked before the scope, so its refusal reveals nothing about the scope.
    let narrow = other.post("/api/users/ann/tokens", json!({"scope": []})).expect(201).json();
    let narrow = harness.daemon.client(narrow["token"].as_str().expect("a token"));
    let codes: Vec<u16> = (0..5).map(|_| narrow.get("/api/agents").status).collect();
    assert_eq!(codes, [403, 403, 403, 429, 429], "two requests of its owner count as well");
    // No token uses up the rate of the operator's socket.
    harness.daemon.on_socket().get(WHOAMI).expect(200);
}

#[test]
fn a_peer_that_failed_too_often_is_told_so_but_a_valid_credential_still_works() {
    let harness = Harness::with(&[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let unknown = harness.daemon.client(&format!("taos_user_{}", "A".repeat(43)));
    let statuses: Vec<u16> = (0..5).map(|_| unknown.get(WHOAMI).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    harness.daemon.client("malformed").get(WHOAMI).expect_error(429, "rate_limited");
    harness.operator().get(WHOAMI).expect(200);
    harness.daemon.anonymous().get(WHOAMI).expect_error(401, "auth_required");
    // The operator's socket is another peer.
    harness.daemon.on_socket().with("Authorization", "Bearer x").get(WHOAMI).expect_error(401, "invalid_token");
}

#[test]
fn zero_switches_both_off() {
    let harness = Harness::with(&[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    for _ in 0..100 {
        harness.operator().get(WHOAMI).expect(200);
        harness.daemon.client("x").get(WHOAMI).expect_error(401, "invalid_token");
    }
}

#[test]
fn what_a_principal_writes_is_bounded_and_it_can_still_take_away() {
    let harness = Harness::with(&[("TAOSD_WRITE_ROWS_PER_HOUR", "8")]);
    let ann = harness.daemon.member("ann", &["*"]);
    // A user has eight shares: 64 rows an hour.
    let tokens = |client: &crate::support::Client| client.post("/api/users/ann/tokens", json!({"label": "t"}));
    let made: Vec<_> = (0..60).map(|_| tokens(&ann)).take_while(|reply| reply.status == 201).collect();
    assert!((10..40).contains(&made.len()), "{}", made.len());
    let refused = tokens(&ann).expect_error(429, "rate_limited");
    let told = refused.json();
    assert_eq!((&told["window"], &told["allowed"]["rows"]), (&json!("hour"), &json!(64)));
    assert!(told["used"]["rows"].as_u64() >= Some(64), "{told}");
    let wait: u64 = refused.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!((3000..=3600).contains(&wait), "{wait}");
    // Another token of the user is the same principal. Another user is not.
    let second = harness.daemon.client(made[0].json()["token"].as_str().expect("a token"));
    tokens(&second).expect_error(429, "rate_limited");
    second.get(WHOAMI).expect(200);
    // Not even the idempotency key is stored.
    let before = harness.daemon.number("SELECT count(*) FROM idempotency", []);
    let keyed = ann.with("Idempotency-Key", "k").post("/api/ui/notify", json!({"title": "t", "body": "b"}));
    keyed.expect_error(429, "rate_limited");
    assert_eq!(harness.daemon.number("SELECT count(*) FROM idempotency", []), before);
    for reply in &made[1..] {
        ann.delete(&format!("/api/users/ann/tokens/{}", reply.json()["id"].as_str().expect("an id"))).expect(204);
    }
    harness.operator().post("/api/users", json!({"username": "bob"})).expect(201);
    harness.daemon.on_socket().post("/api/users", json!({"username": "cid"})).expect(201);
}

#[test]
fn no_route_that_adds_goes_on_when_the_allowance_is_used_up_and_none_that_takes_away_stops() {
    let harness = Harness::with(&[("TAOSD_WRITE_ROWS_PER_HOUR", "1")]);
    let user = |n: u32| harness.operator().post("/api/users", json!({"username": format!("user{n}")})).status;
    assert!((0..9).any(|n| user(n) == 429), "eight rows are used up");
    let mut wrong = Vec::new();
    for route in routes().iter().flat_map(|table| table.iter()).filter(|route| !is_stream(route)) {
        let path = path_with(route, "some");
        let body = takes_fields(route).then_some(route.example.as_bytes());
        let client = harness.operator().with("Sec-Fetch-Site", "none");
        let reply = match route.id {
            // The credential is in the body, or must be a key.
            "sessions_open" => client.post("/api/sessions", json!({"token": harness.daemon.token})),
            "auth_exchange" | "oauth_token" => continue,
            // These use no principal's allowance. They are bounded per peer and in total.
            "joins_create" | "joins_fetch" => continue,
            // These need a page that was shown before.
            "oauth_consent" | "oauth_consent_form" | "login_link_form" => continue,
            _ => client.send(route.method.as_str(), &path, body),
        };
        let adds = matches!(growth::of(route), Growth::Adds | Growth::AddsWords);
        if adds != (reply.status == 429) {
            wrong.push(format!("{} ({}): {} {}", route.id, reply.status, route.path, reply.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_principals_oldest_operations_make_room_and_nobody_elses() {
    let harness = Harness::new();
    harness.daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
        INSERT INTO operations (id, kind, status, actor, actor_id, request_id, created_at, finished_at)
        SELECT 'o' || i, 'start', 'succeeded', CASE WHEN i <= 50 THEN 'user:other' ELSE 'user:operator' END,
            CASE WHEN i <= 50 THEN 'user:other' ELSE (SELECT 'user:' || id FROM users WHERE username = 'operator') END,
            'q', i, 9223372036854775807 FROM n",
        [],
    );
    harness.operator().post("/api/backups?wait=60", json!({})).expect(200);
    let kept = |actor: &str| {
        harness
            .daemon
            .number("SELECT count(*) FROM operations WHERE actor = ?1 AND finished_at > 9000000000000000000", [actor])
    };
    assert_eq!((kept("user:operator"), kept("user:other")), (1000, 50));
    assert_eq!(harness.daemon.number("SELECT count(*) FROM operations WHERE id = 'o51'", []), 0, "the oldest went");
}
