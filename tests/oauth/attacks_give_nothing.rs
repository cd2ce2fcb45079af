//! Attacks by thieves, other sites and other programs. None of them gets anything, and some end the stolen grant.

use serde_json::json;

use crate::program::{CALLBACK, Program, browser, challenge, form, of, parameter, post_form};
use crate::support::{Client, Daemon};

fn setting() -> (Daemon, Client) {
    let daemon =
        Daemon::with(&[], &[("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let person = browser(&daemon, &daemon.token);
    (daemon, person)
}

fn me() -> serde_json::Value {
    json!({"user": true})
}

#[test]
fn a_code_used_twice_ends_what_it_gave() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let code = program.code(&person, me(), &["messages"]);
    let told = program.show_code(&code, &[]).expect(200).json();
    daemon.client(&of(&told, "access_token")).get("/api/auth/whoami").expect(200);
    program.show_code(&code, &[]).expect_error(400, "invalid_grant");
    daemon.client(&of(&told, "access_token")).get("/api/auth/whoami").expect(401);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
    assert_eq!(daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.code_reuse'", []), 1);
}

#[test]
fn a_code_fits_one_client_one_verifier_and_one_try() {
    let (daemon, person) = setting();
    let (program, other) = (Program::named(&daemon, "x"), Program::named(&daemon, "thief"));
    for changes in [
        &[("code_verifier", "another-verifier-of-the-right-length-0123456789-abc")][..],
        &[("code_verifier", "short")],
        &[("code_verifier", &challenge(crate::program::VERIFIER))],
        &[("redirect_uri", "http://127.0.0.1:4712/callback")],
        &[("client_id", &other.id)],
    ] {
        let code = program.code(&person, me(), &["messages"]);
        program.show_code(&code, changes).expect_error(400, "invalid_grant");
        // The failed try has used up the code.
        program.show_code(&code, &[]).expect_error(400, "invalid_grant");
    }
    let code = program.code(&person, me(), &["messages"]);
    program.show_code(&code, &[("code_verifier", "")]).expect_error(400, "invalid_request");
    program.show_code(&code, &[("client_id", "dyn_x.y")]).expect_error(401, "invalid_client");
    for code in ["", "x", "taos_code_x", &format!("taos_code_{}", "A".repeat(43))] {
        assert_eq!(program.show_code(code, &[]).status, 400);
    }
    assert_eq!(daemon.number("SELECT count(*) FROM oauth_grants", []), 0);
    assert_eq!(daemon.number("SELECT count(*) FROM credentials WHERE kind = 'oauth_grant'", []), 0);
}

#[test]
fn twenty_who_come_with_one_code_at_once_leave_no_two_grants() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let code = program.code(&person, me(), &["messages"]);
    let replies: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| program.show_code(&code, &[]).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(replies.iter().filter(|status| **status == 200).count() <= 1, "{replies:?}");
    let live = "SELECT count(*) FROM credentials WHERE kind = 'oauth_grant' AND state = 'active'";
    assert_eq!(daemon.number(live, []), 0, "who came twice has nothing");
}

#[test]
fn a_stolen_refresh_token_ends_the_grant_and_a_lost_reply_does_not() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let first = program.log_in(&person, me(), &["messages"]);
    let second = program.refresh(&of(&first, "refresh_token")).expect(200).json();
    // As after a lost reply, the program refreshes once more with the old token.
    let third = program.refresh(&of(&first, "refresh_token")).expect(200).json();
    program.refresh(&of(&third, "refresh_token")).expect(200);
    // Now the old token counts as stolen, and so does the one of the lost reply.
    program.refresh(&of(&second, "refresh_token")).expect_error(400, "invalid_grant");
    assert_eq!(daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.refresh_reuse'", []), 1);
    let again = program.log_in(&person, me(), &["messages"]);
    let next = program.refresh(&of(&again, "refresh_token")).expect(200).json();
    let last = program.refresh(&of(&next, "refresh_token")).expect(200).json();
    // After two rotations, the reuse of an old token is still recognised and ends the grant.
    program.refresh(&of(&again, "refresh_token")).expect_error(400, "invalid_grant");
    program.refresh(&of(&last, "refresh_token")).expect_error(400, "invalid_grant");
    daemon.client(&of(&last, "access_token")).get("/api/auth/whoami").expect(401);
    // A refresh token does not authenticate requests, and only its own client can use it.
    let other = Program::named(&daemon, "thief");
    let told = program.log_in(&person, me(), &["messages"]);
    daemon.client(&of(&told, "refresh_token")).get("/api/auth/whoami").expect_error(401, "invalid_token");
    other.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
    program.refresh(&of(&told, "refresh_token")).expect(200);
}

#[test]
fn a_browser_is_led_to_registered_addresses_alone() {
    let (daemon, _) = setting();
    let program = Program::with(&daemon, "x", &[CALLBACK, "https://app.example/cb", "vscode://pub.ext/cb"]);
    let get = |changes: &[(&str, &str)]| daemon.anonymous().get(&program.target(changes));
    for uri in [
        "http://127.0.0.1:4711/other",
        "http://localhost:4711/callback",
        "http://127.0.0.1:4711/callback?x=1",
        "http://user@127.0.0.1:4711/callback",
        "http://127.0.0.1.evil.example/callback",
        "https://app.example:8443/cb",
        "https://app.example/cb/",
        "https://evil.example/cb",
        "//evil.example",
        "vscode://evil/cb",
        "javascript:alert(1)",
    ] {
        let refused = get(&[("redirect_uri", uri)]).expect(400);
        assert!(refused.header("location").is_none(), "{uri}");
    }
    for id in ["", "dyn_", "x", &format!("{}x", program.id)] {
        assert!(get(&[("client_id", id)]).expect(400).header("location").is_none());
    }
    // With several registered URIs, the request must name one.
    get(&[("redirect_uri", "")]).expect(400);
    for uri in ["http://127.0.0.1:9/callback", "https://app.example/cb", "vscode://pub.ext/cb"] {
        get(&[("redirect_uri", uri)]).expect(200);
        let led = get(&[("redirect_uri", uri), ("code_challenge_method", "plain")]).expect(303);
        let to = led.header("location").unwrap();
        assert!(to.starts_with(uri) && to.contains("error=invalid"), "{to}");
        assert_eq!(parameter(to, "iss").as_deref(), Some("http://localhost"));
    }
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("scope", "openid")], "invalid_scope"),
        (&[("resource", "https://evil.example/mcp")], "invalid_target"),
        (&[("state", &"s".repeat(1025))], "invalid_request"),
    ] {
        let led = get(changes).expect(303);
        assert_eq!(parameter(led.header("location").unwrap(), "error").as_deref(), Some(error), "{changes:?}");
    }
    let twice = format!("{}&scope=a&scope=b", program.target(&[]));
    let led = daemon.anonymous().get(&twice).expect(303);
    assert_eq!(parameter(led.header("location").unwrap(), "error").as_deref(), Some("invalid_request"));
}

#[test]
fn consent_comes_from_the_session_that_saw_the_page_and_from_no_other_site() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let body = json!({"decision": "allow", "act_as": me(), "scope": ["messages"]});
    let path = program.ask(&[]);
    // No session has opened the page yet.
    person.post(&path, body.clone()).expect_error(404, "authorization_expired");
    person.get(&path).expect(200);
    let other = browser(&daemon, &daemon.token);
    other.get(&path).expect(404);
    other.post(&path, body.clone()).expect_error(404, "authorization_expired");
    daemon.operator().post(&path, body.clone()).expect_error(404, "authorization_expired");
    daemon.anonymous().post(&path, body.clone()).expect_error(401, "auth_required");
    for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let cross = person.clone().with(name, value);
        assert_ne!(cross.post(&path, body.clone()).status, 200, "{name}: {value}");
    }
    let typed = person.with("Content-Type", "text/plain").send("POST", &path, Some(body.to_string().as_bytes()));
    assert!([400, 415].contains(&typed.status), "{}", typed.text());
    person.post(&path, body.clone()).expect(200);
    person.post(&path, body).expect_error(404, "authorization_expired");
}

#[test]
fn nothing_is_granted_that_the_session_does_not_hold_or_nobody_asked_for() {
    let (daemon, _) = setting();
    let narrow = daemon.user_token("operator", &["tasks.*", "sessions.*"]);
    let person = browser(&daemon, narrow.token());
    let program = Program::named(&daemon, "x");
    let path = program.ask(&[("scope", "messages tasks")]);
    let page = person.get(&path).expect(200).text();
    assert!(page.contains("value=\"tasks\"") && !page.contains("value=\"messages\""), "{page}");
    let post = |act_as: serde_json::Value, words: &[&str]| {
        person.post(&path, json!({"decision": "allow", "act_as": act_as, "scope": words}))
    };
    post(me(), &["messages"]).expect_error(403, "scope_exceeds_issuer");
    post(me(), &[]).expect_error(400, "invalid_request");
    // These words are ticked but were never asked for.
    post(me(), &["context", "agents"]).expect_error(400, "invalid_request");
    post(json!({"new_agent": "n"}), &["tasks"]).expect_error(403, "create_not_allowed");
    post(json!({"agent_id": "nobody"}), &["tasks"]).expect_error(404, "agent_not_found");
    post(json!({"user": true, "new_agent": "n"}), &["tasks"]).expect_error(400, "invalid_request");
    let to = of(&post(me(), &["tasks"]).expect(200).json(), "redirect_to");
    let told = program.show_code(&parameter(&to, "code").unwrap(), &[]).expect(200).json();
    let client = daemon.client(&of(&told, "access_token"));
    client.get("/api/v1/tasks").expect(200);
    client.get("/api/v1/messages").expect(403);
    client.get("/api/v1/spaces").expect(403);
    // The program's access ends with the token that opened the session.
    let id = daemon.text("SELECT id FROM credentials WHERE kind = 'user_token' ORDER BY issued_at DESC LIMIT 1", []);
    daemon.operator().delete(&format!("/api/users/operator/tokens/{id}")).expect(204);
    client.get("/api/v1/tasks").expect(401);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
}

#[test]
fn an_agent_that_is_not_the_persons_or_is_gone_is_no_ones_mask() {
    let (daemon, person) = setting();
    let agent = daemon.agent("atlas");
    let ann = daemon.member("ann", &["*"]);
    let of_ann = browser(&daemon, ann.token());
    let program = Program::named(&daemon, "x");
    let path = program.ask(&[]);
    assert!(!of_ann.get(&path).expect(200).text().contains("atlas"));
    let body = json!({"decision": "allow", "act_as": {"agent_id": agent}, "scope": ["messages"]});
    of_ann.post(&path, body.clone()).expect_error(404, "agent_not_found");
    daemon.grant("user:ann", &agent, "viewer");
    of_ann.post(&path, body).expect_error(403, "forbidden");
    // The agent is archived between the code and the token.
    let code = program.code(&person, json!({"agent_id": agent}), &["messages"]);
    let other = program.code(&person, json!({"agent_id": agent}), &["messages"]);
    let told = program.show_code(&code, &[]).expect(200).json();
    daemon.operator().delete("/api/agents/atlas").expect(200);
    program.show_code(&other, &[]).expect_error(400, "invalid_grant");
    daemon.client(&of(&told, "access_token")).get("/api/auth/whoami").expect(401);
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
}

#[test]
fn a_logout_voids_the_code() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let code = program.code(&person, me(), &["messages"]);
    person.delete("/api/sessions/current").expect(204);
    program.show_code(&code, &[]).expect_error(400, "invalid_grant");
}

#[test]
fn a_token_for_mcp_opens_no_other_route() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let path = program.ask(&[("resource", "http://localhost/mcp"), ("scope", "messages")]);
    let to = program.allow(&person, &path, me(), &["messages"]);
    let code = parameter(&to, "code").unwrap();
    let told = program.show_code(&code, &[("resource", "http://localhost/mcp/")]).expect(200).json();
    assert_eq!(crate::program::claims(&of(&told, "access_token"))["aud"], "ax-mcp");
    let refused = daemon.client(&of(&told, "access_token")).get("/api/v1/messages");
    assert_eq!(refused.status, 403, "{}", refused.text());
    let other = [("grant_type", "refresh_token"), ("client_id", &program.id), ("resource", "http://localhost")];
    let refresh = of(&told, "refresh_token");
    program.token(&[&other[..], &[("refresh_token", &refresh)]].concat()).expect_error(400, "invalid_target");
}

#[test]
fn ten_thousand_registrations_leave_no_row() {
    let (daemon, _) = setting();
    let before = daemon.rows();
    for n in 0..10_000 {
        let body = json!({"client_name": format!("p{n}"), "redirect_uris": [CALLBACK]}).to_string();
        let reply = daemon.anonymous().try_send("POST", "/oauth/register", Some(body.as_bytes())).unwrap();
        assert_eq!(reply.status, 201);
    }
    assert_eq!(before, daemon.rows());
    let held = Daemon::start();
    for n in 0..11 {
        let reply = held.anonymous().post("/oauth/register", json!({"redirect_uris": [CALLBACK]}));
        assert_eq!(reply.status, if n < 10 { 201 } else { 429 });
    }
}

#[test]
fn what_is_no_registration_is_refused_by_its_name() {
    let (daemon, _) = setting();
    let post = |body: serde_json::Value| daemon.anonymous().post("/oauth/register", body);
    for uris in [
        json!([]),
        json!(["http://box.lan/cb"]),
        json!(["https://a.example/#x"]),
        json!(["evil://x"]),
        json!(vec![CALLBACK; 11]),
    ] {
        post(json!({"redirect_uris": uris})).expect_error(400, "invalid_redirect_uri");
    }
    for body in [
        json!([]),
        json!({"redirect_uris": "x"}),
        json!({"redirect_uris": [CALLBACK], "grant_types": ["password"]}),
        json!({"redirect_uris": [CALLBACK], "response_types": ["token"]}),
        json!({"redirect_uris": [CALLBACK], "client_name": 3}),
        json!({"redirect_uris": vec![format!("https://a.example/{}", "x".repeat(400)); 9]}),
    ] {
        post(body).expect_error(400, "invalid_client_metadata");
    }
    daemon.anonymous().send("POST", "/oauth/register", Some(b"{")).expect_error(400, "invalid_client_metadata");
    let hidden = post(
        json!({"client_name": "a\u{202e}b\nc", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_basic"}),
    );
    let told = hidden.expect(201).json();
    assert_eq!((&told["client_name"], &told["token_endpoint_auth_method"]), (&json!("abc"), &json!("none")));
    let closed = Daemon::with(&[], &[("TAOSD_OAUTH_REGISTER", "false")]);
    closed.anonymous().post("/oauth/register", json!({"redirect_uris": [CALLBACK]})).expect_error(404, "not_found");
    assert!(
        closed
            .anonymous()
            .get("/.well-known/oauth-authorization-server")
            .expect(200)
            .json()
            .get("registration_endpoint")
            .is_none()
    );
}

#[test]
fn the_token_endpoint_takes_forms_and_nothing_else() {
    let (daemon, _) = setting();
    let anonymous = daemon.anonymous();
    anonymous.post("/oauth/token", json!({"grant_type": "refresh_token"})).expect_error(400, "invalid_request");
    let typed = |body: &str| {
        anonymous.with("Content-Type", "application/x-www-form-urlencoded").send(
            "POST",
            "/oauth/token",
            Some(body.as_bytes()),
        )
    };
    typed("").expect_error(400, "invalid_request");
    typed("grant_type=password&username=a&password=b").expect_error(400, "unsupported_grant_type");
    typed("grant_type=refresh_token&grant_type=refresh_token").expect_error(400, "invalid_request");
    typed("grant_type=%ff").expect_error(400, "invalid_request");
    typed(&form(&[("grant_type", &"x".repeat(17_000))])).expect_error(400, "invalid_request");
    let foreign = anonymous.with("Origin", "https://evil.example");
    post_form(&foreign, "/oauth/token", &[("grant_type", "refresh_token")]).expect_error(403, "csrf_refused");
    let told = typed("grant_type=refresh_token&client_id=x&refresh_token=y").expect_error(400, "invalid_grant");
    assert_eq!(told.json()["error_description"], told.json()["detail"]);
}

#[test]
fn failed_proofs_count_as_failed_logins() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let program = Program::named(&daemon, "x");
    for _ in 0..3 {
        program.refresh("taos_refresh_x").expect_error(400, "invalid_grant");
    }
    program.refresh("taos_refresh_x").expect_error(429, "rate_limited");
}

#[test]
fn no_secret_of_a_login_is_kept_or_logged() {
    let (daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let code = program.code(&person, me(), &["messages"]);
    let told = program.show_code(&code, &[]).expect(200).json();
    let next = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    daemon.anonymous().get(&format!("/api/agents/{}", of(&next, "refresh_token")));
    daemon.operator().post("/api/backups", json!({}));
    let secrets = [
        code,
        of(&told, "refresh_token"),
        of(&next, "refresh_token"),
        of(&next, "access_token"),
        crate::program::VERIFIER.to_owned(),
    ];
    let mut files = vec![daemon.log.clone()];
    let mut dirs = vec![daemon.data.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
            if entry.is_dir() {
                dirs.push(entry)
            } else if entry.is_file() {
                files.push(entry)
            }
        }
    }
    assert!(files.len() > 3);
    for file in files {
        // The daemon moves some files meanwhile.
        let Ok(bytes) = std::fs::read(&file) else { continue };
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {}…", file.display(), &secret[..12]);
        }
    }
}

#[test]
fn a_kill_leaves_no_grant_or_one_that_works() {
    let (mut daemon, _) = setting();
    let token = daemon.token.clone();
    let (code, id) = {
        let person = browser(&daemon, &token);
        let program = Program::named(&daemon, "x");
        (program.code(&person, me(), &["messages"]), program.id)
    };
    daemon.kill();
    daemon.spawn();
    // The code was in memory only. The client's id stays valid.
    let program = Program { daemon: &daemon, id: id.clone() };
    program.show_code(&code, &[]).expect_error(400, "invalid_grant");
    let person = browser(&daemon, &token);
    let told = program.log_in(&person, me(), &["messages"]);
    daemon.kill();
    daemon.spawn();
    let program = Program { daemon: &daemon, id };
    let next = program.refresh(&of(&told, "refresh_token")).expect(200).json();
    daemon.client(&of(&next, "access_token")).get("/api/auth/whoami").expect(200);
}

#[test]
fn a_restore_ends_every_grant() {
    let (mut daemon, person) = setting();
    let program = Program::named(&daemon, "x");
    let told = program.log_in(&person, me(), &["messages"]);
    let id = program.id.clone();
    let file = daemon.data.parent().unwrap().join("copy.db");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
        let output = command.args(args).arg("--data-dir").arg(&daemon.data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["backup", file.to_str().unwrap()]);
    assert_eq!(daemon.stop(), Some(0));
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
        let output = command.args(args).arg("--data-dir").arg(&daemon.data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["restore", file.to_str().unwrap()]);
    daemon.spawn();
    let program = Program { daemon: &daemon, id };
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_grant");
    daemon.client(&of(&told, "access_token")).get("/api/auth/whoami").expect(401);
}
