//! Web sessions are opened with a user's token, used from the daemon's own pages, and end with the token.

use serde_json::{Value, json};

use crate::support::{Client, Daemon};

/// A client with the cookie of a new session, and the cookie.
fn session(daemon: &Daemon, token: &str) -> (Client, String) {
    let reply = daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200);
    let header = reply.header("set-cookie").unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(header.contains(part), "{header}");
    }
    assert!(!reply.text().contains(token));
    let cookie = header.split(';').next().unwrap().to_owned();
    (daemon.anonymous().with("Cookie", &cookie), cookie)
}

fn user_token(daemon: &Daemon) -> Value {
    daemon.operator().post("/api/users/operator/tokens", json!({"label": "web"})).expect(201).json()
}

#[test]
fn a_session_reads_and_writes_from_its_own_page_only() {
    let daemon = Daemon::start();
    let (client, cookie) = session(&daemon, &daemon.token);
    assert_eq!(client.get("/api/auth/whoami").expect(200).json()["kind"], "session");
    client.get("/auth/me").expect(200);
    let create = |client: Client, name: &str| client.post("/api/agents", json!({"name": name}));
    create(client.clone(), "no").expect_error(403, "csrf_refused");
    for (name, value) in [("Origin", "null"), ("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")] {
        create(client.with(name, value), "no").expect_error(403, "csrf_refused");
    }
    let foreign = client.with("Origin", "http://evil.example").with("Sec-Fetch-Site", "same-origin");
    create(foreign, "no").expect_error(403, "csrf_refused");
    create(client.with("Sec-Fetch-Site", "same-origin"), "yes").expect(200);
    create(client.with("Origin", "http://localhost"), "yes too").expect(200);
    client.with("Host", "evil.example").get("/api/agents").expect_error(403, "host_not_allowed");
    // A bearer takes precedence over the cookie, even a bad one.
    daemon.client("taos_user_bad").with("Cookie", &cookie).get("/api/agents").expect_error(401, "invalid_token");
    daemon.operator().with("Cookie", &cookie).post("/api/agents", json!({"name": "by bearer"})).expect(200);
}

#[test]
fn a_session_ends_by_logout_by_revocation_and_with_its_token() {
    let daemon = Daemon::start();
    let issued = user_token(&daemon);
    let token = issued["token"].as_str().unwrap();
    let (first, _) = session(&daemon, token);
    let (second, _) = session(&daemon, token);
    let (third, _) = session(&daemon, token);
    let listed = third.get("/api/sessions").expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert_eq!(listed.as_array().unwrap().iter().filter(|s| s["current"] == true).count(), 1);
    let page = |client: &Client| client.with("Sec-Fetch-Site", "same-origin");
    page(&first).delete("/api/sessions/current").expect(204);
    first.get("/api/auth/whoami").expect_error(401, "invalid_token");
    let id = listed[1]["id"].as_str().unwrap();
    page(&third).delete(&format!("/api/sessions/{id}")).expect(204);
    second.get("/api/auth/whoami").expect_error(401, "invalid_token");
    page(&third).delete(&format!("/api/sessions/{id}")).expect_error(404, "session_not_found");
    let path = format!("/api/users/operator/tokens/{}", issued["id"].as_str().unwrap());
    daemon.operator().delete(&path).expect(204);
    third.get("/api/auth/whoami").expect_error(401, "invalid_token");
    daemon.anonymous().post("/api/sessions", json!({"token": token})).expect_error(401, "invalid_token");
    daemon.operator().delete("/api/sessions/current").expect(204);
}

#[test]
fn only_a_users_token_opens_a_session_and_failures_are_throttled_alike() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "4")]);
    daemon.operator().post("/api/agents", json!({"name": "a"})).expect(200);
    let issued = daemon.operator().post("/api/agents/a/token/issue", json!({})).expect(200).json();
    let open = |token: &str| daemon.anonymous().post("/api/sessions", json!({"token": token}));
    open(issued["token"].as_str().unwrap()).expect_error(403, "user_token_required");
    for bad in ["", "hunter2", "taos_user_x", &format!("taos_user_{}", "A".repeat(43))] {
        open(bad).expect_error(401, "invalid_token");
    }
    let reply = open("hunter2");
    assert!(reply.header("retry-after").is_some());
    reply.expect_error(429, "rate_limited");
    open(&daemon.token).expect(200);
}

#[test]
fn a_session_never_outlives_or_exceeds_its_token() {
    let daemon = Daemon::start();
    let body = json!({"scope": ["agents.list"], "expires_in_days": 1});
    let issued = daemon.operator().post("/api/users/operator/tokens", body).expect(201).json();
    let token = issued["token"].as_str().unwrap();
    let (client, _) = session(&daemon, token);
    client.get("/api/agents").expect(200);
    client.get("/api/users").expect_error(403, "scope_denied");
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200).json();
    assert_eq!(opened["expires_at"], issued["expires_at"]);
}
