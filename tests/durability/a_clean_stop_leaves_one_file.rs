//! After a clean stop `taosd.db` alone is complete, so an operator may copy it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::support::{Daemon, TempDir};

#[test]
fn the_data_directory_holds_the_database_its_copy_the_token_the_clock_the_keys_and_no_more() {
    let mut daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    assert_eq!(daemon.stop(), Some(0));
    let left: BTreeSet<String> =
        fs::read_dir(&daemon.data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(
        left.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            // The copy that the daemon keeps up to date.
            "backup",
            // Signs the head of the audit; in no copy.
            "box.key",
            // Seals the secrets of channels; in no copy.
            "channels.key",
            // What the daemon knows of the clock, for the next start.
            "clock.json",
            "operator.token",
            // Here only because there is no runtime directory.
            "signing-keys.json",
            "taosd.db",
        ]
    );
}

#[test]
fn a_copy_of_the_one_file_is_the_whole_registry() {
    let mut daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    let token = daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    assert_eq!(daemon.stop(), Some(0));
    let elsewhere = TempDir::new();
    fs::copy(daemon.database(), elsewhere.path().join("taosd.db")).unwrap();
    fs::copy(daemon.data.join("operator.token"), elsewhere.path().join("operator.token")).unwrap();
    let mut copy = Daemon::prepared(Some(elsewhere.path()), &[], &[]);
    copy.spawn();
    copy.client(token["token"].as_str().unwrap()).get("/api/auth/whoami").expect(200);
    copy.operator().get("/api/agents/atlas").expect(200);
    copy.check();
}
