//! Fingerprints are stored, reported in the audit, and refused if the operator sets it so.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ax::client::{agent, agent_key, audited, secret, token};
use crate::support::{AxReply, Daemon};

fn sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn key(daemon: &Daemon) -> (String, Value) {
    let id = agent(daemon, "f")["id"].as_str().unwrap().to_owned();
    let key = agent_key(daemon, &id, json!({}));
    (id, key)
}

#[test]
fn a_new_place_and_another_keys_mark_are_told_and_nothing_else_happens() {
    let daemon = Daemon::start();
    let (_, key) = key(&daemon);
    let client = token(&daemon, secret(&key), "agent_access");
    let from = |value: &str| client.with("X-AX-FP", value).get("/auth/me").expect(200);
    for value in ["a".repeat(24), "a".repeat(24), "malformed".into(), "b".repeat(24), "b".repeat(24)] {
        from(&value);
    }
    audited(&daemon, "credential.fingerprint_changed", 1);
    let mark = &sha256(secret(&key))[..16];
    client.with("X-AX-FP-Token", mark).get("/auth/me").expect(200);
    audited(&daemon, "credential.fingerprint_token_mismatch", 0);
    client.with("X-AX-FP-Token", "0000000000000000").get("/auth/me").expect(200);
    audited(&daemon, "credential.fingerprint_token_mismatch", 1);
}

#[test]
fn where_the_operator_says_deny_a_new_place_is_refused_also_after_a_restart() {
    let mut daemon = Daemon::with(&[], &[("TAOSD_AX_FINGERPRINT_POLICY", "deny")]);
    let (_, key) = key(&daemon);
    let client = token(&daemon, secret(&key), "agent_access").with("X-AX-FP", &"a".repeat(24));
    client.get("/auth/me").expect(200);
    daemon.restart();
    let client = token(&daemon, secret(&key), "agent_access");
    client.with("X-AX-FP", &"a".repeat(24)).get("/auth/me").expect(200);
    client.with("X-AX-FP", &"b".repeat(24)).get("/auth/me").expect_ax(403, "fingerprint_mismatch");
    client.get("/auth/me").expect(200);
}

#[test]
fn a_key_registers_its_own_fingerprint_and_no_others() {
    let daemon = Daemon::start();
    let (id, key) = key(&daemon);
    let other = agent(&daemon, "g")["id"].as_str().unwrap().to_owned();
    let path = "/api/v1/credentials/fingerprint";
    let body = |id: &str, sha: &str| json!({"agent_id": id, "token_sha256": sha, "host_binding": "box"});
    let (own, raw) = (sha256(secret(&key)), daemon.client(secret(&key)));
    assert_eq!(raw.post(path, body(&id, &own)).expect(201).json(), json!({"ok": true}));
    raw.post(path, body(&id, &own)).expect(200);
    token(&daemon, secret(&key), "agent_access").post(path, body(&id, &own)).expect(200);
    raw.post(path, body(&id, &"0".repeat(64))).expect_ax(422, "fingerprint_mismatch");
    raw.post(path, body(&other, &own)).expect_ax(403, "binding_not_allowed");
    raw.post(path, body(&id, "short")).expect_ax(422, "invalid_request");
    daemon.client("axp_a_nothing").post(path, body(&id, &own)).expect_ax(401, "invalid_credential");
}
