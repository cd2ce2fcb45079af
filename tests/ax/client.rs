//! Helpers that the tests of the aX dialect share: making keys, exchanging them, reading tokens.

use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use crate::support::{Client, Daemon, Reply};

/// Waits until the audit has `count` rows of an action, which are written after the reply. Returns their outcomes,
/// newest first.
pub fn audited(daemon: &Daemon, action: &str, count: usize) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let rows = daemon.operator().get(&format!("/api/audit?action={action}")).expect(200).json();
        let outcomes: Vec<String> =
            rows.as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect();
        if outcomes.len() >= count || Instant::now() > end {
            assert_eq!(outcomes.len(), count, "{action}: {rows}");
            return outcomes;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A key of the operator's, made with the operator's token.
pub fn user_key(daemon: &Daemon, body: Value) -> Value {
    let mut wanted = json!({"name": "test"});
    wanted.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    daemon.operator().post("/api/v1/keys", wanted).expect(201).json()
}

/// A new agent of the operator's.
pub fn agent(daemon: &Daemon, name: &str) -> Value {
    daemon.operator().post("/api/v1/agents", json!({"name": name})).expect(201).json()
}

/// A key of an agent.
pub fn agent_key(daemon: &Daemon, agent: &str, body: Value) -> Value {
    let mut wanted = json!({"agent_id": agent});
    wanted.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    daemon.operator().post("/credentials/agent-pat", wanted).expect(201).json()
}

/// The secret of a key.
pub fn secret(key: &Value) -> &str {
    key["token"].as_str().expect("a key is shown when it is made")
}

/// The reply to an exchange, whether it succeeds or not.
pub fn exchange(daemon: &Daemon, key: &str, body: Value) -> Reply {
    daemon.client(key).post("/auth/exchange", body)
}

/// A client with a short-lived token of this class.
pub fn token(daemon: &Daemon, key: &str, class: &str) -> Client {
    let reply = exchange(daemon, key, json!({"requested_token_class": class})).expect(200).json();
    daemon.client(reply["access_token"].as_str().unwrap())
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

/// The header of a token.
pub fn header(token: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap()).unwrap()
}

/// A token with this header and these claims, signed with this key.
pub fn forged(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", encode(header), encode(claims));
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&key.sign(signed.as_bytes()).to_bytes()))
}

/// The daemon's own signing key, from its file, which only its owner can read.
pub fn signing_key(daemon: &Daemon) -> SigningKey {
    let text = std::fs::read_to_string(daemon.data.join("signing-keys.json")).expect("the signing keys");
    let keys: Value = serde_json::from_str(&text).unwrap();
    let seed = BASE64URL_NOPAD.decode(keys["present"]["seed"].as_str().unwrap().as_bytes()).unwrap();
    SigningKey::from_bytes(&seed.try_into().unwrap())
}
