//! A word that ends credentials ends them in every form of the command, and no other command answers to it.

use serde_json::{Value, json};

use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn a_freeze_ends_the_credentials_in_both_forms() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "atlas"]);
    let token = ctl.ok(&["tokens", "issue", "atlas"]);
    let atlas = Ctl::with_token(&daemon, token.trim());
    let forms: [(&[&str], &[&str]); 4] = [
        (&["agents", "freeze"], &["agents", "thaw"]),
        (&["freeze"], &["thaw"]),
        (&["agents", "freeze"], &["agents", "unfreeze"]),
        (&["freeze"], &["unfreeze"]),
    ];
    for (freeze, thaw) in forms {
        atlas.ok(&["whoami"]);
        assert_eq!(ctl.ok(&[freeze, &["atlas", "--reason", "alarm"]].concat()), "frozen: atlas\n");
        atlas.run(&["whoami"]).expect(2);
        assert_eq!(daemon.record("atlas")["frozen_reason"], "alarm");
        assert_eq!(daemon.record("atlas")["paused"], json!(false));
        assert_eq!(ctl.ok(&[thaw, &["atlas"]].concat()), "thawed: atlas\n");
    }
    atlas.ok(&["whoami"]);
    ctl.run(&["agents", "freeze", "atlas"]).expect(2);
}

#[test]
fn who_is_frozen_is_seen() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    for name in ["atlas", "hermes", "zulu", "zephyr"] {
        ctl.ok(&["agents", "create", name]);
    }
    assert!(!ctl.ok(&["status"]).contains("frozen"));
    ctl.ok(&["agents", "pause", "atlas"]);
    ctl.ok(&["freeze", "atlas", "--reason", "alarm"]);
    let row = ctl.ok(&["agents", "ls"]).lines().find(|line| line.starts_with("atlas")).unwrap_or_default().to_owned();
    assert!(row.contains("frozen") && !row.contains("paused"), "{row}");
    assert_eq!(ctl.run(&["agents", "get", "atlas"]).expect(0).field("status"), "frozen");
    let status = ctl.ok(&["status"]);
    assert!(status.contains("4: 1 frozen, 3 registered"), "{status}");
    assert!(status.contains("1 agent is frozen: taosctl thaw atlas\n"), "{status}");
    ctl.ok(&["freeze", "hermes", "--reason", "alarm"]);
    let status = ctl.ok(&["status"]);
    assert!(status.contains("2 agents are frozen: taosctl thaw atlas hermes\n"), "{status}");
    ctl.ok(&["freeze", "--all", "--reason", "alarm"]);
    let status = ctl.ok(&["status"]);
    assert!(status.contains("4 agents are frozen: taosctl agents ls\n"), "{status}");
}

#[test]
fn a_rotation_ends_the_old_token_or_is_refused() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "atlas"]);
    ctl.ok(&["users", "create", "ann"]);
    for words in [["tokens", "rotate", "atlas"].as_slice(), &["agents", "token", "rotate", "atlas"]] {
        let old = ctl.ok(&["tokens", "issue", "atlas"]);
        let new = ctl.ok(words);
        Ctl::with_token(&daemon, old.trim()).run(&["whoami"]).expect(2);
        Ctl::with_token(&daemon, new.trim()).ok(&["whoami"]);
    }
    ctl.ok(&["tokens", "issue", "user:ann"]);
    let tokens = || ctl.json(&["users", "token", "ls", "ann"]).as_array().map_or(0, Vec::len);
    for name in ["user:ann", "ann"] {
        let refused = ctl.run(&["tokens", "rotate", name]).expect_error(2, "usage").stderr;
        assert!(refused.contains("taosctl users token issue ann."), "{refused}");
        assert!(refused.contains("taosctl users token revoke ann ID."), "{refused}");
    }
    ctl.run(&["tokens", "rotate", "nobody"]).expect_error(1, "agent_not_found");
    let refused = ctl.run(&["users", "token", "rotate", "ann"]).expect(2).stderr;
    assert!(refused.contains("taosctl users token revoke NAME ID"), "{refused}");
    let refused = ctl.run(&["users", "token", "rotate", "ann", "--json"]).expect_error(2, "usage").stderr;
    let told: Value = serde_json::from_str(&refused).expect("JSON");
    assert!(told["fix"].as_str().is_some_and(|fix| fix.contains("taosctl users token issue NAME")), "{told}");
    assert_eq!(tokens(), 1);
}
