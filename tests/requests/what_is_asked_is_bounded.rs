//! Every field has its bounds. An agent cannot flood its owner with requests, nor repeat the same request without end.

use serde_json::{Value, json};

use crate::requests::harness::{Harness, TRIED_SCOPE};
use crate::support::text;

fn scope(scope: Value) -> Value {
    json!({"kind": "scope", "scope": scope, "reason": "r"})
}

#[test]
fn what_does_not_fit_its_kind_is_refused() {
    let w = Harness::new();
    let invalid = |body: Value| {
        w.atlas.post("/api/requests", body).expect_error(422, "validation_error");
    };
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE]}));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r".repeat(501)}));
    invalid(json!({"kind": "join", "reason": "r"}));
    invalid(scope(json!([])));
    invalid(scope(json!(vec![TRIED_SCOPE; 9])));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "role": "viewer"}));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "duration_seconds": 59}));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "duration_seconds": 2_592_001}));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "expires_in_seconds": 604_801}));
    invalid(json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "expires_in_seconds": 59}));
    invalid(json!({"kind": "grant", "resource": "agent:*", "role": "viewer", "reason": "r"}));
    invalid(json!({"kind": "grant", "resource": "user:ann", "role": "viewer", "reason": "r"}));
    invalid(json!({"kind": "grant", "resource": "agent:x", "reason": "r"}));
    invalid(json!({"kind": "grant", "resource": "agent:x", "role": "creator", "reason": "r"}));
    let question = |options: Value| json!({"kind": "confirm", "question": "q?", "options": options, "reason": "r"});
    invalid(question(json!(["one"])));
    invalid(question(json!(["1", "2", "3", "4", "5", "6", "7"])));
    invalid(question(json!(["a", "a"])));
    invalid(question(json!(["a", "b".repeat(65)])));
    invalid(json!({"kind": "confirm", "question": "q".repeat(2001), "reason": "r"}));
    invalid(json!({"kind": "confirm", "question": "q?", "reason": "r", "duration_seconds": 60}));
    w.atlas.post("/api/requests", scope(json!(["agents.?"]))).expect_error(422, "invalid_scope");
    w.ask(json!({"kind": "confirm", "question": "q".repeat(2000), "reason": "r".repeat(500),
        "options": ["1", "2", "3", "4", "5", "b".repeat(64)]}));
}

#[test]
fn five_requests_and_twenty_questions_may_be_pending() {
    let w = Harness::new();
    for action in ["agents.logs", "agents.update", "agents.delete", "agents.export", "users.read"] {
        w.ask_scope(&[action]);
    }
    let sixth = w.atlas.post("/api/requests", scope(json!(["audit.read"])));
    sixth.expect_error(409, "too_many_requests_pending");
    for n in 0..10 {
        w.ask(json!({"kind": "confirm", "question": format!("{n}?"), "reason": "r"}));
        w.atlas.post("/api/ui/ask", json!({"question": format!("and {n}?")})).expect(200);
    }
    w.atlas.post("/api/ui/ask", json!({"question": "more?"})).expect_error(409, "too_many_questions");
    w.atlas
        .post("/api/requests", json!({"kind": "confirm", "question": "more?", "reason": "r"}))
        .expect_error(409, "too_many_requests_pending");
    let first = w.atlas.get("/api/requests?kind=scope").expect(200).json();
    let id = text(&first[0], "id");
    let withdrawn = w.atlas.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect(200).json();
    assert_eq!(withdrawn["state"], "withdrawn");
    w.atlas.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect_error(409, "request_decided");
    w.atlas.post("/api/requests", scope(json!(["audit.read"]))).expect(201);
}

#[test]
fn sixty_an_hour_and_no_more() {
    let w = Harness::new();
    for n in 0..60 {
        let id = text(&w.ask(json!({"kind": "confirm", "question": format!("{n}?"), "reason": "r"})), "id");
        w.atlas.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect(200);
    }
    let refused = w.atlas.post("/api/requests", scope(json!([TRIED_SCOPE]))).expect_error(429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After");
    assert!((3400..=3601).contains(&seconds), "{seconds}");
    w.daemon.execute("UPDATE requests SET created_at = created_at - 3601000000", []);
    w.ask_scope(&[TRIED_SCOPE]);
}

#[test]
fn what_was_denied_is_not_asked_again_for_ten_minutes() {
    let w = Harness::new();
    let id = w.ask_scope(&[TRIED_SCOPE]);
    w.ann.post(&format!("/api/requests/{id}/deny"), json!({"note": "not today"})).expect(200);
    let again = || w.atlas.post("/api/requests", scope(json!([TRIED_SCOPE])));
    let refused = again().expect_error(409, "recently_denied").json();
    assert_eq!((&refused["request_id"], &refused["note"]), (&json!(id), &json!("not today")));
    w.ask_scope(&["agents.logs"]);
    w.daemon.execute("UPDATE requests SET decided_at = decided_at - 600000001 WHERE id = ?1", [&id]);
    again().expect(201);
}

#[test]
fn a_repeat_with_a_key_is_answered_by_the_first_reply() {
    let w = Harness::new();
    let keyed = w.atlas.with("Idempotency-Key", "k1");
    let first = keyed.post("/api/requests", scope(json!([TRIED_SCOPE]))).expect(201);
    let again = keyed.post("/api/requests", scope(json!([TRIED_SCOPE]))).expect(201);
    assert_eq!((again.header("idempotent-replayed"), again.text()), (Some("true"), first.text()));
}
