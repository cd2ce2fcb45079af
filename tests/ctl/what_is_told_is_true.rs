//! What the help, the errors and the lists say is what the command does.

use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn the_audit_of_a_user_has_no_other_rows() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["users", "create", "ann"]);
    ctl.ok(&["agents", "create", "atlas"]);
    ctl.ok(&["users", "update", "ann", "--display-name", "Ann"]);
    let rows = ctl.json(&["audit", "--resource", "user:ann"]);
    let rows = rows.as_array().expect("rows");
    assert!(rows.iter().all(|row| row["resource_name"] == "ann"), "{rows:?}");
    assert!(rows.iter().any(|row| row["action"] == "users.update"), "{rows:?}");
    let rows = ctl.json(&["audit", "--agent", "atlas"]);
    let rows = rows.as_array().expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["resource_name"] == "atlas"), "{rows:?}");
}

#[test]
fn a_label_of_nobody_is_told_with_the_flag_that_is_missing() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["users", "create", "ann"]);
    ctl.ok(&["tokens", "issue", "user:ann", "--label", "laptop"]);
    let told = ctl.run(&["tokens", "rm", "laptop", "-y"]).expect_error(1, "agent_not_found").stderr;
    assert!(told.contains("detail: No agent, and no token or key of yours, is called laptop.\n"), "{told}");
    assert!(told.contains("fix: For a user's token add --user NAME.\n"), "{told}");
    assert!(told.contains("run: taosctl tokens ls --user NAME\n"), "{told}");
    let told = ctl.run(&["tokens", "rm", "phone", "--user", "ann", "-y"]).expect_error(1, "agent_not_found").stderr;
    assert!(told.contains("run: taosctl tokens ls --user ann\n"), "{told}");
    ctl.ok(&["tokens", "rm", "laptop", "--user", "ann", "-y"]);
}

/// The help of a command, on one line.
fn help(command: &str) -> String {
    let mut words: Vec<&str> = command.split(' ').collect();
    words.push("--help");
    Ctl::bare().ok(&words).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_help_of_a_change_says_that_absent_fields_stay() {
    for command in ["agents update", "agents permissions", "users update", "channels update", "tasks update"] {
        let help = help(command);
        assert!(help.contains("; unchanged if absent"), "{command}: {help}");
        let defaults = help.replace("unchanged if absent", "").replace("random if absent", "");
        assert!(!defaults.contains("if absent"), "{command}: {help}");
    }
    assert!(help("channels update").contains("unchanged if absent, all if empty."));
    assert!(help("agents create").contains("; false if absent"));
}

#[test]
fn the_help_has_the_words_of_the_command_line() {
    let issue = help("tokens issue");
    assert!(issue.contains("if absent, an agent's never does, a user's after 90."), "{issue}");
    assert!(issue.contains("if absent, the agent's, or for a user's token your own."), "{issue}");
    assert!(help("agents token revoke").contains("; --all ends them too."));
    for command in ["requests show", "operations get", "notifications ls", "notifications count", "messages ls"] {
        let help = help(command);
        assert!(!help.contains("With wait") && !help.contains("HX-Request"), "{command}: {help}");
    }
    assert!(help("agents ls").contains("a paused or frozen agent counts under the state of its container."));
}
