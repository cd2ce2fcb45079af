//! The complete login of a program: discovery, registration, consent, tokens, refresh, revocation.

use serde_json::json;

use crate::program::{CALLBACK, Program, browser, claims, of, parameter, post_form};
use crate::support::Daemon;

#[test]
fn discovery_names_the_host_that_was_asked_and_only_where_it_is_safe() {
    let daemon =
        Daemon::with(&[], &[("TAOSD_PUBLIC_URL", "https://box.example.org"), ("TAOSD_ALLOWED_HOSTS", "box.lan")]);
    let paths = ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"];
    for (host, issuer) in [
        ("127.0.0.1:6969", "http://127.0.0.1:6969"),
        ("LocalHost:1", "http://localhost:1"),
        ("[::1]:6969", "http://[::1]:6969"),
        ("box.example.org", "https://box.example.org"),
        ("box.example.org:443", "https://box.example.org"),
    ] {
        let at = daemon.anonymous().with("Host", host).with("X-Forwarded-Proto", "https");
        let server = at.get(paths[0]).expect(200);
        assert_eq!(server.header("cache-control"), Some("no-store"));
        let server = server.json();
        assert_eq!(server["issuer"], issuer);
        for (name, path) in [
            ("authorization_endpoint", "/oauth/authorize"),
            ("token_endpoint", "/oauth/token"),
            ("registration_endpoint", "/oauth/register"),
            ("revocation_endpoint", "/oauth/revoke"),
            ("jwks_uri", "/.well-known/jwks.json"),
        ] {
            assert_eq!(server[name], format!("{issuer}{path}"));
        }
        assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
        let resource = at.get(paths[1]).expect(200).json();
        assert_eq!(
            (&resource["resource"], &resource["authorization_servers"]),
            (&json!(format!("{issuer}/mcp")), &json!([issuer]))
        );
        assert!(resource["scopes_supported"].as_array().unwrap().contains(&json!("messages")));
    }
    let off = Daemon::with(&[], &[("TAOSD_OAUTH_ENABLED", "false")]);
    for path in paths {
        daemon.anonymous().with("Host", "box.lan:6969").get(path).expect_error(404, "not_found");
        daemon.anonymous().with("Host", "evil.example").get(path).expect_error(403, "host_not_allowed");
        daemon.on_socket().get(path).expect_error(404, "not_found");
        off.anonymous().get(path).expect_error(404, "not_found");
    }
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/openid-configuration"] {
        daemon.anonymous().get(path).expect_error(404, "not_found");
    }
    for path in ["/oauth/register", "/oauth/token", "/oauth/revoke"] {
        let refused = post_form(&daemon.anonymous().with("Host", "box.lan"), path, &[]).expect_error(404, "not_found");
        assert!(refused.json()["error_description"].is_string());
    }
}

#[test]
fn a_program_acts_as_a_new_agent_until_its_person_ends_it() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "Claude Code"), browser(&daemon, &daemon.token));
    let path = program.ask(&[("scope", "messages tasks openid offline_access")]);
    // Without a session the person logs in first, and then returns to this page.
    let login = daemon.anonymous().get(&path).expect(303);
    let login = daemon.anonymous().get(login.header("location").unwrap()).expect(200).text();
    assert!(login.contains(&format!("name=\"next\" value=\"{path}\"")), "{login}");
    let page = person.get(&path).expect(200).text();
    for shown in [
        "Claude Code",
        "chose this name itself",
        "computer of this browser",
        "operator",
        "value=\"claude-code\"",
        "messages",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("openid"), "{page}");
    let to = program.allow(&person, &path, json!({"new_agent": "claude-code"}), &["messages"]);
    assert!(to.starts_with(&format!("{CALLBACK}?")), "{to}");
    assert_eq!(parameter(&to, "state").as_deref(), Some("s t&=?"));
    assert_eq!(parameter(&to, "iss"), Some("http://localhost".to_owned()));
    let told = program.show_code(&parameter(&to, "code").unwrap(), &[]).expect(200);
    assert_eq!(told.header("cache-control"), Some("no-store"));
    let told = told.json();
    assert_eq!(
        (told["token_type"].as_str(), told["scope"].as_str(), told["expires_in"].as_i64()),
        (Some("Bearer"), Some("messages"), Some(900))
    );
    let access = of(&told, "access_token");
    let said = claims(&access);
    assert_eq!(
        (&said["iss"], &said["aud"], &said["token_class"]),
        (&json!("taosd"), &json!("ax-api"), &json!("agent_access"))
    );
    assert_eq!((&said["client_id"], &said["agent_name"]), (&json!(program.id), &json!("claude-code")));
    let agent = daemon.client(&access);
    let me = agent.get("/api/auth/whoami").expect(200).json();
    assert_eq!(
        (&me["principal"], &me["agent_name"], &me["kind"]),
        (&json!("agent"), &json!("claude-code"), &json!("oauth_grant"))
    );
    agent.post("/api/v1/messages", json!({"content": "hello"})).expect(200);
    agent.post("/api/v1/tasks", json!({"title": "no"})).expect(403);
    // A refresh replaces both tokens.
    let next = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    assert_ne!((&next["refresh_token"], &next["access_token"]), (&told["refresh_token"], &told["access_token"]));
    agent.get("/api/auth/whoami").expect(200);
    let grants = daemon.operator().get("/api/oauth/grants").expect(200).json();
    assert_eq!(grants.as_array().unwrap().len(), 1);
    for (name, value) in [
        ("client_name", "Claude Code"),
        ("agent_name", "claude-code"),
        ("scope", "messages"),
        ("redirect_host", "127.0.0.1"),
        ("username", "operator"),
    ] {
        assert_eq!(grants[0][name], value);
    }
    // The next login of the same program offers that agent first.
    let again = person.get(&program.ask(&[])).expect(200).text();
    assert!(again.contains("checked> <span>the agent claude-code"), "{again}");
    daemon.operator().delete(&format!("/api/oauth/grants/{}", of(&grants[0], "id"))).expect(204);
    daemon.client(&of(&next, "access_token")).get("/api/auth/whoami").expect(401);
    program.refresh(&of(&next, "refresh_token")).expect_error(400, "invalid_grant");
    let audited = daemon.text(
        "SELECT group_concat(action) FROM (SELECT action FROM audit WHERE action LIKE 'oauth.%' AND outcome = 'ok' ORDER BY seq)",
        [],
    );
    assert_eq!(audited, "oauth.consent,oauth.grant.create,oauth.grant.refresh,oauth.grants.revoke");
    daemon.check();
}

#[test]
fn a_program_that_acts_as_an_admin_gets_no_admins_word() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "x"), browser(&daemon, &daemon.token));
    let told = program.log_in(&person, json!({"user": true}), &["agents", "spaces", "messages"]);
    let client = daemon.client(&of(&told, "access_token"));
    assert_eq!(claims(&of(&told, "access_token"))["token_class"], "user_access");
    client.get("/api/v1/agents").expect(200);
    for (path, body) in [
        ("/api/users", json!({"username": "eve", "role": "admin"})),
        ("/api/users/operator/tokens", json!({})),
        ("/api/v1/keys", json!({"name": "k"})),
        ("/credentials/enrollment", json!({})),
        ("/api/sessions/links", json!({})),
        ("/auth/exchange", json!({})),
    ] {
        let refused = client.post(path, body);
        assert!([401, 403, 422].contains(&refused.status), "{path}: {} {}", refused.status, refused.text());
    }
    for path in ["/api/users", "/api/audit", "/api/oauth/grants"] {
        client.get(path).expect_error(403, "scope_denied");
    }
}

#[test]
fn a_person_may_refuse() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "x"), browser(&daemon, &daemon.token));
    let path = program.ask(&[]);
    person.get(&path).expect(200);
    let told = person.post(&path, json!({"decision": "deny"})).expect(200).json();
    let to = of(&told, "redirect_to");
    assert_eq!(parameter(&to, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&to, "state").as_deref(), Some("s t&=?"));
    person.post(&path, json!({"decision": "deny"})).expect_error(404, "authorization_expired");
    assert!(person.get(&path).expect(404).text().contains("over"));
    assert_eq!(daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.consent.deny'", []), 1);
}

#[test]
fn a_program_gives_its_grant_back() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "x"), browser(&daemon, &daemon.token));
    let revoke = |fields: &[(&str, &str)]| post_form(&daemon.anonymous(), "/oauth/revoke", fields);
    for which in ["refresh_token", "access_token"] {
        let told = program.log_in(&person, json!({"user": true}), &["messages"]);
        let client = daemon.client(&of(&told, "access_token"));
        client.get("/api/auth/whoami").expect(200);
        let other = Program::named(&daemon, "other");
        revoke(&[("token", &of(&told, which)), ("client_id", &other.id)]).expect_error(400, "unauthorized_client");
        client.get("/api/auth/whoami").expect(200);
        revoke(&[("token", &of(&told, which)), ("client_id", &program.id), ("token_type_hint", "x")]).expect(200);
        client.get("/api/auth/whoami").expect(401);
        program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
        assert!(revoke(&[("token", &of(&told, which)), ("client_id", &program.id)]).expect(200).body.is_empty());
    }
    revoke(&[("token", "unknown")]).expect(200);
    revoke(&[]).expect_error(400, "invalid_request");
    assert!(daemon.operator().get("/api/oauth/grants").expect(200).json().as_array().unwrap().is_empty());
}

#[test]
fn grants_are_their_persons_own() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    let (program, person) = (Program::named(&daemon, "x"), browser(&daemon, ann.token()));
    let told = program.log_in(&person, json!({"user": true}), &["messages"]);
    let id = of(&ann.get("/api/oauth/grants").expect(200).json()[0], "id");
    let bob = daemon.member("bob", &["*"]);
    assert_eq!(bob.get("/api/oauth/grants").expect(200).json(), json!([]));
    bob.delete(&format!("/api/oauth/grants/{id}")).expect_error(404, "grant_not_found");
    assert_eq!(daemon.operator().get("/api/oauth/grants").expect(200).json()[0]["username"], "ann");
    // Disabling the user ends the program's access at once.
    daemon.operator().patch("/api/users/ann", json!({"disabled": true})).expect(200);
    daemon.client(&of(&told, "access_token")).get("/api/auth/whoami").expect(401);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
}
