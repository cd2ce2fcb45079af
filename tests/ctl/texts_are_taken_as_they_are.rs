//! Texts for people may begin with a dash. One of them may come from stdin. A terminal shows their hidden characters
//! spelled out.

use clap::Command;
use serde_json::json;

use crate::run::{Ctl, field};
use crate::support::Daemon;

/// Collects the flags that take text for people and refuse a text that begins with a dash.
fn strict(command: &Command, path: &str, found: &mut Vec<String>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        let takes_text = |arg: &&clap::Arg| {
            let names = arg.get_value_names().unwrap_or_default();
            arg.get_long().is_some() && names.iter().any(|name| name.as_str() == "TEXT")
        };
        let flags = below.get_arguments().filter(takes_text).filter(|arg| !arg.is_allow_hyphen_values_set());
        found.extend(flags.map(|arg| format!("{path} --{}", arg.get_long().unwrap_or_default())));
        strict(below, &path, found);
    }
}

#[test]
fn a_text_may_begin_with_a_dash_in_every_flag_that_takes_one() {
    let mut found = Vec::new();
    strict(&taosd::ctl::command(), "taosctl", &mut found);
    assert_eq!(found, [""; 0]);
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let said = ctl.ok(&["ui", "notify", "--title", "-v", "--body", "- one item"]);
    let id = said.trim().strip_prefix("delivered: ").expect("an id");
    let told = ctl.json(&["notifications", "get", id]);
    assert_eq!((&told["title"], &told["message"]), (&json!("-v"), &json!("- one item")));
}

#[test]
fn stdin_goes_to_one_argument_and_a_second_one_is_an_error() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    let (soul, about) = (ctl.file("soul.md", "old soul"), ctl.file("agent.md", "old agent"));
    ctl.ok(&["agents", "persona", "atlas", "--soul", &soul, "--agent", &about]);
    let run = ctl.run_with_stdin(&["agents", "persona", "atlas", "--soul", "-", "--agent", "-"], "new");
    let run = run.expect_error(2, "usage");
    assert!(run.stderr.contains("stdin can be read once"), "{run:?}");
    assert!(run.stderr.contains("fix: Write a text to stdin; give - to one argument and name files"), "{run:?}");
    assert!(run.stderr.contains("run: taosctl agents persona --help\n"), "{run:?}");
    let agent = ctl.json(&["agents", "get", "atlas"]);
    assert_eq!((&agent["soul_md"], &agent["agent_md"]), (&json!("old soul"), &json!("old agent")), "nothing is lost");
    ctl.run_with_stdin(&["--token-file", "-", "send", "-"], &daemon.token).expect_error(2, "usage");
    ctl.run_with_stdin(&["agents", "persona", "atlas", "--soul", "-"], "new soul").expect(0);
    assert_eq!(ctl.json(&["agents", "get", "atlas"])["soul_md"], "new soul");
}

#[test]
fn what_nobody_can_see_is_spelled_out_for_a_terminal_and_whole_in_json() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let hidden = "a\u{61c}b\u{180e}c\u{ad}d\u{e0041}e\u{2066}f";
    let said = ctl.ok(&["ui", "notify", "--title", "T", "--body", hidden]);
    let id = said.trim().strip_prefix("delivered: ").expect("an id");
    let shown = ctl.ok(&["notifications", "get", id]);
    assert_eq!(field(&shown, "message"), "a\\u{61c}b\\u{180e}c\\u{ad}d\\u{e0041}e\\u{2066}f");
    let json = ctl.ok(&["notifications", "get", id, "--json"]);
    assert!(json.is_ascii(), "{json}");
    assert_eq!(ctl.json(&["notifications", "get", id])["message"], hidden);
}
