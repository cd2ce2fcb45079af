//! `taosctl` asks questions on a terminal (here made by `script`). Without one, the command is refused.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::run::{Ctl, url};
use crate::support::Daemon;

/// Runs on a terminal of its own, and types `keys` once `question` is shown. Returns the output and the exit code.
fn on_a_terminal(ctl: &Ctl, args: &str, question: &str, keys: &str) -> (String, i32) {
    let inner = ctl.command(&[]);
    let program = inner.get_program().to_str().expect("UTF-8").to_owned();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("{program} {args}"), "/dev/null"]);
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (mut seen, mut typed, mut chunk) = (String::new(), false, [0; 1024]);
    loop {
        let n = stdout.read(&mut chunk).expect("it can be read");
        if n == 0 {
            break;
        }
        seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
        if !typed && seen.contains(question) {
            // The prompt is shown a moment before the echo is off. No person types that fast.
            std::thread::sleep(std::time::Duration::from_millis(300));
            stdin.write_all(keys.as_bytes()).expect("it reads");
            typed = true;
        }
    }
    assert!(typed, "{question} was not asked: {seen}");
    let status = child.wait().expect("it ends");
    (seen, status.code().expect("an exit code"))
}

#[test]
fn without_a_terminal_deleting_needs_yes() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    ctl.ok(&["users", "create", "--username", "ann"]);
    for line in ["agents delete atlas", "agents purge x", "users delete ann", "grants delete x", "channels rm ann x"] {
        let args: Vec<&str> = line.split(' ').collect();
        let run = ctl.run_with_stdin(&args, "y\n").expect_error(2, "usage");
        assert!(run.stderr.contains("--yes"), "{run:?}");
    }
    ctl.ok(&["agents", "get", "atlas"]);
    ctl.ok(&["users", "get", "ann"]);
}

#[test]
fn on_a_terminal_deleting_is_asked_for_and_only_yes_goes_on() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    for keys in ["n\n", "\n", "yup\n"] {
        let (seen, code) =
            on_a_terminal(&ctl, "agents delete atlas", "end all its credentials and grants? [y/N] ", keys);
        assert_eq!(code, 2, "{seen}");
    }
    ctl.ok(&["agents", "get", "atlas"]);
    let (seen, code) = on_a_terminal(&ctl, "agents delete atlas", "Archive agent atlas", "y\n");
    assert!(seen.contains("archived: atlas") && code == 0, "{code}: {seen}");
}

#[test]
fn a_token_typed_at_the_prompt_is_not_shown() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let (seen, code) =
        on_a_terminal(&ctl, &format!("login --url {}", url(&daemon)), "Token: ", &format!("{}\n", daemon.token));
    assert!(seen.contains("logged in: user:operator") && code == 0, "{code}: {seen}");
    assert!(!seen.contains(&daemon.token), "{seen}");
    assert!(ctl.credentials().exists());
}
