//! A freeze is on disk before its reply is sent: it survives a kill, a restart, and the restore of an earlier backup.

use std::process::Command;

use serde_json::json;

use crate::freeze::harness::{WHOAMI, freeze, thaw, token};
use crate::support::{Daemon, TempDir};

#[test]
fn a_killed_daemon_comes_back_with_the_agent_frozen() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    daemon.agent("vega");
    let (atlas, vega) = (token(&daemon, "atlas"), token(&daemon, "vega"));
    freeze(&daemon, "atlas");
    daemon.kill();
    daemon.spawn();
    let moved = |token: &crate::support::Client| daemon.client(token.token()).get(WHOAMI);
    moved(&atlas).expect_error(401, "agent_frozen");
    moved(&vega).expect(200);
    daemon.restart();
    daemon.client(atlas.token()).get(WHOAMI).expect_error(401, "agent_frozen");
    thaw(&daemon, "atlas");
    daemon.kill();
    daemon.spawn();
    daemon.client(atlas.token()).get(WHOAMI).expect(200);
}

#[test]
fn a_restore_does_not_thaw() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    for name in ["atlas", "vega", "rigel"] {
        daemon.agent(name);
        token(&daemon, name);
    }
    freeze(&daemon, "rigel");
    let backup = dir.path().join("backup.db");
    taosd(&daemon, "backup", &backup);
    freeze(&daemon, "atlas");
    thaw(&daemon, "rigel");
    assert_eq!(daemon.stop(), Some(0));
    taosd(&daemon, "restore", &backup);
    daemon.spawn();
    // After a restore an agent is frozen if it was frozen before the restore, or in the backup.
    let frozen = |name: &str| daemon.record(name)["frozen"].clone();
    assert_eq!([frozen("atlas"), frozen("vega"), frozen("rigel")], [json!(true), json!(false), json!(true)]);
    assert_eq!(daemon.record("atlas")["frozen_reason"], json!("alarm"));
    daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect_error(409, "agent_frozen");
}

#[track_caller]
fn taosd(daemon: &Daemon, verb: &str, file: &std::path::Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
    let output = command.arg(verb).arg("--data-dir").arg(&daemon.data).arg(file).output().expect("taosd");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
