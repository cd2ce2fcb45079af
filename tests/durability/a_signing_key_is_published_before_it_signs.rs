//! A verifier caches the set of public keys as long as it may. The set must already have the key that signs next.

use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::false_clock::FalseClock;
use crate::support::{Daemon, text};

fn published(daemon: &Daemon) -> Vec<Value> {
    let reply = daemon.anonymous().get("/.well-known/jwks.json").expect(200);
    // A verifier that meets an unknown key asks again, and no cache may answer it.
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    reply.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

/// Returns the id of the key that signs now, and a token that it signed.
fn signer(daemon: &Daemon, key: &str) -> (Value, String) {
    let jwt = text(&daemon.client(key).post("/auth/exchange", json!({})).expect(200).json(), "access_token");
    let head = BASE64URL_NOPAD.decode(jwt.split('.').next().unwrap().as_bytes()).unwrap();
    (serde_json::from_slice::<Value>(&head).unwrap()["kid"].clone(), jwt)
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_set_that_was_read_before_a_rotation_has_the_key_that_signs_after_it() {
    let clock = FalseClock::find();
    let mut daemon = clock.daemon(&[]);
    daemon.spawn();
    let key = text(&daemon.operator().post("/api/v1/keys", json!({"name": "k"})).expect(201).json(), "token");
    let mut kept = published(&daemon);
    let (mut last, _) = signer(&daemon, &key);
    for hours in ["+25h", "+50h", "+75h"] {
        clock.jump(hours);
        let (now, jwt) = signer(&daemon, &key);
        assert_ne!(now, last, "a day has passed");
        assert!(kept.contains(&now), "{now} signs and is not in {kept:?}");
        assert_eq!(daemon.client(&jwt).get("/auth/me").status, 200);
        kept = published(&daemon);
        assert!(kept.contains(&last), "tokens of {last} still live");
        last = now;
        daemon.restart();
        assert_eq!(daemon.client(&jwt).get("/auth/me").status, 200);
    }
}

/// Starts a daemon with a user's key. Returns both.
fn furnished() -> (Daemon, String) {
    let daemon = Daemon::start();
    let key = text(&daemon.operator().post("/api/v1/keys", json!({"name": "k"})).expect(201).json(), "token");
    (daemon, key)
}

#[test]
fn a_set_that_was_read_before_a_restore_has_the_key_that_signs_after_it() {
    let (mut daemon, key) = furnished();
    daemon.operator().post("/api/backups?wait=30", json!({})).expect(200);
    let (kept, (last, jwt)) = (published(&daemon), signer(&daemon, &key));
    daemon.stop();
    let copy = daemon.data.join("backup/taosd.db");
    let mut restore = Command::new(env!("CARGO_BIN_EXE_taosd"));
    restore.arg("restore").arg(&copy).arg("--data-dir").arg(&daemon.data);
    assert!(restore.output().unwrap().status.success());
    daemon.spawn();
    let (now, _) = signer(&daemon, &key);
    assert!(now != last && kept.contains(&now), "{now} signs and is not in {kept:?}");
    assert_eq!(daemon.client(&jwt).get("/auth/me").status, 401, "tokens of before have ended");
}

#[test]
fn a_verifier_that_looks_again_has_the_key_that_signs_after_a_reboot() {
    let (mut daemon, key) = furnished();
    let kept = published(&daemon);
    daemon.stop();
    std::fs::remove_file(daemon.data.join("signing-keys.json")).unwrap();
    daemon.spawn();
    let (now, _) = signer(&daemon, &key);
    assert!(!kept.contains(&now), "no key is on a disk");
    assert!(published(&daemon).contains(&now));
}
