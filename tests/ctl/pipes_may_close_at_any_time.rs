//! Readers that close the pipe: no panic, and a success unless the lost output cannot be printed again.

use std::process::Stdio;

use crate::run::{Ctl, Run};
use crate::support::Daemon;

/// Runs with a pipe as stdout whose reader is closed.
fn into_nothing(ctl: &Ctl, args: &[&str]) -> Run {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Run::of(ctl.command(args).stdout(Stdio::from(writer)).output().expect("taosctl runs"))
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    for args in [
        &["agents", "list"][..],
        &["whoami", "--json"],
        &["docs"],
        &["completion", "bash"],
        &["--help"],
        &["--version"],
    ] {
        let run = into_nothing(&ctl, args).expect(0);
        assert_eq!(run.stderr, "", "{args:?}");
    }
}

#[test]
fn a_token_that_went_into_a_closed_pipe_is_a_failure() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    let run = into_nothing(&ctl, &["agents", "token", "issue", "atlas"]).expect(1);
    assert!(run.stderr.contains("error: output\n"), "{run:?}");
}

#[test]
fn a_closed_stderr_changes_nothing() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = ctl.command(&["agents", "get", "nobody"]).stderr(Stdio::from(writer)).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_full_disk_is_told_by_every_kind_of_command() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    for args in [
        &["agents", "list"][..],
        &["whoami", "--json"],
        &["docs"],
        &["completion", "bash"],
        &["--help"],
        &["--version"],
        &["agents", "create", "--help"],
    ] {
        let run = Run::of(ctl.command(args).stdout(full()).output().expect("taosctl runs")).expect(1);
        assert!(run.stderr.contains("the output could not be written"), "{args:?}: {run:?}");
    }
}
