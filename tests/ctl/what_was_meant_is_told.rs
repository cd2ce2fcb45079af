//! Slips and words of other command lines work, or the error says what was probably meant.

use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn a_slip_is_told_with_the_nearest_command_and_the_help_to_read() {
    let ctl = Ctl::bare();
    for (line, meant, run) in [
        ("agnets ls", "'agents'", "taosctl --help"),
        ("strat atlas", "'start'", "taosctl --help"),
        ("creat agent atlas", "'create'", "taosctl --help"),
        ("agents delte atlas", "'delete'", "taosctl agents --help"),
        ("agents create atlas --modle x", "'--model'", "taosctl agents create --help"),
        ("agents ls --limt 3", "'--limit'", "taosctl agents list --help"),
        ("exec atlas -- bash", "incus exec", "taosctl --help"),
        ("update", "", "taosctl --help"),
        ("rename atlas zeus", "--display-name", "taosctl --help"),
        ("agents create atlas --modelx y", "'--model'", "taosctl agents create --help"),
    ] {
        let told = ctl.run(&line.split(' ').collect::<Vec<_>>()).expect(2).stderr;
        let tip = told.lines().find(|line| line.starts_with("  tip: "));
        assert_eq!(tip.is_some(), !meant.is_empty(), "{line}: {told}");
        assert!(tip.is_none_or(|tip| tip.contains(meant) && !tip.contains(',')), "{line}: {told}");
        assert!(told.ends_with(&format!("\nrun: {run}\n")), "{line}: {told}");
    }
    let unknown = ctl.run(&["agents", "ls", "--no-such-flag"]).expect(2).stderr;
    assert!(!unknown.contains("as a value"), "nobody meant that: {unknown}");
    let told = ctl.run(&["agents", "create", "-o", "json"]).expect_error(2, "usage").stderr;
    assert!(told.contains(r#""run":"taosctl agents create --help""#), "{told}");
}

#[test]
fn words_of_other_tools_work() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["create", "backup", "-q"]);
    ctl.ok(&["backup", "create", "-q"]);
    for line in ["backups ls -q", "get backups -q", "backup list -o name"] {
        let listed = ctl.ok(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(listed.lines().filter(|line| line.ends_with(".db")).count(), 2, "{line}: {listed}");
    }
    assert!(ctl.ok(&["info"]).contains("health"), "as incus has it");
    assert!(ctl.ok(&["settings"]).contains("data_dir"));
    ctl.ok(&["agents", "create", "atlas"]);
    assert!(ctl.ok(&["list", "--format", "json"]).starts_with("[{"));
    assert_eq!(ctl.ok(&["delete", "atlas", "--force", "-q"]), "atlas\n");
    assert!(ctl.ok(&["docs", "backup"]).starts_with("# Backup"));
    ctl.ok(&["tasks", "create", "Sweep the floor"]);
    assert!(ctl.ok(&["tasks", "close", "Sweep the floor"]).contains("done"), "as gh has it");
    ctl.ok(&["agents", "create", "hermes"]);
    ctl.ok(&["users", "create", "ann"]);
    let grant = ctl.json(&["grants", "create", "ann", "hermes", "viewer"]);
    let hermes = ctl.json(&["agents", "get", "hermes"])["id"].as_str().unwrap().to_owned();
    assert_eq!(grant["resource"].as_str(), Some(format!("agent:{hermes}").as_str()), "{grant}");
    let of_a_user = ctl.run(&["tokens", "issue", "ann"]).expect_error(1, "agent_not_found").stderr;
    assert!(of_a_user.contains("run: taosctl tokens issue user:ann\n"), "{of_a_user}");
    let no_container = ctl.run(&["logs", "hermes", "--tail", "5"]);
    no_container.expect_error(1, "agent_has_no_container");
}

#[test]
fn an_agent_that_got_another_name_is_told_with_it() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    assert_eq!(ctl.run(&["agents", "create", "Atlas"]).expect(0).stderr, "");
    let again = ctl.run(&["agents", "create", "atlas"]).expect(0);
    assert_eq!(again.stderr, "note: the agent is called atlas-2: the name is taken\n");
    let odd = ctl.run(&["agents", "create", "My agent"]).expect(0);
    assert!(odd.stderr.starts_with("note: the agent is called my-agent: a name has only"), "{odd:?}");
}
