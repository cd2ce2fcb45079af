//! Completion: a shell's script asks taosctl, which offers verbs, flags, and the names the daemon has.

use crate::run::{Ctl, Run};
use crate::support::Daemon;

/// What is offered for the last of these words.
fn offered(ctl: &Ctl, words: &[&str]) -> Vec<String> {
    let mut command = ctl.command(&["--", "taosctl"]);
    command.args(words).env("TAOSCTL_COMPLETE", "fish");
    let run = Run::of(command.output().expect("taosctl runs")).expect(0);
    run.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_of_agents_users_spaces_and_operations_are_offered() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    ctl.ok(&["agents", "create", "Hermes"]);
    ctl.ok(&["users", "create", "ann"]);
    ctl.ok(&["spaces", "create", "Workshop"]);
    assert_eq!(offered(&ctl, &["agents", "get", "at"]), ["atlas"]);
    assert_eq!(offered(&ctl, &["agents", "start", "h"]), ["hermes"]);
    assert_eq!(offered(&ctl, &["users", "get", "a"]), ["ann"]);
    assert_eq!(offered(&ctl, &["spaces", "usage", "work"]), ["workshop"]);
    assert!(offered(&ctl, &["tokens", "issue", ""]).contains(&"atlas".to_owned()));
    ctl.ok(&["agents", "rm", "hermes", "--yes"]);
    assert_eq!(offered(&ctl, &["agents", "restore", ""])[0], "hermes");
    let operation = ctl.json(&["operations", "ls"])[0]["id"].as_str().map(str::to_owned);
    assert_eq!(operation.as_deref(), offered(&ctl, &["operations", "get", "0"]).first().map(String::as_str));
}

#[test]
fn verbs_and_flags_are_offered_without_a_server() {
    let ctl = Ctl::bare().env("TAOS_URL", "http://127.0.0.1:1");
    assert!(offered(&ctl, &["agents", "dep"]).contains(&"deploy-status".to_owned()));
    assert!(offered(&ctl, &["agents", "ls", "--wat"]).contains(&"--watch".to_owned()));
    assert_eq!(offered(&ctl, &["agents", "get", "at"]), Vec::<String>::new());
}

#[test]
fn the_script_of_each_shell_is_one_that_the_shell_takes() {
    let ctl = Ctl::bare();
    for shell in ["bash", "zsh", "fish"] {
        let script = ctl.ok(&["completion", shell]);
        let Ok(output) = std::process::Command::new(shell).args(["-n", "-c", &script]).output() else { continue };
        assert!(output.status.success(), "{shell}: {output:?}");
    }
}
