//! A secret that a client puts into a path, a query or a field is in no log, no audit row, no metric, no error and no
//! operation.

use std::time::Duration;

use serde_json::json;
use taosd::secret::PREFIXES;

use crate::power::harness::key;
use crate::support::{Client, Daemon, text};

/// The secret part, which must be found nowhere.
fn needle(secret: &str) -> String {
    secret[secret.len() - 24..].to_owned()
}

#[test]
fn nothing_that_is_kept_or_told_holds_a_secret_sent_to_the_wrong_place() {
    let mut daemon = Daemon::with(&[], &[("RUST_LOG", "debug"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    daemon.agent("worker");
    let operator = daemon.operator();
    let member = daemon.member("ann", &[]);
    let pat = key(&operator, json!({}));
    let jwt = operator.client_of(&pat, &daemon);
    let body = json!({"agent_name": "worker", "name": "in", "api_key_type": "internal"});
    let internal = text(&operator.post("/agent_api_keys", body).expect(200).json(), "api_key");
    let agent = text(&operator.post("/api/agents/worker/token/issue", json!({})).expect(200).json(), "token");
    let body = json!({"agent_name": "worker", "name": "ex", "api_key_type": "external"});
    let external = text(&operator.post("/agent_api_keys", body).expect(200).json(), "api_key");
    let enrollment = text(&operator.post("/credentials/enrollment", json!({})).expect(201).json(), "token");
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": member.token()}));
    let session = opened.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
    let body = json!({"name": "Wiki", "redirect_uris": ["https://wiki.example.org/callback"], "secret": true});
    let program = operator.post("/api/oauth/clients", body);
    let client_secret = program.json()["client_secret"].as_str().map(str::to_owned);
    let mut secrets = vec![text(&pat, "token"), jwt, internal, external, agent, enrollment, session];
    secrets.extend(client_secret);
    secrets.push(operator.token().to_owned());
    // For secrets that live only for minutes or need a browser, made-up ones of the same form.
    for (nth, prefix) in PREFIXES.iter().enumerate() {
        if !secrets.iter().any(|secret| secret.starts_with(prefix)) {
            secrets.push(format!("{prefix}Ab3-Cd5_Ef7Gh9Jk1Lm3Np5Qr7St9Uv1Wx3Yz5A{nth:0>3}"));
        }
    }
    assert!(PREFIXES.iter().all(|prefix| secrets.iter().any(|secret| secret.starts_with(prefix))));
    let mut told = String::new();
    for secret in &secrets {
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for client in [&operator, &member, &daemon.anonymous()] {
            for given in [secret, &encoded, &secret.replace('_', "%5F").replace('.', "%2E")] {
                for path in [
                    "/api/agents/",
                    "/api/v1/agents/",
                    "/agents/name/",
                    "/nowhere/",
                    "/api/operations/",
                    "/agent_api_keys/",
                ] {
                    told += &sent(client, "GET", &format!("{path}{given}"));
                }
                told += &sent(client, "GET", &format!("/api/agents?{given}=1"));
                told += &sent(client, "DELETE", &format!("/api/agents/{given}/token"));
                told += &sent(client, "GET", &format!("/api/agents?status={given}"));
            }
            told += &client.post("/api/agents", json!({"name": "n", secret.as_str(): 1, "scope": [secret]})).text();
            told += &client.post("/auth/exchange", json!({"requested_token_class": secret})).text();
            told += &client
                .post("/agents/register", json!({"agent_id": secret, "name": secret, "acp_type": secret}))
                .text();
            told += &client.post("/api/v1/keys", json!({"name": "n", "scopes": [secret]})).text();
        }
        told += &member.post("/api/grants", json!({"principal": secret, "resource": secret, "role": "owner"})).text();
    }
    std::thread::sleep(Duration::from_millis(300));
    told += &operator.get("/metrics").expect(200).text();
    told += &operator.get("/api/audit?limit=500").expect(200).text();
    told += &operator.get("/api/operations").expect(200).text();
    daemon.stop();
    told += &daemon.log_text();
    for secret in &secrets {
        assert!(!told.contains(&needle(secret)), "{} in {}", needle(secret), around(&told, &needle(secret)));
    }
    assert!(told.contains("[cut]"));
}

/// The reply's text, in any dialect: the edge replies to a path with an encoded dot before it knows the dialect.
fn sent(client: &Client, method: &str, path: &str) -> String {
    client.try_send(method, path, None).expect("a reply").text()
}

fn around(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap_or(0);
    text.chars().skip(at.saturating_sub(300)).take(700).collect()
}

trait Exchanged {
    fn client_of(&self, key: &serde_json::Value, daemon: &Daemon) -> String;
}

impl Exchanged for Client {
    fn client_of(&self, key: &serde_json::Value, daemon: &Daemon) -> String {
        let reply = daemon.client(&text(key, "token")).post("/auth/exchange", json!({})).expect(200).json();
        text(&reply, "access_token")
    }
}
