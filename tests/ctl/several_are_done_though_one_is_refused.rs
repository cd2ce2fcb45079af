//! A command that takes several names does its work for each of them, whatever becomes of the others.

use serde_json::json;

use crate::fake::{Act, Fake};
use crate::run::{Ctl, url};
use crate::support::Daemon;

#[test]
fn agents_are_frozen_and_thawed_though_one_name_is_wrong() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    for name in ["atlas", "hermes"] {
        daemon.agent(name);
    }
    let frozen = || ["atlas", "hermes"].map(|name| daemon.record(name)["frozen"] == json!(true));
    let run = ctl.run(&["freeze", "atlas", "nobody", "hermes", "--reason", "alarm"]).expect(1);
    assert_eq!((run.stdout.as_str(), frozen()), ("frozen: atlas\nfrozen: hermes\n", [true, true]));
    assert!(run.stderr.contains("agent_not_found"), "{run:?}");
    let run = ctl.run(&["thaw", "nobody", "hermes", "--json"]).expect(1);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((told[0]["name"].as_str(), told.as_array().map(Vec::len)), (Some("hermes"), Some(1)));
    assert_eq!(frozen(), [true, false]);
    ctl.run(&["thaw", "nobody"]).expect_error(1, "agent_not_found");
    assert_eq!(ctl.json(&["thaw", "atlas"])["name"], "atlas");
}

#[test]
fn what_is_done_before_the_connection_ends_is_shown() {
    let fake = Fake::playing(vec![Act::json(200, r#"{"name":"atlas"}"#), Act::Cut]);
    let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&["agents", "get", "atlas", "hermes", "zephyr"]).expect(3);
    assert!(run.stdout.contains("atlas") && run.stderr.contains("error: unreachable\n"), "{run:?}");
    assert_eq!(fake.seen().len(), 4, "zephyr is not tried");
    let decided = Act::json(200, r#"{"id":"1","state":"approved"}"#);
    let fake = Fake::playing(vec![decided, Act::Cut]);
    let args = ["requests", "approve", "1", "2", "--for", "1h"];
    let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&args).expect(3);
    assert!(run.stdout.contains("approved") && run.stderr.contains("error: unreachable\n"), "{run:?}");
}

#[test]
fn a_token_from_stdin_is_good_for_all_of_them() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    for name in ["atlas", "hermes"] {
        daemon.agent(name);
    }
    let ctl = Ctl::bare().env("TAOS_URL", &url(&daemon));
    let run = ctl.run_with_stdin(&["agents", "pause", "atlas", "hermes", "--token-file", "-"], &daemon.token).expect(0);
    assert_eq!(run.stdout, "paused: atlas\npaused: hermes\n");
    let ctl = ctl.env("TAOS_TOKEN_FILE", "-");
    let run = ctl.run_with_stdin(&["agents", "resume", "atlas", "hermes"], &daemon.token).expect(0);
    assert_eq!(run.stdout, "resumed: atlas\nresumed: hermes\n");
}

#[test]
fn the_token_of_an_agent_is_revoked_and_nothing_else_of_that_name() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    daemon.agent("atlas");
    ctl.ok(&["agents", "create", "hermes"]);
    ctl.ok(&["agents", "create", "zephyr"]);
    ctl.ok(&["tokens", "issue", "zephyr"]);
    ctl.ok(&["keys", "create", "hermes", "--print-token"]);
    ctl.ok(&["tokens", "issue", "user:operator", "--label", "zephyr"]);
    let run = ctl.run(&["tokens", "revoke", "agent:hermes", "-y"]).expect_error(2, "usage");
    assert!(run.stderr.contains("The agent hermes has no token."), "{run:?}");
    assert_eq!(ctl.json(&["keys", "list"])[0]["lifecycle_state"], "active");
    ctl.ok(&["agents", "create", "zulu"]);
    ctl.ok(&["tokens", "issue", "zulu"]);
    let run = ctl.run(&["tokens", "revoke", "agent:hermes", "agent:zulu", "-y"]).expect(1);
    assert!(run.stdout.starts_with("revoked: zulu") && run.stderr.contains("hermes has no token"), "{run:?}");
    assert_eq!(daemon.record("zulu")["has_token"], json!(false));
    let labels =
        || ctl.json(&["tokens", "ls"]).as_array().expect("rows").iter().filter(|t| t["label"] == "zephyr").count();
    let run = ctl.run(&["tokens", "revoke", "nobody", "agent:zephyr", "-y"]).expect(1);
    assert!(run.stdout.starts_with("revoked: zephyr") && run.stderr.contains("agent_not_found"), "{run:?}");
    assert_eq!((daemon.record("zephyr")["has_token"].clone(), labels()), (json!(false), 1));
}

#[test]
fn each_error_names_its_argument() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    for name in ["atlas", "hermes"] {
        daemon.agent(name);
    }
    let commands: [&[&str]; 5] = [
        &["agents", "get", "nope1", "atlas", "nope2"],
        &["agents", "pause", "nope1", "atlas", "nope2"],
        &["freeze", "nope1", "atlas", "nope2", "--reason", "r"],
        &["tokens", "revoke", "nope1", "atlas", "nope2", "-y"],
        &["agents", "delete", "nope1", "atlas", "nope2", "--yes"],
    ];
    for command in commands {
        let told = ctl.run(command).expect(1).stderr;
        let second = told.find("nope2:\nerror: agent_not_found\n").unwrap_or_default();
        assert!(told.starts_with("nope1:\nerror: agent_not_found\n") && second > 0, "{told}");
    }
    let told = ctl.run(&["agents", "get", "nope1", "hermes", "nope2", "--json"]).expect(1).stderr;
    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&told[0]["argument"], &told[1]["argument"]), (&json!("nope1"), &json!("nope2")));
    let one = ctl.run(&["agents", "get", "nope1"]).expect_error(1, "agent_not_found").stderr;
    assert!(one.starts_with("error: "), "a single argument needs no name: {one}");
}
