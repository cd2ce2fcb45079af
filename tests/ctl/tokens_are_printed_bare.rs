//! Issuing a token prints the bare token on stdout, for `$(...)`, and everything else on stderr.

use crate::run::{Ctl, field};
use crate::support::Daemon;

#[test]
fn an_issued_token_is_alone_on_stdout_and_works() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    let issued = ctl.run(&["agents", "token", "issue", "atlas"]).expect(0);
    assert!(issued.stdout.starts_with("taos_agent_") && issued.stdout.len() == "taos_agent_".len() + 44, "{issued:?}");
    assert!(issued.stderr.contains("warning: the token is shown only once"), "{issued:?}");
    assert!(!issued.stderr.contains("taos_agent_"));
    let agent = Ctl::with_token(&daemon, issued.stdout.trim());
    assert_eq!(field(&agent.ok(&["whoami"]), "agent_name"), "atlas");
    assert_eq!(field(&ctl.ok(&["agents", "token", "show", "atlas"]), "has_token"), "yes");
    assert_eq!(ctl.ok(&["agents", "token", "revoke", "atlas", "--yes"]), "revoked: atlas\n");
    agent.run(&["whoami"]).expect_error(2, "invalid_token");
}

#[test]
fn a_flag_without_effect_on_this_kind_of_token_is_refused() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    daemon.agent("atlas");
    for line in ["tokens issue user:operator --grace 300", "tokens issue atlas --label laptop"] {
        let run = ctl.run(&line.split(' ').collect::<Vec<_>>()).expect_error(2, "usage");
        assert!(run.stderr.contains("has no effect"), "{run:?}");
    }
}

#[test]
fn a_grace_keeps_the_token_before_working() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    let old = ctl.ok(&["agents", "token", "issue", "atlas"]);
    let args = ["agents", "token", "issue", "atlas", "--grace", "600", "--scope", "agents.read", "--no-deliver"];
    let new = ctl.json(&args);
    assert_eq!(new["scope"], serde_json::json!(["agents.read"]));
    Ctl::with_token(&daemon, old.trim()).ok(&["whoami"]);
    Ctl::with_token(&daemon, new["token"].as_str().unwrap()).ok(&["whoami"]);
    assert_ne!(field(&ctl.ok(&["agents", "token", "show", "atlas"]), "grace_until"), "-");
    ctl.run(&["agents", "token", "issue", "atlas", "--deliver"]).expect_error(1, "agent_has_no_container");
}

#[test]
fn a_users_tokens_are_issued_listed_and_revoked() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let args = ["users", "token", "issue", "operator", "--label", "laptop", "--expires-in-days", "3"];
    let token = ctl.ok(&args);
    assert!(token.starts_with("taos_user_"));
    let list = ctl.json(&["users", "token", "list", "operator"]);
    let id = list.as_array().unwrap().iter().find(|row| row["label"] == "laptop").unwrap()["id"].as_str().unwrap();
    assert!(ctl.ok(&["users", "token", "list", "operator"]).contains(id));
    assert_eq!(ctl.ok(&["users", "token", "revoke", "operator", id, "--yes"]), format!("revoked: {id}\n"));
    Ctl::with_token(&daemon, token.trim()).run(&["whoami"]).expect_error(2, "invalid_token");
}

#[test]
fn a_token_that_nobody_could_read_is_a_failure() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = ctl.command(&["agents", "token", "issue", "atlas"]);
    let run = crate::run::Run::of(command.stdout(full).output().unwrap()).expect(1);
    assert!(run.stderr.contains("error: output\n"), "{run:?}");
}

#[test]
fn a_revoke_tells_on_stderr_what_still_works() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    ctl.ok(&["agents", "token", "issue", "atlas"]);
    let pat = ctl.json(&["credentials", "issue-agent-pat", "atlas", "--name", "door", "--print-token"]);
    let id = pat["credential_id"].as_str().unwrap().to_owned();
    let revoked = ctl.run(&["agents", "token", "revoke", "atlas", "--yes"]).expect(0);
    assert_eq!(revoked.stdout, "revoked: atlas\n");
    assert!(revoked.stderr.contains(&format!("still work: agent_pat {id} (door)")), "{revoked:?}");
    let all = ctl.run(&["agents", "token", "revoke", "atlas", "--all", "--yes"]).expect(0);
    assert!(all.stderr.is_empty(), "{all:?}");
    let told = ctl.json(&["credentials", "revoke", &id, "--cascade", "all", "--yes"]);
    assert_eq!(told["still_live"], serde_json::json!([]));
}
