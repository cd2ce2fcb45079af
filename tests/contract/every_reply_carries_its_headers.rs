//! Headers of every reply. The tests' client checks them on all replies. These tests send the kinds of requests that
//! other tests do not send.

use crate::harness::{Harness, plain_routes};

#[test]
fn head_answers_as_get_does_without_the_body() {
    let harness = Harness::new();
    for route in plain_routes().filter(|route| route.method == "GET") {
        let request = harness.request(route);
        let get = request.by(&harness.operator()).expect(200);
        let head = harness.operator().send("HEAD", &request.path, None).expect(200);
        assert_eq!(head.header("content-type"), get.header("content-type"), "{}", route.id);
        // The head of the audit is signed again each time, and the state of the box contains the time.
        if !["audit_head", "box_status"].contains(&route.id) {
            assert_eq!(head.header("etag"), get.header("etag"), "{}", route.id);
        }
        if route.id != "metrics" && route.id != "audit_list" {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{}", route.id);
        }
    }
    harness.daemon.anonymous().send("HEAD", "/api/agents", None).expect(401);
    harness.operator().send("HEAD", "/api/agents/nobody", None).expect(404);
}

#[test]
fn a_request_id_is_kept_if_it_is_well_formed() {
    let harness = Harness::new();
    let id = |sent: &str| {
        let reply = harness.daemon.anonymous().with("X-Request-Id", sent).get("/healthz").expect(200);
        reply.header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(id("Abc-1.2_3"), "Abc-1.2_3");
    for bad in ["a b", "a/b", "ü", &"x".repeat(65)] {
        assert_ne!(id(bad), bad);
    }
    assert_ne!(id("a b"), id("a b"), "each request has its own");
}

#[test]
fn every_time_is_utc_in_milliseconds() {
    let harness = Harness::new();
    let name = harness.agent();
    let issued =
        harness.operator().post(&format!("/api/agents/{name}/token/issue"), serde_json::json!({"expires_in_days": 1}));
    let record = harness.daemon.record(&name);
    let mut times = vec![issued.json()["expires_at"].clone()];
    times.extend(["created_at", "updated_at", "issued_at", "token_delivery_at"].map(|field| record[field].clone()));
    for time in times {
        let shape: String =
            time.as_str().expect("a time").chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99T99:99:99.999Z");
    }
    let stored = harness.daemon.number("SELECT created_at FROM agents WHERE slug = ?1", [&name]);
    assert_eq!(record["created_at"], taosd::time::Micros(stored).millis(), "as stored, no second look at the clock");
}

#[test]
fn a_foreign_host_is_refused_without_a_credential() {
    let harness = Harness::new();
    let foreign = |client: crate::support::Client| client.with("Host", "evil.example");
    foreign(harness.daemon.anonymous()).get("/api").expect_error(403, "host_not_allowed");
    foreign(harness.daemon.anonymous()).get("/healthz").expect(200);
    foreign(harness.operator()).get("/api/agents").expect(200);
}
