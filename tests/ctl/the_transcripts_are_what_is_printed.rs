//! The transcripts in the page of everyday commands are what a terminal of 80 columns shows.

use std::fs;

use regex::Regex;

use crate::run::Ctl;
use crate::support::Daemon;
use crate::terminal::{plain, see};

/// The text below `$ taosctl ...` in the page, up to the end of the block.
fn printed_in_the_page(line: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/agents/recipes/everyday-commands.md"));
    let page = page.expect("the page");
    let start = format!("```text\n$ taosctl {line}\n");
    let block = page.split(&start).nth(1).unwrap_or_else(|| panic!("{line} is not in the page"));
    block.split("```").next().unwrap().to_owned()
}

/// The output with placeholders for what differs from run to run: addresses, ages, sizes.
fn lasting(text: &str) -> String {
    let mut text = text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    for (pattern, told) in [
        (r"http://127\.0\.0\.1:\d+", "http://ADDRESS"),
        (r"\d+ (s|min|h) ago|\bnow\b", "AGE"),
        (r"\([\d.]+ [KM]iB\)", "(SIZE)"),
        (r"automatic copy AGE; ", ""),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, told).into_owned();
    }
    text
}

#[track_caller]
fn same(ctl: &Ctl, line: &str) {
    let (seen, _) = see(ctl, line);
    assert_eq!(lasting(&plain(&seen)), lasting(&printed_in_the_page(line)), "docs/agents/recipes/everyday-commands.md");
}

#[test]
fn of_a_box_with_three_agents() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "atlas", "--model", "qwen2.5:7b"]);
    ctl.ok(&["agents", "create", "hermes", "--model", "gpt-5"]);
    ctl.ok(&["agents", "create", "scout"]);
    ctl.ok(&["tokens", "issue", "atlas"]);
    ctl.ok(&["tokens", "issue", "hermes"]);
    ctl.ok(&["pause", "hermes"]);
    ctl.ok(&["notify", "Backup done", "It is on the NAS."]);
    ctl.ok(&["backup", "-q"]);
    same(&ctl, "status");
    same(&ctl, "agents ls");
    same(&ctl, "agents get nobody");
}

#[test]
fn of_a_box_whose_daemon_does_not_run() {
    // A path as long as the service's socket. That one may exist here, because the service may run.
    let elsewhere = "/tmp/taosd/taosd.sock";
    let (seen, code) = see(&Ctl::bare().env("TAOS_URL", &format!("unix:{elsewhere}")), "doctor");
    assert_eq!(code, 1, "{seen}");
    assert_eq!(plain(&seen).replace(elsewhere, "/run/taosd/taosd.sock"), printed_in_the_page("doctor"));
}
