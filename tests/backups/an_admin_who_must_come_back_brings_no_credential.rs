//! A restore needs one admin. It prefers one who was only made a member; one who was disabled comes back without the
//! credentials that did not work any more.

use serde_json::json;

use crate::backups::run::good;
use crate::support::{Daemon, TempDir, text};

fn disable(daemon: &Daemon, name: &str) {
    daemon.execute("UPDATE users SET disabled = 1 WHERE username = ?1", [name]);
}

#[test]
fn a_disabled_admin_is_enabled_without_the_old_credentials() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let old = daemon.operator();
    daemon.agent("atlas");
    let atlas = daemon.agent_token("atlas", &["agents.read"]);
    let key = old.post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    let ann = daemon.admin("ann");
    ann.get("/api/users").expect(200);
    disable(&daemon, "operator");
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("user operator: admin -> admin still, and enabled again"), "{said}");
    assert!(said.contains("credentials of user operator and its agents: live -> revoked"), "{said}");
    daemon.spawn();
    daemon.client(old.token()).get("/api/auth/whoami").expect(401);
    daemon.client(atlas.token()).get("/api/auth/whoami").expect(401);
    daemon.client(&text(&key, "token")).post("/auth/exchange", json!({})).expect(401);
    // The start has made a new token, and the operator is there.
    assert_ne!(daemon.operator().token(), old.token());
    let users = daemon.operator().get("/api/users").expect(200).json();
    assert_eq!((&users[0]["role"], &users[0]["disabled"]), (&json!("admin"), &json!(false)));
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

#[test]
fn an_admin_who_was_only_made_a_member_goes_first_and_others_notes_stay() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["ann", "anna"] {
        operator.post("/api/users", json!({"username": name, "role": "admin"})).expect(201);
    }
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    daemon.admin("ben");
    daemon.execute("UPDATE users SET role = 'member' WHERE username IN ('ann', 'anna')", []);
    disable(&daemon, "operator");
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("user ann: admin -> admin still: there would be none"), "{said}");
    assert!(said.contains("user anna: role: admin -> member"), "{said}");
    assert!(said.contains("user operator: enabled -> disabled"), "{said}");
    daemon.spawn();
    operator.at(&daemon.address).get("/api/auth/whoami").expect(401);
    assert_eq!(daemon.on_socket().get("/api/auth/whoami").expect(200).json()["username"], "ann");
}

#[test]
fn a_freeze_that_a_restore_cannot_keep_is_told() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let id = daemon.agent("zed");
    daemon.operator().delete("/api/agents/zed").expect(200);
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    daemon.operator().post(&format!("/api/agents/archived/{id}/restore"), json!({})).expect(200);
    daemon.operator().post("/api/agents/zed/freeze", json!({"reason": "alarm"})).expect(200);
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("agent zed: archived -> archived and no more frozen: freeze it after"), "{said}");
    daemon.spawn();
    assert_eq!(daemon.number("SELECT count(*) FROM agents WHERE archived_at IS NOT NULL AND frozen_at IS NULL", []), 1);
}
