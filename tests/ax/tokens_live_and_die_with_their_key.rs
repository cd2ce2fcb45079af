//! A short-lived token survives a restart of the daemon, but not its key. A stolen copy of the database mints none.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::ax::client::{agent, agent_key, exchange, secret, token, user_key};
use crate::support::{AxReply, Daemon, TempDir};

#[test]
fn a_token_survives_a_restart_and_a_kill() {
    let mut daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    let text =
        exchange(&daemon, secret(&key), json!({})).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    daemon.restart();
    daemon.client(&text).get("/auth/me").expect(200);
    daemon.kill();
    daemon.spawn();
    daemon.client(&text).get("/auth/me").expect(200);
    let mode = fs::metadata(daemon.data.join("signing-keys.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_token_dies_with_its_key_at_once() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    let client = token(&daemon, secret(&key), "user_access");
    client.get("/auth/me").expect(200);
    let path = format!("/credentials/{}", key["credential_id"].as_str().unwrap());
    daemon.operator().delete(&path).expect(200);
    client.get("/auth/me").expect_ax(401, "invalid_credential");
    exchange(&daemon, secret(&key), json!({})).expect_ax(401, "invalid_credential");
}

#[test]
fn a_token_dies_with_its_agent_and_does_not_come_back_with_it() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "mortal")["id"].as_str().unwrap().to_owned();
    let key = agent_key(&daemon, &id, json!({}));
    let client = token(&daemon, secret(&key), "agent_access");
    client.get("/auth/me").expect(200);
    daemon.operator().delete(&format!("/api/v1/agents/manage/{id}")).expect(200);
    client.get("/auth/me").expect_ax(401, "invalid_credential");
    daemon.operator().post(&format!("/api/agents/archived/{id}/restore"), json!({})).expect(200);
    client.get("/auth/me").expect_ax(401, "invalid_credential");
}

#[test]
fn a_token_of_a_disabled_user_is_refused_and_so_are_its_agents() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    operator.post("/api/users", json!({"username": "ann", "role": "admin"})).expect(201);
    let issued = operator.post("/api/users/ann/tokens", json!({"label": "x"})).expect(201).json();
    let ann = daemon.client(issued["token"].as_str().unwrap());
    let key = ann.post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
    let client = token(&daemon, secret(&key), "user_access");
    operator.patch("/api/users/ann", json!({"disabled": true})).expect(200);
    client.get("/auth/me").expect_ax(401, "invalid_credential");
    exchange(&daemon, secret(&key), json!({})).expect_ax(401, "invalid_credential");
}

#[test]
fn a_stolen_data_directory_verifies_and_mints_no_token_of_the_box() {
    let runtime = TempDir::new();
    let daemon = Daemon::with(&[], &[("RUNTIME_DIRECTORY", runtime.path().to_str().unwrap())]);
    assert!(runtime.path().join("signing-keys.json").exists() && !daemon.data.join("signing-keys.json").exists());
    let key = user_key(&daemon, json!({}));
    let text =
        exchange(&daemon, secret(&key), json!({})).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let before = daemon.anonymous().get("/.well-known/jwks.json").expect(200).json();

    let thief_runtime = TempDir::new();
    let mut thief = Daemon::with(&[], &[("RUNTIME_DIRECTORY", thief_runtime.path().to_str().unwrap())]);
    assert_eq!(thief.stop(), Some(0));
    for name in ["taosd.db", "taosd.db-wal", "operator.token"] {
        let from = daemon.data.join(name);
        let _ = fs::remove_file(thief.data.join(name));
        if from.exists() {
            fs::copy(from, thief.data.join(name)).unwrap();
        }
    }
    thief.spawn();
    thief.client(&text).get("/auth/me").expect_ax(401, "invalid_token");
    let after = thief.anonymous().get("/.well-known/jwks.json").expect(200).json();
    assert_ne!(before["keys"][0]["kid"], after["keys"][0]["kid"]);
    // The thief can mint a token on its own daemon with the stolen key, but this box does not accept it.
    let minted =
        exchange(&thief, secret(&key), json!({})).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    daemon.client(&minted).get("/auth/me").expect_ax(401, "invalid_token");
}
