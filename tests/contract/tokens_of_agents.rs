//! An agent has one live token. No token grants more than its issuer holds, and ended tokens are refused at once.

use serde_json::{Value, json};

use crate::harness::Harness;
use crate::support::{Client, text};

const WHOAMI: &str = "/api/auth/whoami";

fn issue(harness: &Harness, agent: &str, body: Value) -> (Client, Value) {
    let issued = harness.operator().post(&format!("/api/agents/{agent}/token/issue"), body).expect(200).json();
    (harness.daemon.client(&text(&issued, "token")), issued)
}

fn live_tokens(harness: &Harness, agent: &str) -> i64 {
    let sql = "SELECT count(*) FROM credentials c JOIN agents a ON a.id = c.agent_id WHERE a.slug = ?1
        AND c.kind = 'agent_token' AND c.state IN ('active', 'grace')";
    harness.daemon.number(sql, [agent])
}

#[test]
fn a_new_token_ends_the_one_before_at_once() {
    let harness = Harness::new();
    let name = harness.agent();
    let (old, first) = issue(&harness, &name, json!({}));
    assert_eq!((&first["expires_at"], &first["previous_valid_until"]), (&json!(null), &json!(null)));
    assert_eq!(first["scope"], harness.daemon.record(&name)["scope"], "the agent's");
    old.get(WHOAMI).expect(200);
    let (new, second) = issue(&harness, &name, json!({}));
    assert_ne!(first["credential_id"], second["credential_id"]);
    old.get(WHOAMI).expect_error(401, "invalid_token");
    new.get(WHOAMI).expect(200);
    assert_eq!(live_tokens(&harness, &name), 1);
}

#[test]
fn a_revoked_token_is_refused_at_once_its_grace_included() {
    let harness = Harness::new();
    let name = harness.agent();
    let (old, _) = issue(&harness, &name, json!({}));
    let (new, issued) = issue(&harness, &name, json!({"grace_seconds": 600}));
    old.get(WHOAMI).expect(200);
    let shown = harness.operator().get(&format!("/api/agents/{name}/token")).expect(200).json();
    assert_eq!(shown["grace_until"], issued["previous_valid_until"]);
    assert!(text(&issued, "previous_valid_until") > text(&issued, "issued_at"));
    harness.operator().delete(&format!("/api/agents/{name}/token")).expect(204);
    for dead in [&old, &new] {
        dead.get(WHOAMI).expect_error(401, "invalid_token");
    }
    let shown = harness.operator().get(&format!("/api/agents/{name}/token")).expect(200).json();
    for field in ["credential_id", "issued_at", "grace_until", "token_delivery"] {
        assert_eq!(shown[field], json!(null), "{field}");
    }
    assert_eq!((&shown["has_token"], live_tokens(&harness, &name)), (&json!(false), 0));
}

#[test]
fn a_grace_ends_with_its_time_or_with_the_next_token() {
    let harness = Harness::new();
    let name = harness.agent();
    let (first, _) = issue(&harness, &name, json!({}));
    let (second, _) = issue(&harness, &name, json!({"grace_seconds": 600}));
    let (third, _) = issue(&harness, &name, json!({"grace_seconds": 600}));
    first.get(WHOAMI).expect_error(401, "invalid_token");
    second.get(WHOAMI).expect(200);
    harness.daemon.execute("UPDATE credentials SET expires_at = 1 WHERE state = 'grace'", []);
    // The daemon sees a direct change of the database after at most a quarter of a second.
    std::thread::sleep(std::time::Duration::from_millis(300));
    second.get(WHOAMI).expect_error(401, "invalid_token");
    let (fourth, _) = issue(&harness, &name, json!({}));
    third.get(WHOAMI).expect_error(401, "invalid_token");
    fourth.get(WHOAMI).expect(200);
}

#[test]
fn a_grace_never_outlives_the_token_itself() {
    let harness = Harness::new();
    let name = harness.agent();
    issue(&harness, &name, json!({"expires_in_days": 1}));
    let soon = taosd::time::Micros::now().plus(5 * taosd::time::Micros::SECOND);
    harness.daemon.execute("UPDATE credentials SET expires_at = ?1 WHERE agent_id IS NOT NULL", [soon]);
    let (_, issued) = issue(&harness, &name, json!({"grace_seconds": 3600}));
    assert_eq!(issued["previous_valid_until"], soon.millis());
}

#[test]
fn an_expired_token_is_refused_and_has_no_grace() {
    let harness = Harness::new();
    let name = harness.agent();
    let (token, issued) = issue(&harness, &name, json!({"expires_in_days": 1}));
    assert_eq!(harness.daemon.record(&name)["expires_at"], issued["expires_at"]);
    harness
        .daemon
        .execute("UPDATE credentials SET expires_at = ?1 WHERE agent_id IS NOT NULL", [taosd::time::Micros::now()]);
    token.get(WHOAMI).expect_error(401, "invalid_token");
    assert_eq!(harness.daemon.record(&name)["has_token"], json!(false));
    let (new, issued) = issue(&harness, &name, json!({"grace_seconds": 60}));
    assert_eq!(issued["previous_valid_until"], json!(null));
    new.get(WHOAMI).expect(200);
    token.get(WHOAMI).expect_error(401, "invalid_token");
}

#[test]
fn no_token_grants_more_than_its_issuer_holds() {
    let harness = Harness::new();
    let name = harness.agent();
    let path = format!("/api/agents/{name}/token/issue");
    let narrow = harness.daemon.user_token("operator", &["agents.*"]);
    for scope in [json!(["*"]), json!(["users.list"]), json!(["agents.read", "ui.notify"]), json!(["users.*"])] {
        let refused = narrow.post(&path, json!({"scope": scope})).expect_error(403, "scope_exceeds_issuer");
        assert!(refused.json()["scope"].is_string());
    }
    // The check also applies to the default, which is the agent's own scope.
    narrow.post(&path, json!({})).expect_error(403, "scope_exceeds_issuer");
    narrow.post("/api/agents", json!({"name": "x"})).expect_error(403, "scope_exceeds_issuer");
    narrow
        .put(&format!("/api/agents/{name}/permissions"), json!({"scope": ["*"]}))
        .expect_error(403, "scope_exceeds_issuer");
    assert_eq!(live_tokens(&harness, &name), 0);
    for scope in
        [json!([]), json!(["agents.*"]), json!(["agents.token.*"]), json!(["agents.read", "agents.token.issue"])]
    {
        assert_eq!(narrow.post(&path, json!({"scope": scope})).expect(200).json()["scope"], scope);
    }
    let tokens = "/api/users/operator/tokens";
    let issuer = harness.daemon.user_token("operator", &["users.token.issue"]);
    issuer.post(tokens, json!({"scope": ["*"]})).expect_error(403, "scope_exceeds_issuer");
    let child = issuer.post(tokens, json!({})).expect(201).json();
    assert_eq!(child["scope"], json!(["users.token.issue"]), "the issuer's own");
}

#[test]
fn an_agent_may_rotate_its_own_token_and_never_widen_it() {
    let harness = Harness::new();
    let name = harness.agent();
    let scope = json!({"scope": ["agents.token.issue", "agents.read", "agents.list"]});
    harness.operator().put(&format!("/api/agents/{name}/permissions"), scope).expect(200);
    let (token, _) = issue(&harness, &name, json!({"scope": ["agents.token.issue", "agents.read"]}));
    let path = format!("/api/agents/{name}/token/issue");
    token.post(&path, json!({"scope": ["agents.list"]})).expect_error(403, "scope_exceeds_issuer");
    token.post(&path, json!({})).expect_error(403, "scope_exceeds_issuer");
    let issued = token.post(&path, json!({"scope": ["agents.read"], "grace_seconds": 5})).expect(200).json();
    token.get(WHOAMI).expect(200);
    let next = harness.daemon.client(&text(&issued, "token"));
    next.get(&format!("/api/agents/{name}")).expect(200);
    next.post(&path, json!({"scope": []})).expect_error(403, "scope_denied");
    let id = text(&harness.daemon.record(&name), "id");
    let shown = harness.operator().get(&format!("/api/agents/{name}/token")).expect(200).json();
    assert_eq!(shown["issued_by"], format!("agent:{id}"));
}

#[test]
fn new_permissions_are_the_live_tokens_at_once() {
    let harness = Harness::new();
    let name = harness.agent();
    let (token, _) = issue(&harness, &name, json!({"scope": ["agents.read"]}));
    let path = format!("/api/agents/{name}");
    let permit =
        |scope: Value| harness.operator().put(&format!("{path}/permissions"), json!({"scope": scope})).expect(200);
    permit(json!(["agents.list"]));
    token.get(&path).expect_error(403, "scope_denied");
    token.get("/api/agents").expect(200);
    permit(json!([]));
    token.get("/api/agents").expect_error(403, "scope_denied");
    assert_eq!(token.get(WHOAMI).expect(200).json()["scope"], json!([]));
    // The record has this scope already, but it still narrows a token that was issued with more.
    let (wider, _) = issue(&harness, &name, json!({"scope": ["agents.*"]}));
    let audited = harness.daemon.number("SELECT count(*) FROM audit", []);
    permit(json!([]));
    wider.get(&path).expect_error(403, "scope_denied");
    let rows = "SELECT count(*) FROM audit WHERE action = 'agents.permissions' AND outcome = 'ok' AND seq > ?1";
    assert_eq!(harness.daemon.number(rows, [audited]), 1);
}

#[test]
fn archiving_ends_the_token_at_once() {
    let harness = Harness::new();
    let name = harness.agent();
    let (old, _) = issue(&harness, &name, json!({"scope": ["*"]}));
    let (new, _) = issue(&harness, &name, json!({"scope": ["*"], "grace_seconds": 60}));
    harness.operator().delete(&format!("/api/agents/{name}")).expect(200);
    for dead in [old, new] {
        dead.get(WHOAMI).expect_error(401, "invalid_token");
    }
}

#[test]
fn twenty_issues_at_once_all_succeed_and_leave_one_live_token() {
    let harness = Harness::new();
    let name = harness.agent();
    let tokens: Vec<Client> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..20).map(|_| scope.spawn(|| issue(&harness, &name, json!({})).0)).collect();
        sent.into_iter().map(|thread| thread.join().expect("a token")).collect()
    });
    let live = tokens.iter().filter(|token| token.get(WHOAMI).status == 200).count();
    assert_eq!((live, live_tokens(&harness, &name)), (1, 1));
    assert_eq!(harness.daemon.number("SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL", []), 20);
}

#[test]
fn the_last_use_is_kept_and_costs_no_write_of_its_own() {
    let mut harness = Harness::new();
    let name = harness.agent();
    let (token, _) = issue(&harness, &name, json!({}));
    let before = std::fs::metadata(harness.daemon.data.join("taosd.db-wal")).expect("the log").len();
    for _ in 0..20 {
        token.get(WHOAMI).expect(200);
    }
    assert_eq!(std::fs::metadata(harness.daemon.data.join("taosd.db-wal")).expect("the log").len(), before);
    assert_eq!(harness.daemon.record(&name)["last_used_at"], json!(null), "not yet");
    harness.daemon.restart();
    let used = text(&harness.daemon.record(&name), "last_used_at");
    assert!(used >= text(&harness.daemon.record(&name), "issued_at"), "{used}");
}
