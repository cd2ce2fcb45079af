//! Users: what disabling and deleting end. Each user sees only their own tokens.

use serde_json::json;

use crate::harness::Harness;
use crate::support::text;

const WHOAMI: &str = "/api/auth/whoami";

#[test]
fn disabling_a_user_ends_the_use_of_its_credentials_and_of_its_agents_until_it_is_enabled() {
    let harness = Harness::new();
    let member = harness.daemon.member("ann", &["*"]);
    harness.daemon.grant("user:ann", "*", "creator");
    harness.daemon.agent_by(&member, "anns");
    let agent = harness.daemon.agent_token("anns", &["*"]);
    let set = |disabled: bool| harness.operator().patch("/api/users/ann", json!({"disabled": disabled})).expect(200);
    set(true);
    for client in [&member, &agent] {
        client.get(WHOAMI).expect_error(401, "invalid_token");
    }
    set(false);
    for client in [&member, &agent] {
        client.get(WHOAMI).expect(200);
    }
}

#[test]
fn a_member_reads_itself_and_manages_its_own_tokens_alone() {
    let harness = Harness::new();
    let (ann, bob) = (harness.daemon.member("ann", &["*"]), harness.daemon.member("bob", &["*"]));
    ann.get("/api/users/ann").expect(200);
    let issued = ann.post("/api/users/ann/tokens", json!({"label": "l"})).expect(201).json();
    let id = text(&issued, "id");
    for path in ["/api/users/ann", "/api/users/ann/tokens", "/api/users/operator", "/api/users/nobody"] {
        bob.get(path).expect_error(404, "user_not_found");
    }
    bob.post("/api/users/ann/tokens", json!({})).expect_error(404, "user_not_found");
    bob.delete(&format!("/api/users/ann/tokens/{id}")).expect_error(404, "user_not_found");
    bob.delete(&format!("/api/users/bob/tokens/{id}")).expect_error(404, "token_not_found");
    for (method, path) in [("GET", "/api/users"), ("DELETE", "/api/users/ann"), ("GET", "/api/audit")] {
        bob.send(method, path, None).expect_error(403, "forbidden");
    }
    bob.patch("/api/users/bob", json!({"role": "admin"})).expect_error(403, "forbidden");
    let token = harness.daemon.client(&text(&issued, "token"));
    token.get(WHOAMI).expect(200);
    ann.delete(&format!("/api/users/ann/tokens/{id}")).expect(204);
    token.get(WHOAMI).expect_error(401, "invalid_token");
    ann.delete(&format!("/api/users/ann/tokens/{id}")).expect_error(404, "token_not_found");
}

#[test]
fn a_token_of_a_user_lives_ninety_days_unless_another_time_is_asked_for() {
    let harness = Harness::new();
    let days = |body: serde_json::Value| {
        let id = text(&harness.operator().post("/api/users/operator/tokens", body).expect(201).json(), "id");
        harness.daemon.number("SELECT (expires_at - issued_at) / 86400000000 FROM credentials WHERE id = ?1", [id])
    };
    assert_eq!(
        [days(json!({})), days(json!({"expires_in_days": 1})), days(json!({"expires_in_days": 3650}))],
        [90, 1, 3650]
    );
    let token = harness.daemon.user_token("operator", &["*"]);
    let id = text(&token.get(WHOAMI).expect(200).json(), "credential_id");
    harness.daemon.execute("UPDATE credentials SET expires_at = ?2 WHERE id = ?1", (&id, taosd::time::Micros::now()));
    // The daemon sees a direct change of the database after at most a quarter of a second.
    std::thread::sleep(std::time::Duration::from_millis(300));
    token.get(WHOAMI).expect_error(401, "invalid_token");
}

#[test]
fn the_role_taken_from_an_admin_is_gone_with_its_next_request() {
    let harness = Harness::new();
    let boss = harness.daemon.admin("boss");
    boss.get("/api/users").expect(200);
    boss.patch("/api/users/boss", json!({"role": "member"})).expect(200);
    boss.get("/api/users").expect_error(403, "forbidden");
    boss.post("/api/agents", json!({"name": "x"})).expect_error(403, "create_not_allowed");
}

#[test]
fn credentials_that_are_none_are_refused() {
    let harness = Harness::new();
    let good = harness.operator().token().to_owned();
    let send = |value: &str| harness.daemon.anonymous().with("Authorization", value).get(WHOAMI);
    for value in [format!("Bearer {good}"), format!("bearer   {good} "), format!("BEARER {good}")] {
        send(&value).expect(200);
    }
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer x",
        &format!("Bearer {good}x"),
        &format!("Bearer {good} x"),
        &format!("Bearer {}", good.to_uppercase()),
        &format!("Bearer {}", good.replace("user", "agent")),
        &format!("Bearer \"{good}\""),
    ] {
        send(value).expect_error(401, "invalid_token");
    }
    send("Bearer axp_u_0123456789.abc").expect_error(403, "pat_not_allowed");
    for value in [format!("Basic {good}"), good.clone(), format!("Bearer{good}")] {
        send(&value).expect_error(401, "auth_required");
    }
    let twice = harness.operator().with("Authorization", &format!("Bearer {good}")).get(WHOAMI);
    twice.expect_error(401, "invalid_token");
    harness.daemon.anonymous().get(&format!("{WHOAMI}?access_token={good}")).expect_error(401, "auth_required");
    // A bad Bearer is refused even if none is needed.
    harness.daemon.on_socket().with("Authorization", "Bearer x").get(WHOAMI).expect_error(401, "invalid_token");
}
