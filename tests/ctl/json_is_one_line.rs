//! `--json` prints the reply's body on one line, wherever the flag stands.

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

#[test]
fn whatever_is_wrong_is_told_as_json_where_json_was_asked_for() {
    let ctl = Ctl::bare().env("TAOS_URL", "http://127.0.0.1:1").env("TAOS_TOKEN", "t");
    for (line, error, code) in [
        ("--json agents nosuchverb", "usage", 2),
        ("agents list --nosuchflag --json", "usage", 2),
        ("-o json agents get", "usage", 2),
        ("--output=jsonl nosuchnoun", "usage", 2),
        ("-oyaml agents list --limit x", "usage", 2),
        ("agents nosuchverb --format json", "usage", 2),
        ("agents nosuchverb --format=jsonl", "usage", 2),
        ("agents nosuchverb --fields name", "usage", 2),
        ("--fields=name agents list --limit x", "usage", 2),
        ("--json --idempotency-key= agents list", "usage", 2),
        ("--json --profile nobody agents list", "login", 2),
        ("--json agents list", "unreachable", 3),
        ("--json agents delete a b", "usage", 2),
    ] {
        let run = ctl.run(&line.split(' ').collect::<Vec<_>>()).expect(code);
        let told: Value = serde_json::from_str(&run.stderr).unwrap_or_else(|e| panic!("{line}: {e}: {run:?}"));
        assert_eq!((told["error"].as_str(), run.stderr.lines().count()), (Some(error), 1), "{line}: {run:?}");
        assert!(told["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{line}: {run:?}");
    }
    // Behind `--`, `--json` is no flag.
    let run = ctl.run(&["nosuchnoun", "--", "--json"]).expect(2);
    assert!(run.stderr.starts_with("error: "), "{run:?}");
}

#[test]
fn several_things_of_which_some_fail_are_told_as_json_each() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    let run = ctl.run(&["--json", "agents", "get", "nobody", "atlas", "noone"]).expect(1);
    let told: Vec<Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!((told.len(), run.stdout.lines().count()), (2, 1), "{run:?}");
    assert!(told.iter().all(|told| told["error"] == "agent_not_found"), "{run:?}");
}
