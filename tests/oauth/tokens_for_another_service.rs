//! Tokens for another service of `[[oauth.resources]]`. The service verifies them with the published keys, by EdDSA or
//! ES256, and this daemon accepts none of them (OAuth contract, section 7).

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::program::{Program, browser, claims, of, parameter, post_form};
use crate::support::{Daemon, Reply, TempDir, text, wait_until};

const GRAFANA: &str = "https://grafana.lan";
const QUEUE: &str = "http://127.0.0.1:8080/queue";
const SETTINGS: &str = "[[oauth.resources]]\nuri = \"https://grafana.lan/\"\nscopes = [\"tasks:read\", \"tasks\"]\n\
    alg = \"ES256\"\n[[oauth.resources]]\nuri = \"http://127.0.0.1:8080/queue\"\n";

/// A daemon with these settings, in a file that a test can change.
fn daemon(dir: &TempDir, settings: &str) -> Daemon {
    let file = dir.path().join("taosd.toml");
    std::fs::write(&file, settings).unwrap();
    Daemon::with(&["--config", file.to_str().unwrap(), "--containers", "none"], &[])
}

fn keys(daemon: &Daemon) -> Vec<Value> {
    let set = daemon.anonymous().get("/.well-known/jwks.json").expect(200).json();
    set["keys"].as_array().unwrap().clone()
}

fn bytes(text: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

/// Verifies a token with the published keys, as a service does. Returns the algorithm of its signature.
#[track_caller]
fn verified(daemon: &Daemon, token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap()).unwrap();
    let key = keys(daemon).into_iter().find(|key| key["kid"] == header["kid"]).expect("a published key");
    assert_eq!(key["alg"], header["alg"]);
    match text(&key, "alg").as_str() {
        "ES256" => {
            let point = [&[4][..], &bytes(&key["x"]), &bytes(&key["y"])].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(signed.as_bytes(), &signature).expect("ES256");
        }
        _ => UnparsedPublicKey::new(&ED25519, bytes(&key["x"])).verify(signed.as_bytes(), &signature).expect("EdDSA"),
    }
    text(&header, "alg")
}

/// Fails unless an aX route refused the audience.
#[track_caller]
fn refused(reply: Reply) {
    assert_eq!(reply.json()["detail"]["error"], "audience_not_allowed", "{}", reply.text());
}

fn exchange(daemon: &Daemon, subject: &str, more: &[(&str, &str)]) -> Reply {
    let mut all = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", subject),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    all.extend(more);
    post_form(&daemon.anonymous(), "/oauth/token", &all)
}

#[test]
fn a_program_gets_tokens_that_the_service_verifies_and_this_box_refuses() {
    let dir = TempDir::new();
    let daemon = daemon(&dir, SETTINGS);
    let (program, person) = (Program::named(&daemon, "dashboard"), browser(&daemon, &daemon.token));
    for (resource, alg) in [(GRAFANA, "ES256"), (QUEUE, "EdDSA")] {
        // A URI with a slash at the end names the same service.
        let slash = format!("{resource}/");
        let path = program.ask(&[("resource", &slash), ("scope", "tasks messages")]);
        let page = person.get(&path).expect(200).text();
        assert!(page.contains(&format!("the service at {resource}")), "{page}");
        let led = program.allow(&person, &path, json!({"new_agent": format!("for-{alg}")}), &["tasks", "messages"]);
        let code = parameter(&led, "code").unwrap();
        let told = program.show_code(&code, &[("resource", resource)]).expect(200).json();
        let words = if alg == "ES256" { "tasks" } else { "tasks messages" };
        assert_eq!(told["scope"], words);
        let next = program.refresh(&of(&told, "refresh_token")).expect(200).json();
        for told in [&told, &next] {
            let token = of(told, "access_token");
            assert_eq!(verified(&daemon, &token), alg);
            let said = claims(&token);
            assert_eq!((&said["aud"], &said["scope"]), (&json!(resource), &json!(words)));
            assert_eq!(said["token_class"], "agent_access");
            let bearer = daemon.client(&token);
            refused(bearer.get("/api/v1/tasks").expect(403));
            bearer.get("/api/agents").expect_error(403, "audience_not_allowed");
            bearer.post("/mcp", json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).expect(401);
            bearer.post("/auth/exchange", json!({})).expect(401);
            let about = post_form(&daemon.operator(), "/oauth/introspect", &[("token", &token)]).expect(200).json();
            assert_eq!((&about["active"], &about["aud"]), (&json!(true), &json!(resource)));
        }
        // The grant gives no token for a resource that the person did not consent to.
        let refresh = of(&next, "refresh_token");
        for other in [format!("http://{}/mcp", daemon.address), "https://other.lan".to_owned()] {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &refresh),
                ("client_id", &program.id),
                ("resource", &other),
            ];
            program.token(&fields).expect_error(400, "invalid_target");
        }
        program.refresh(&refresh).expect(200);
    }
}

#[test]
fn a_service_that_nobody_has_set_is_no_target() {
    let dir = TempDir::new();
    let daemon = daemon(&dir, SETTINGS);
    let program = Program::named(&daemon, "dashboard");
    for resource in ["https://grafana.lan.evil.example", "https://grafana.lan/x", "grafana.lan", "http://grafana.lan"] {
        let led = daemon.anonymous().get(&program.target(&[("resource", resource)])).expect(303);
        assert_eq!(
            parameter(led.header("location").unwrap(), "error").as_deref(),
            Some("invalid_target"),
            "{resource}"
        );
    }
    // The request asks only for a word that the service's settings leave out.
    let led = daemon.anonymous().get(&program.target(&[("resource", GRAFANA), ("scope", "messages")])).expect(303);
    assert_eq!(parameter(led.header("location").unwrap(), "error").as_deref(), Some("invalid_scope"));
}

#[test]
fn an_agents_key_becomes_a_token_for_the_service() {
    let dir = TempDir::new();
    let daemon = daemon(&dir, SETTINGS);
    let id = daemon.agent("atlas");
    daemon.agent_token("atlas", &["tasks.*", "messages.*"]);
    let key = |audience: &str| {
        let wanted = json!({"name": audience, "agent_id": id, "audience": audience});
        text(&daemon.operator().post("/credentials/agent-pat", wanted).expect(201).json(), "token")
    };
    let (both, own) = (key("both"), key("cli"));
    for target in [("resource", GRAFANA), ("audience", GRAFANA)] {
        let told = exchange(&daemon, &both, &[target]).expect(200).json();
        let token = of(&told, "access_token");
        assert_eq!(verified(&daemon, &token), "ES256");
        assert_eq!((&claims(&token)["aud"], &told["scope"]), (&json!(GRAFANA), &json!("tasks")));
        refused(daemon.client(&token).get("/api/v1/tasks").expect(403));
    }
    let told = exchange(&daemon, &both, &[("resource", GRAFANA), ("scope", "tasks:read")]).expect(200).json();
    assert_eq!(told["scope"], "tasks:read");
    exchange(&daemon, &both, &[("resource", GRAFANA), ("scope", "messages")]).expect_error(400, "invalid_scope");
    exchange(&daemon, &own, &[("resource", GRAFANA)]).expect_error(400, "invalid_target");
    // The exchange of the aX dialect accepts only its two audiences.
    let wish = json!({"audience": GRAFANA});
    refused(daemon.client(&both).post("/auth/exchange", wish).expect(400));
    let basic = [
        ("grant_type", "client_credentials"),
        ("client_id", both.split('.').next().unwrap()),
        ("client_secret", &both),
        ("resource", QUEUE),
    ];
    let told = post_form(&daemon.anonymous(), "/oauth/token", &basic).expect(200).json();
    assert_eq!(verified(&daemon, &of(&told, "access_token")), "EdDSA");
}

#[test]
fn the_keys_are_published_as_soon_as_a_service_is_set_and_a_service_that_is_gone_gets_no_more_tokens() {
    let dir = TempDir::new();
    let mut daemon = daemon(&dir, "");
    assert!(keys(&daemon).iter().all(|key| key["alg"] == "EdDSA"));
    std::fs::write(dir.path().join("taosd.toml"), SETTINGS).unwrap();
    daemon.signal("HUP");
    wait_until("the reload", || keys(&daemon).len() == 4);
    let published = keys(&daemon);
    let (program, told) = {
        let (program, person) = (Program::named(&daemon, "dashboard"), browser(&daemon, &daemon.token));
        let path = program.ask(&[("resource", GRAFANA), ("scope", "tasks")]);
        let led = program.allow(&person, &path, json!({"new_agent": "dash"}), &["tasks"]);
        let told = program.show_code(&parameter(&led, "code").unwrap(), &[]).expect(200).json();
        (program.id, told)
    };
    let kid = {
        let header = of(&told, "access_token").split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
        text(&header, "kid")
    };
    assert!(published.iter().any(|key| key["kid"] == kid.as_str()), "it was published before it signed");
    // The keys survive a restart.
    daemon.restart();
    assert_eq!(verified(&daemon, &of(&told, "access_token")), "ES256");
    std::fs::write(dir.path().join("taosd.toml"), "").unwrap();
    daemon.restart();
    let program = Program { daemon: &daemon, id: program };
    program.refresh(&of(&told, "refresh_token")).expect_error(400, "invalid_target");
    // The token that the program already has stays valid until it expires.
    let token = of(&told, "access_token");
    let about = post_form(&daemon.operator(), "/oauth/introspect", &[("token", &token)]).expect(200).json();
    assert_eq!(about["active"], true);
}
