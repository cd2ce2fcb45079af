//! `taosctl keys` and `taosctl credentials`: secrets go only where the user asked. The audit reports agents with too
//! many keys.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use serde_json::json;

use crate::keys_are_exchanged_silently::user_key;
use crate::run::{Ctl, field};
use crate::support::Daemon;

fn active(daemon: &Daemon) -> i64 {
    daemon.number(
        "SELECT count(*) FROM credentials WHERE kind IN ('user_pat', 'agent_pat', 'enrollment') AND state <> 'revoked'",
        [],
    )
}

#[test]
fn keys_are_created_listed_rotated_and_revoked() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let file = ctl.home().join("key");
    let shown =
        ctl.ok(&["keys", "create", "--name", "laptop", "--expires-in-days", "30", "--save-to", file.to_str().unwrap()]);
    assert!(!shown.contains("axp_") && field(&shown, "token_file") == file.to_str().unwrap(), "{shown}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(&file).unwrap();
    let by_key = Ctl::bare().env("TAOS_URL", &crate::run::url(&daemon)).env("TAOS_TOKEN_FILE", file.to_str().unwrap());
    assert_eq!(by_key.json(&["auth", "whoami"])["source"], "environment");
    let id = field(&shown, "credential_id").to_owned();
    assert!(ctl.ok(&["keys", "list"]).contains(&id));
    let rotated = ctl.json(&["keys", "rotate", &id, "--print-token"]);
    assert!(rotated["token"].as_str().unwrap().starts_with("axp_u_") && rotated["token"] != key.trim());
    by_key.run(&["auth", "whoami"]).expect(2);
    let new = rotated["credential_id"].as_str().unwrap();
    ctl.run(&["keys", "revoke", new]).expect_error(2, "usage");
    assert_eq!(ctl.ok(&["keys", "revoke", new, "-y"]), format!("revoked: {new}\n"));
    assert_eq!(active(&daemon), 0);
}

#[test]
fn no_key_is_made_whose_secret_would_be_lost() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    daemon.agent("atlas");
    for line in ["keys create --name x", "credentials issue-agent-pat atlas", "credentials issue-enrollment"] {
        let args: Vec<&str> = line.split(' ').collect();
        let run = ctl.run(&args).expect_error(2, "usage");
        assert!(run.stderr.contains("--save-to"), "{run:?}");
        let nowhere = [args, vec!["--save-to", "/no/such/directory/key"]].concat();
        ctl.run(&nowhere).expect_error(2, "login");
    }
    assert_eq!(active(&daemon), 0);
}

#[test]
fn agents_keys_are_issued_audited_and_revoked() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let ctl = Ctl::with_token(&daemon, &key);
    daemon.agent("atlas");
    let issue = || ctl.json(&["credentials", "issue-agent-pat", "atlas", "--audience", "both", "--print-token"]);
    let ids: Vec<String> = (0..3).map(|_| issue()["credential_id"].as_str().unwrap().to_owned()).collect();
    ctl.run(&["credentials", "issue-agent-pat", "atlas", "--print-token"]).expect_error(1, "cleanup_required");
    let report = ctl.json(&["credentials", "audit"]);
    assert_eq!(report["summary"], json!({"ok": 0, "rotation_window": 0, "cleanup_required": 1}));
    assert_eq!(report["agents"][0]["agent"], "atlas");
    assert!(ctl.run(&["credentials", "audit", "--strict"]).expect(1).stdout.contains("cleanup_required"));
    for (left, verdict) in [(2, "rotation_window"), (1, "ok")] {
        ctl.ok(&["credentials", "revoke", &ids[left], "--yes"]);
        let table = ctl.run(&["credentials", "audit", "--strict"]).expect(0).stdout;
        assert!(table.contains(&format!("{left}            {verdict}")), "{table}");
    }
    assert_eq!(ctl.json(&["credentials", "list"]).as_array().unwrap().len(), 4);
}

#[test]
fn an_enrollment_becomes_the_key_of_the_agent_it_makes() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let token = ctl.ok(&["credentials", "issue-enrollment", "--expires-in-hours", "2", "--print-token"]);
    let new = Ctl::with_token(&daemon, token.trim());
    new.run(&["auth", "whoami"]).expect_error(1, "agent_name_required");
    new.ok(&["auth", "exchange", "--agent-name", "newcomer"]);
    assert_eq!(new.json(&["auth", "whoami"])["resolved_agent"], "newcomer");
    new.run(&["credentials", "list"]).expect_error(1, "admin_required");
}

#[test]
fn what_is_no_file_is_neither_replaced_nor_costs_a_key() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let (dir, pipe) = (ctl.home().join("dir"), ctl.home().join("pipe"));
    fs::create_dir(&dir).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let made = ctl.json(&["keys", "create", "laptop", "--print-token"]);
    let id = made["credential_id"].as_str().unwrap();
    for place in [&dir, &pipe] {
        let run = ctl.run(&["keys", "rotate", id, "--save-to", place.to_str().unwrap()]).expect_error(2, "login");
        assert!(run.stderr.contains("is not a file"), "{run:?}");
    }
    assert!(dir.is_dir() && fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(active(&daemon), 1);
    let state = daemon.number("SELECT count(*) FROM credentials WHERE id = ?1 AND state = 'active'", [id]);
    assert_eq!(state, 1, "the key still works");
}

#[test]
fn no_advice_changes_a_place_that_is_not_taosctls() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let shared = ctl.home().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", ctl.home().join("link")).unwrap();
    for place in ["shared/key", "link"] {
        let place = ctl.home().join(place);
        let run = ctl.run(&["keys", "create", "x", "--save-to", place.to_str().unwrap()]).expect_error(2, "login");
        assert!(run.stderr.contains("fix: Name a file in a directory that only you can write.\n"), "{run:?}");
    }
    assert_eq!(active(&daemon), 0);
    let args = ["profile", "add", "x", "--url", "http://127.0.0.1:1", "--agent-name", "x", "--token-file", "/dev/null"];
    let run = ctl.run(&args).expect_error(2, "login");
    assert!(run.stderr.contains("fix: Name a file of yours"), "{run:?}");
}
