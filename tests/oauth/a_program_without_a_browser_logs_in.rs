//! The device grant (RFC 8628): the codes, the page where a person types one, the decision, the outcome.

use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{DEVICE_CODE, Program, browser, claims, of, post_form};
use crate::support::{Client, Daemon, Reply};

/// The program requests its device code and user code.
#[track_caller]
fn begin(program: &Program<'_>, more: &[(&str, &str)]) -> Value {
    let fields = [&[("client_id", program.id.as_str())][..], more].concat();
    let reply = post_form(&program.daemon.anonymous(), "/oauth/device_authorization", &fields).expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

fn poll(program: &Program<'_>, begun: &Value) -> Reply {
    program.token(&[
        ("grant_type", DEVICE_CODE),
        ("device_code", &of(begun, "device_code")),
        ("client_id", &program.id),
    ])
}

/// A person types a code. Returns the path of the consent page.
#[track_caller]
fn typed(person: &Client, code: &str) -> String {
    of(&person.post("/oauth/device", json!({"user_code": code})).expect(200).json(), "redirect_to")
}

#[test]
fn a_person_types_the_code_and_the_program_gets_its_tokens_once() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "printer"), browser(&daemon, &daemon.token));
    let metadata = daemon.anonymous().get("/.well-known/oauth-authorization-server").expect(200).json();
    assert_eq!(metadata["device_authorization_endpoint"], "http://localhost/oauth/device_authorization");
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(DEVICE_CODE)));
    let begun = begin(&program, &[("scope", "tasks messages"), ("resource", "http://localhost/mcp")]);
    let code = of(&begun, "user_code");
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(600), &json!(5)));
    assert_eq!(of(&begun, "verification_uri"), "http://localhost/oauth/device");
    let page = of(&begun, "verification_uri_complete");
    poll(&program, &begun).expect_error(400, "authorization_pending");
    let slow = poll(&program, &begun).expect_error(400, "slow_down");
    assert_eq!(slow.json()["interval"], 10);
    // Without a session the person logs in first.
    let path = page.strip_prefix("http://localhost").unwrap();
    let login = daemon.anonymous().get(path).expect(303);
    let login = daemon.anonymous().get(login.header("location").unwrap()).expect(200).text();
    assert!(login.contains(&format!("name=\"next\" value=\"/oauth/device?user_code={code}\"")), "{login}");
    let form = person.get(path).expect(200).text();
    assert!(form.contains(&format!("value=\"{code}\"")), "{form}");
    let consent = typed(&person, &code.to_lowercase().replace('-', " "));
    let shown = person.get(&consent).expect(200).text();
    for part in ["printer", &code, "127.0.0.1", "Allow it only if you have started it"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let to = program.allow(&person, &consent, json!({"new_agent": "printer"}), &["tasks"]);
    assert_eq!(to, "/oauth/device?done=allowed");
    assert!(person.get(&to).expect(200).text().contains("let in"));
    std::thread::sleep(Duration::from_secs(10));
    let told = poll(&program, &begun).expect(200).json();
    let said = claims(&of(&told, "access_token"));
    assert_eq!(
        (&said["aud"], &said["scope"], &said["agent_name"]),
        (&json!("ax-mcp"), &json!("tasks"), &json!("printer"))
    );
    let grants = daemon.operator().get("/api/oauth/grants").expect(200).json();
    assert_eq!((&grants[0]["redirect_host"], &grants[0]["client_name"]), (&json!("device"), &json!("printer")));
    program.refresh(&of(&told, "refresh_token")).expect(200);
    poll(&program, &begun).expect_error(400, "expired_token");
    // A person cannot use the code again either.
    person.post("/oauth/device", json!({"user_code": code})).expect_error(404, "user_code_not_found");
}

#[test]
fn a_refusal_is_told_and_only_the_first_decision_counts() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "printer"), browser(&daemon, &daemon.token));
    let begun = begin(&program, &[]);
    let other = browser(&daemon, &daemon.token);
    let code = of(&begun, "user_code");
    let (first, second) = (typed(&person, &code), typed(&other, &code));
    person.get(&first).expect(200);
    other.get(&second).expect(200);
    // Another session cannot use this session's page.
    other.post(&first, json!({"decision": "deny"})).expect_error(404, "authorization_expired");
    let denied = person.post(&first, json!({"decision": "deny"})).expect(200).json();
    assert_eq!(of(&denied, "redirect_to"), "/oauth/device?done=denied");
    let late = json!({"decision": "allow", "act_as": {"user": true}, "scope": ["messages"]});
    other.post(&second, late).expect_error(404, "authorization_expired");
    poll(&program, &begun).expect_error(400, "access_denied");
    assert_eq!(daemon.operator().get("/api/oauth/grants").expect(200).json(), json!([]));
}

#[test]
fn codes_are_bound_to_their_client_and_guesses_are_few() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let (program, person) = (Program::named(&daemon, "printer"), browser(&daemon, &daemon.token));
    let begun = begin(&program, &[]);
    let thief = Program::named(&daemon, "thief");
    poll(&thief, &begun).expect_error(400, "invalid_grant");
    for _ in 0..2 {
        poll(&thief, &json!({"device_code": "taos_device_x"})).expect_error(400, "expired_token");
    }
    poll(&thief, &json!({"device_code": "taos_device_x"})).expect_error(429, "rate_limited");
    let body = json!({"user_code": of(&begun, "user_code")});
    for n in 0..6 {
        // A right code is no guess, until there were too many: then it tells a guesser nothing either.
        if n < 5 {
            typed(&person, &of(&begun, "user_code"));
        } else {
            person.post("/oauth/device", body.clone()).expect_error(429, "rate_limited");
        }
        let guess = person.post("/oauth/device", json!({"user_code": format!("BBBB-BB{n}B")}));
        guess.expect_error(if n < 5 { 404 } else { 429 }, if n < 5 { "user_code_not_found" } else { "rate_limited" });
    }
    let ann = browser(&daemon, daemon.member("ann", &["*"]).token());
    typed(&ann, &of(&begun, "user_code"));
    // No credential but a session may type it.
    daemon.operator().post("/oauth/device", body.clone()).expect_error(404, "user_code_not_found");
    daemon.anonymous().post("/oauth/device", body.clone()).expect_error(401, "auth_required");
    person.with("Origin", "https://evil.example").post("/oauth/device", body).expect_error(403, "csrf_refused");
}

#[test]
fn what_the_consenting_session_lost_is_not_given() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["messages.*", "agents.create"]);
    let (program, person) = (Program::named(&daemon, "printer"), browser(&daemon, ann.token()));
    let begun = begin(&program, &[("scope", "messages tasks")]);
    let consent = typed(&person, &of(&begun, "user_code"));
    person.get(&consent).expect(200);
    let wide = json!({"decision": "allow", "act_as": {"user": true}, "scope": ["messages", "tasks"]});
    person.post(&consent, wide).expect_error(403, "scope_exceeds_issuer");
    program.allow(&person, &consent, json!({"user": true}), &["messages"]);
    person.delete("/api/sessions/current").expect(204);
    poll(&program, &begun).expect_error(400, "access_denied");
}

#[test]
fn what_waits_is_bounded_and_strange_requests_are_refused() {
    let daemon = Daemon::start();
    let program = Program::named(&daemon, "printer");
    let ask = |fields: &[(&str, &str)]| post_form(&daemon.anonymous(), "/oauth/device_authorization", fields);
    ask(&[]).expect_error(400, "invalid_request");
    ask(&[("client_id", "nobody")]).expect_error(401, "invalid_client");
    ask(&[("client_id", &program.id), ("scope", "openid")]).expect_error(400, "invalid_scope");
    ask(&[("client_id", &program.id), ("resource", "https://x.example")]).expect_error(400, "invalid_target");
    let first = begin(&program, &[]);
    for _ in 0..5 {
        begin(&program, &[]);
    }
    // The rate limit of one peer.
    assert_eq!(ask(&[("client_id", &program.id)]).status, 200);
    ask(&[("client_id", &program.id)]).expect_error(429, "rate_limited");
    poll(&program, &first).expect_error(400, "authorization_pending");
    let fast = Daemon::with(&[], &[("TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE", "0")]);
    let program = Program::named(&fast, "printer");
    let oldest = begin(&program, &[]);
    for _ in 0..8 {
        begin(&program, &[]);
    }
    poll(&program, &oldest).expect_error(400, "expired_token");
    // Waiting device codes are in memory only.
    let rows = "SELECT (SELECT count(*) FROM credentials) + (SELECT count(*) FROM oauth_grants)";
    assert_eq!(fast.number(rows, []), 1);
}
