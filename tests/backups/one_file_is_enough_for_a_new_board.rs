//! A new box has only the backup file. The operator gets a new token, and the agents' tokens are valid.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::backups::run::{fresh, good};
use crate::support::{Daemon, text};

#[test]
fn the_fresh_copy_of_a_stopped_daemon_is_the_whole_registry_elsewhere() {
    let mut old = Daemon::start();
    old.agent("atlas");
    let issued = old.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    assert_eq!(old.stop(), Some(0));

    let mut new = Daemon::prepared(None, &[], &[]);
    let said = good(&new, "restore", &[&fresh(&old)]);
    assert!(said.contains("operator.token"), "{said}");
    assert_eq!(fs::metadata(new.data.join("operator.token")).expect("a token").permissions().mode() & 0o777, 0o600);
    new.spawn();
    assert_ne!(new.token, old.token);
    new.operator().get("/api/agents/atlas").expect(200);
    let whoami = new.client(&text(&issued, "token")).get("/api/auth/whoami").expect(200).json();
    assert_eq!(whoami["agent_name"], "atlas");
    // The restore replaced the operator's token of the old box. Only the token on this box is valid.
    new.client(&old.token).get("/api/auth/whoami").expect_error(401, "invalid_token");
}

#[test]
fn a_token_file_that_the_backup_knows_is_left_alone() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&fresh(&daemon)]);
    assert!(!said.contains("new token"), "{said}");
    let before = daemon.token.clone();
    daemon.spawn();
    assert_eq!(daemon.token, before);
    daemon.operator().get("/api/auth/whoami").expect(200);
}
