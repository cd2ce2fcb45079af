//! `--json`: the reply's body on one line, wherever the flag stands.

use serde_json::Value;

use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn every_kind_of_reply_is_one_line_of_json() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    for line in [
        "--json agents create --name Atlas",
        "agents --json list",
        "agents list --json",
        "agents get atlas --json",
        "agents update atlas --emoji x --json",
        "agents token issue atlas --json",
        "agents export atlas --json",
        "agents grants atlas --json",
        "whoami --json",
        "auth status --json",
        "docs --json",
        "audit --json",
        "status --json",
        "version --json",
        "tokens list --json",
        "agents delete atlas --yes --json",
        "auth logout --json",
    ] {
        let text = ctl.ok(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(text.matches('\n').count(), 1, "{line}: {text}");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{line}: {e}: {text}"));
    }
}

#[test]
fn it_is_the_daemons_own_body() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let created = ctl.json(&["agents", "create", "--name", "Atlas"]);
    assert_eq!(created["status"], "created");
    assert_eq!(ctl.json(&["agents", "get", "atlas"]), daemon.operator().get("/api/agents/atlas").json());
    assert_eq!(ctl.json(&["agents", "list"]), daemon.operator().get("/api/agents").json());
    assert_eq!(ctl.json(&["docs"]), Value::from(daemon.operator().get("/docs").text()));
}

#[test]
fn a_reply_without_a_body_prints_nothing_and_an_error_stays_on_stderr() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    assert_eq!(ctl.ok(&["agents", "token", "revoke", "atlas", "--yes", "--json"]), "");
    ctl.run(&["agents", "get", "nobody", "--json"]).expect_error(1, "agent_not_found");
}
