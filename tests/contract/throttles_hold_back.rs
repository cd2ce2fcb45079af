//! Rates: requests of a credential, failed logins of a peer. One's excess never costs another.

use serde_json::json;

use crate::world::World;

const WHOAMI: &str = "/api/auth/whoami";

#[test]
fn a_credential_that_used_up_its_minute_waits_and_others_go_on() {
    let world = World::with(&[("TAOSD_REQUESTS_PER_MINUTE", "5")]);
    let other = world.daemon.user_token("operator", &["*"]);
    let used: Vec<u16> = (0..6).map(|_| world.operator().get(WHOAMI).status).collect();
    assert_eq!(used, [200, 200, 200, 200, 429, 429], "issuing the token was the first of five");
    let refused = world.operator().get(WHOAMI).expect_error(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    other.get(WHOAMI).expect(200);
    world.daemon.anonymous().get("/healthz").expect(200);
    // The throttle is asked before the scope: a refusal tells nothing of it.
    let narrow = other.post("/api/users/operator/tokens", json!({"scope": []})).expect(201).json();
    let narrow = world.daemon.client(narrow["token"].as_str().expect("a token"));
    let codes: Vec<u16> = (0..7).map(|_| narrow.get("/api/agents").status).collect();
    assert_eq!(codes, [403, 403, 403, 403, 403, 429, 429]);
}

#[test]
fn a_peer_that_failed_too_often_is_told_so_but_a_valid_credential_still_works() {
    let world = World::with(&[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let unknown = world.daemon.client(&format!("taos_user_{}", "A".repeat(43)));
    let statuses: Vec<u16> = (0..5).map(|_| unknown.get(WHOAMI).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    world.daemon.client("malformed").get(WHOAMI).expect_error(429, "rate_limited");
    world.operator().get(WHOAMI).expect(200);
    world.daemon.anonymous().get(WHOAMI).expect_error(401, "auth_required");
    // The operator's socket is another peer.
    world.daemon.on_socket().with("Authorization", "Bearer x").get(WHOAMI).expect_error(401, "invalid_token");
}

#[test]
fn zero_switches_both_off() {
    let world = World::with(&[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    for _ in 0..100 {
        world.operator().get(WHOAMI).expect(200);
        world.daemon.client("x").get(WHOAMI).expect_error(401, "invalid_token");
    }
}
