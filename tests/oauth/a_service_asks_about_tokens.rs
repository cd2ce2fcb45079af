//! Introspection (RFC 7662): who may ask about which token, and what the reply contains.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::program::{Program, browser, of, post_form};
use crate::support::{Client, Daemon, Reply, text};

fn ask(client: &Client, token: &str) -> Reply {
    post_form(client, "/oauth/introspect", &[("token", token)])
}

#[track_caller]
fn told(client: &Client, token: &str) -> Value {
    let reply = ask(client, token).expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

fn inactive() -> Value {
    json!({"active": false})
}

/// The id of a client that an admin has registered, and a connection that authenticates as it.
fn registered(daemon: &Daemon, fields: Value) -> (String, Client) {
    let made = daemon.operator().post("/api/oauth/clients", fields).expect(201).json();
    let (id, secret) = (text(&made, "id"), text(&made, "client_secret"));
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    (id, daemon.anonymous().with("Authorization", &basic))
}

#[test]
fn an_admin_and_a_client_that_may_introspect_are_told_of_every_token() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "editor"), browser(&daemon, &daemon.token));
    let tokens = program.log_in(&person, json!({"new_agent": "editor"}), &["messages", "tasks"]);
    let (access, refresh) = (of(&tokens, "access_token"), of(&tokens, "refresh_token"));
    let (_, service) = registered(&daemon, json!({"name": "proxy", "introspect": true}));
    for asker in [&daemon.operator(), &service] {
        let about = told(asker, &access);
        let said = crate::program::claims(&access);
        for (name, value) in [
            ("active", json!(true)),
            ("scope", json!("messages tasks")),
            ("client_id", json!(program.id)),
            ("username", json!("operator")),
            ("sub", said["sub"].clone()),
            ("agent_id", said["sub"].clone()),
            ("agent_name", json!("editor")),
            ("aud", json!("ax-api")),
            ("iss", json!("taosd")),
            ("exp", said["exp"].clone()),
            ("iat", said["iat"].clone()),
            ("jti", said["jti"].clone()),
            ("token_class", json!("agent_access")),
            ("token_type", json!("Bearer")),
        ] {
            assert_eq!(about[name], value, "{name}");
        }
        let about = told(asker, &refresh);
        assert_eq!((&about["active"], &about["token_class"]), (&json!(true), &json!("oauth_grant")));
        assert!(about.get("token_type").is_none() && about.get("aud").is_none(), "{about}");
        let robot = daemon.agent_token("editor", &["tasks.read"]);
        let about = told(asker, robot.token());
        assert_eq!((&about["active"], &about["scope"]), (&json!(true), &json!("tasks.read")));
        assert_eq!(about["token_class"], "agent_token");
        let about = told(asker, &daemon.token);
        assert_eq!((&about["username"], &about["token_class"]), (&json!("operator"), &json!("user_token")));
        assert!(about.get("agent_id").is_none());
    }
    // A replaced refresh token is inactive, and asking about it does not end the grant.
    let next = program.refresh(&refresh).expect(200).json();
    assert_eq!(told(&service, &refresh), inactive());
    assert_eq!(told(&service, &of(&next, "refresh_token"))["active"], true);
    // A frozen agent's tokens are inactive, and active again once it is thawed.
    daemon.operator().post("/api/agents/editor/freeze", json!({"reason": "test"})).expect(200);
    assert_eq!(told(&service, &access), inactive());
    assert_eq!(told(&service, &of(&next, "refresh_token")), inactive());
    daemon.operator().post("/api/agents/editor/thaw", json!({})).expect(200);
    assert_eq!(told(&service, &access)["active"], true);
    // The end of the grant ends all its tokens.
    let grants = daemon.operator().get("/api/oauth/grants").expect(200).json();
    daemon.operator().delete(&format!("/api/oauth/grants/{}", text(&grants[0], "id"))).expect(204);
    for token in [&access, &of(&next, "access_token"), &of(&next, "refresh_token")] {
        assert_eq!(told(&service, token), inactive());
    }
}

#[test]
fn what_the_credential_lost_is_not_told_as_scope() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "editor"), browser(&daemon, &daemon.token));
    let tokens = program.log_in(&person, json!({"new_agent": "editor"}), &["messages", "tasks"]);
    daemon.operator().put("/api/agents/editor/permissions", json!({"scope": ["tasks.*"]})).expect(200);
    assert_eq!(told(&daemon.operator(), &of(&tokens, "access_token"))["scope"], "tasks");
}

#[test]
fn others_are_told_of_their_own_tokens_and_of_agents_that_they_may_read() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    let bob = daemon.member("bob", &["oauth.introspect"]);
    let id = daemon.agent("atlas");
    let atlas = daemon.agent_token("atlas", &["oauth.introspect", "tasks.read"]);
    let hermes = {
        daemon.agent("hermes");
        daemon.agent_token("hermes", &["tasks.read"])
    };
    assert_eq!(told(&ann, ann.token())["username"], "ann");
    assert_eq!(told(&bob, bob.token())["scope"], "oauth.introspect");
    for (asker, token) in [
        (&ann, bob.token()),
        (&bob, ann.token()),
        (&ann, atlas.token()),
        (&ann, daemon.token.as_str()),
        (&atlas, hermes.token()),
        (&atlas, daemon.token.as_str()),
    ] {
        assert_eq!(told(asker, token), inactive());
    }
    assert_eq!(told(&atlas, atlas.token())["agent_name"], "atlas");
    daemon.grant("user:ann", &id, "viewer");
    assert_eq!(told(&ann, atlas.token())["agent_name"], "atlas");
    daemon.operator().post("/api/users", json!({"username": "eve"})).expect(201);
    ask(&daemon.user_token("eve", &["tasks.*"]), ann.token()).expect_error(403, "scope_denied");
    ask(&hermes, hermes.token()).expect_error(403, "scope_denied");
}

#[test]
fn keys_sessions_and_strange_texts_are_never_active() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let wanted = json!({"name": "k", "agent_id": daemon.record("atlas")["id"]});
    let key = daemon.operator().post("/credentials/agent-pat", wanted).expect(201).json();
    let key = text(&key, "token");
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": daemon.token})).expect(200);
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = cookie.strip_prefix("taos_session=").unwrap().to_owned();
    let long = "x".repeat(15_000);
    let other = "taos_refresh_AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for text in [&key, &session, "x", &long, other, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "taos_user_"] {
        assert_eq!(told(&daemon.operator(), text), inactive());
    }
}

#[test]
fn who_cannot_say_who_he_is_is_told_nothing() {
    let daemon = Daemon::start();
    let (_, plain) = registered(&daemon, json!({"name": "wiki", "secret": true}));
    ask(&daemon.anonymous(), &daemon.token).expect_error(401, "auth_required");
    ask(&daemon.client("taos_user_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "x")
        .expect_error(401, "invalid_token");
    ask(&plain, &daemon.token).expect_error(400, "unauthorized_client");
    let wrong = format!("Basic {}", BASE64.encode(b"nobody:taos_client_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    let refused = ask(&daemon.anonymous().with("Authorization", &wrong), "x").expect_error(401, "invalid_client");
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"taosd\""));
    ask(&daemon.anonymous().with("Authorization", "Basic !!!"), "x").expect_error(401, "invalid_client");
    post_form(&daemon.operator(), "/oauth/introspect", &[]).expect_error(400, "invalid_request");
    let foreign = daemon.operator().with("Origin", "https://evil.example");
    ask(&foreign, &daemon.token).expect_error(403, "csrf_refused");
    daemon.operator().post("/oauth/introspect", json!({"token": "x"})).expect_error(400, "invalid_request");
    ask(&daemon.operator().with("Host", "box.lan"), "x").expect_error(403, "host_not_allowed");
    // The operator asks over the socket, where there is no host name to check.
    assert_eq!(told(&daemon.on_socket(), &daemon.token)["active"], true);
    let off = Daemon::with(&[], &[("TAOSD_OAUTH_ENABLED", "false")]);
    ask(&off.on_socket(), &off.token).expect_error(404, "not_found");
    // An access token from the token endpoint may not ask.
    let (program, person) = (Program::named(&daemon, "p"), browser(&daemon, &daemon.token));
    let tokens = program.log_in(&person, json!({"user": true}), &["messages"]);
    ask(&daemon.client(&of(&tokens, "access_token")), &daemon.token).expect_error(403, "scope_denied");
}

#[test]
fn wrong_secrets_are_counted_and_a_service_has_a_rate() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3"), ("TAOSD_REQUESTS_PER_MINUTE", "5")]);
    let (id, service) = registered(&daemon, json!({"name": "proxy", "introspect": true}));
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(ask(&service, "x").status);
    }
    assert_eq!(seen, [200, 200, 200, 200, 200, 429]);
    let wrong = format!("Basic {}", BASE64.encode(format!("{id}:x").as_bytes()));
    let wrong = daemon.anonymous().with("Authorization", &wrong);
    for _ in 0..3 {
        ask(&wrong, "x").expect_error(401, "invalid_client");
    }
    ask(&wrong, "x").expect_error(429, "rate_limited");
}
