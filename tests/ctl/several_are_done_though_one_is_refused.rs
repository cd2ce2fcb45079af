//! A command that takes several names does its work for each of them, whatever becomes of the others.

use serde_json::json;

use crate::run::Ctl;
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
