//! The reader of a command's output goes away, or the disk for the output is full. A reader that went away is no
//! failure. A full disk is reported, with exit code 1. Nothing panics.

use std::fs;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;

use crate::support::{Daemon, TempDir};

/// Runs a command with this stdout. Returns its exit code and stderr.
fn run(args: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
    command.env_remove("STATE_DIRECTORY").env_remove("RUNTIME_DIRECTORY").env("RUST_LOG", "error");
    let output = command.args(args).stdout(stdout).output().expect("taosd runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn full() -> Stdio {
    fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full").into()
}

fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// Returns the arguments of each command. The first one is its name.
fn commands(data: &str, dir: &str) -> Vec<Vec<String>> {
    let command = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    vec![
        command(&format!("check --data-dir {data}")),
        command(&format!("backup --data-dir {data} {dir}/copy.db")),
        command(&format!("config check --data-dir {data}")),
        command(&format!("config show --data-dir {data}")),
        command(&format!("operator-token --data-dir {data}")),
        command(&format!("operator-token --rotate --data-dir {data}")),
        command(&format!("restore --data-dir {data} {dir}/copy.db")),
        command(&format!("compact --data-dir {data}")),
        command("--help"),
        command("--version"),
        command("serve --help"),
    ]
}

#[test]
fn a_full_disk_is_told_and_a_reader_that_went_away_is_no_failure() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    assert_eq!(daemon.stop(), Some(0));
    let dir = TempDir::new();
    let commands = commands(daemon.data.to_str().unwrap(), dir.path().to_str().unwrap());
    for known in taosd::daemon::cli::Cli::command().get_subcommands().map(|command| command.get_name().to_owned()) {
        assert!(commands.iter().any(|args| args[0] == known), "{known} is not tried");
    }
    for args in &commands {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, said) = run(&args, full());
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(said.contains("the output could not be written"), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        let (code, said) = run(&args, closed());
        assert_eq!((code, said.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_token_that_was_replaced_can_be_read_where_the_message_says() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let old = daemon.token.clone();
    let (code, said) = run(&["operator-token", "--rotate", "--data-dir", daemon.data.to_str().unwrap()], full());
    assert_eq!(code, Some(1));
    let place = daemon.data.join("operator.token");
    assert!(said.contains("the token was replaced") && said.contains(place.to_str().unwrap()), "{said}");
    let new = fs::read_to_string(place).unwrap();
    assert_ne!(new.trim(), old);
    daemon.spawn();
    daemon.client(new.trim()).get("/api/auth/whoami").expect(200);
    daemon.client(&old).get("/api/auth/whoami").expect_error(401, "invalid_token");
}

#[test]
fn a_closed_stderr_is_no_panic_either() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
    command.args(["check", "--data-dir", "/nonexistent"]).env("RUST_LOG", "info,x=loud").stderr(writer);
    assert_eq!(command.output().unwrap().status.code(), Some(1));
}
