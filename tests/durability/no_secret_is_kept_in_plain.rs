//! The test searches for secrets, as bytes, in everything that the daemon writes. Only `operator.token` may hold one.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::Daemon;

/// Returns a secret as it is sent, and without its well-known prefix.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let tail = secret.rsplit('_').next().unwrap_or(secret);
    // Base64url has `_` too, so the tail may be short. The last 20 characters identify any secret.
    let tail = if tail.len() < 20 { &secret[secret.len() - 20..] } else { tail };
    vec![secret.as_bytes().to_vec(), tail.as_bytes().to_vec()]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[track_caller]
fn nowhere(secrets: &[String], name: &str, bytes: &[u8]) {
    for secret in secrets {
        for form in forms(secret) {
            assert!(!holds(bytes, &form), "{name} holds a secret: {}…", &secret[..16.min(secret.len())]);
        }
    }
}

/// Searches every file of the data directory except `operator.token`, and the log. Returns the names of the files.
fn look_everywhere(daemon: &Daemon, secrets: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(&daemon.data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "operator.token" && path.is_file() {
            nowhere(secrets, &name, &fs::read(&path).unwrap());
            names.push(name);
        }
    }
    nowhere(secrets, "the log", &fs::read(&daemon.log).unwrap());
    names
}

fn file_holds(path: &Path, secret: &str) -> bool {
    holds(&fs::read(path).unwrap(), secret.as_bytes())
}

#[test]
fn neither_database_nor_wal_nor_log_nor_error_body_holds_a_secret() {
    let mut daemon = Daemon::with(&[], &[("RUST_LOG", "trace")]);
    let operator = daemon.operator();
    let mut secrets = vec![daemon.token.clone()];
    for (n, name) in ["atlas", "bert", "carla"].into_iter().enumerate() {
        // The daemon ignores the idempotency key if the reply has a secret, because it may store nothing of the reply.
        let keyed = operator.with("Idempotency-Key", &format!("key-{n}"));
        keyed.post("/api/agents", json!({"name": name})).expect(200);
        for grace in [0, 60] {
            let path = format!("/api/agents/{name}/token/issue");
            let issued = keyed.post(&path, json!({"grace_seconds": grace})).expect(200).json();
            secrets.push(issued["token"].as_str().unwrap().to_owned());
        }
    }
    let path = "/api/users/operator/tokens";
    let user_token = operator.with("Idempotency-Key", "u").post(path, json!({"label": "laptop"})).expect(201).json();
    secrets.push(user_token["token"].as_str().unwrap().to_owned());
    operator.delete("/api/agents/bert/token").expect(204);

    // Secrets that are refused, and secrets in wrong places.
    let wrong = format!("taos_agent_{}", "Wr0ngWr0ngWr0ngWr0ngWr0ngWr0ngWr0ngWr0ngWr0ng".split_at(43).0);
    let malformed = "taos_user_not-even-of-the-right-length-0123456789".to_owned();
    let pat = "axp_u_AbCdEfGhIj.NoSuchSecretNoSuchSecretNoSuchSecret123456".to_owned();
    let mut bodies = Vec::new();
    for token in [&wrong, &malformed, &pat, &secrets[3]] {
        let client = daemon.client(token);
        bodies.push(client.get("/api/agents"));
        bodies.push(client.post("/api/agents", json!({"name": "x"})));
        bodies.push(daemon.client(&format!("{token} {token}")).get("/api/agents"));
        bodies.push(daemon.anonymous().with("X-Agent-Api-Key", token).get("/api/agents"));
    }
    secrets.extend([wrong, malformed, pat]);
    let newest = secrets[2].clone();
    bodies.push(daemon.client(&newest).get("/api/agents/no-such-agent"));
    bodies.push(daemon.client(&newest).post("/api/users", json!({"username": "eve"})));
    for query in ["/api/agents?q=", "/api/agents?token=", "/api/agents?cursor="] {
        bodies.push(operator.get(&format!("{query}{newest}")));
    }
    bodies.push(operator.post("/api/agents", json!({"name": "y", "no_such_field": newest})));
    bodies.push(operator.with("Content-Type", "text/plain").post("/api/agents", json!({"token": newest})));
    assert!(bodies.iter().filter(|reply| reply.status >= 400).count() > 10);
    for reply in bodies.iter().chain([&operator.get("/api/audit"), &operator.get("/metrics"), &operator.get(path)]) {
        nowhere(&secrets, "a reply", &reply.body);
        nowhere(&secrets, "a reply's head", format!("{:?}", reply.headers).as_bytes());
    }

    let running = look_everywhere(&daemon, &secrets);
    for name in ["taosd.db", "taosd.db-wal", "taosd.db-shm"] {
        assert!(running.iter().any(|n| n == name), "{name} was not looked at: {running:?}");
    }
    assert_eq!(daemon.stop(), Some(0));
    look_everywhere(&daemon, &secrets);
    assert!(file_holds(&daemon.data.join("operator.token"), &secrets[0]), "the search finds what is there");
    assert!(!file_holds(&daemon.data.join("operator.token"), &secrets[1]));
}
