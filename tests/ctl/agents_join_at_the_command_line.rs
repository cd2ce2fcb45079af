//! `taosctl join` writes the key into a file, where every later command finds it, and never prints it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use crate::run::{Ctl, url};
use crate::support::Daemon;

/// Starts a join; returns the process, which waits, and the code that it showed.
fn begin(ctl: &Ctl, args: &[&str]) -> (Child, String) {
    let mut child = ctl.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taosctl runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("a line");
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    let code = line.strip_prefix("Code: ").unwrap_or_else(|| panic!("no code: {line}")).trim().to_owned();
    (child, code)
}

fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().expect("it ends");
    (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_profile_is_made_and_used_and_the_same_agent_comes_back() {
    let daemon = Daemon::start();
    let (owner, agent) = (Ctl::operator(&daemon), Ctl::bare());
    let join = ["join", "--name", "scout", "--reason", "To see.", "--url", &url(&daemon), "--json"];
    let (child, code) = begin(&agent, &join);
    let shown = owner.ok(&["requests", "list"]);
    assert!(shown.contains(&code) && shown.contains("join"), "{shown}");
    owner.ok(&["requests", "approve", &code]);
    let (exit, printed) = ended(child);
    assert_eq!(exit, 0, "{printed}");
    let file = agent.home().join(".config/taos/keys/scout");
    let key = std::fs::read_to_string(&file).expect("the key");
    assert_eq!(std::fs::metadata(&file).expect("the key").permissions().mode() & 0o777, 0o600);
    assert!(key.starts_with("axp_a_") && !printed.contains(key.trim()) && printed.contains("token_file"), "{printed}");
    assert!(agent.ok(&["whoami"]).contains("scout"));
    agent.ok(&["ask", "Shall I?", "--no-wait"]);
    // The same agent can join again after it lost its key.
    let id = agent.json(&["whoami"])["agent"]["id"].clone();
    std::fs::remove_file(&file).expect("it is lost");
    let (child, code) = begin(&agent, &join);
    let refused = owner.run(&["requests", "approve", &code]).expect_error(1, "validation_error");
    assert!(refused.stderr.contains("same or new"), "{refused:?}");
    owner.ok(&["requests", "approve", &code, "--as", "same"]);
    assert_eq!(ended(child).0, 0);
    assert_eq!(agent.json(&["whoami"])["agent"]["id"], id);
}

#[test]
fn a_join_elsewhere_leaves_the_profile_of_another_server() {
    let (daemon, other) = (Daemon::start(), Daemon::start());
    let agent = Ctl::bare();
    let join = |daemon: &Daemon, name: &str| {
        let address = url(daemon);
        begin(&agent, &["join", "--name", name, "--reason", "r", "--url", &address])
    };
    let (child, code) = join(&daemon, "scout");
    Ctl::operator(&daemon).ok(&["requests", "approve", &code]);
    assert_eq!(ended(child).0, 0);
    let run = agent.run(&["join", "--name", "scout", "--reason", "r", "--url", &url(&other)]).expect_error(2, "usage");
    assert!(run.stderr.contains("taosctl profile remove scout"), "{run:?}");
    // A person gives the new agent that name all the same.
    let (child, code) = join(&other, "ranger");
    Ctl::operator(&other).ok(&["requests", "approve", &code, "--as", "new", "--name", "scout"]);
    assert_eq!(ended(child).0, 0);
    assert_eq!(agent.json(&["profile", "verify", "scout"])["verified"], true);
    assert_eq!(agent.json(&["profile", "list"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn a_key_may_go_to_a_file_alone_and_a_denial_ends_with_1() {
    let daemon = Daemon::start();
    let (owner, agent) = (Ctl::operator(&daemon), Ctl::bare());
    let file = agent.home().join("scout.key");
    let path = file.to_str().expect("UTF-8");
    let join = ["join", "--name", "scout", "--reason", "To see.", "--url", &url(&daemon), "--save-to", path];
    let (child, code) = begin(&agent, &join);
    owner.ok(&["requests", "deny", &code, "--note", "Not today."]);
    let (exit, printed) = ended(child);
    assert!(exit == 1 && !file.exists(), "{exit}: {printed}");
    let (child, code) = begin(&agent, &join);
    owner.ok(&["requests", "approve", &code, "--as", "new"]);
    let (exit, printed) = ended(child);
    assert!(exit == 0 && printed.contains(path), "{exit}: {printed}");
    assert_eq!(std::fs::metadata(&file).expect("the key").permissions().mode() & 0o777, 0o600);
    assert!(!agent.home().join(".config/taos/profiles").exists());
    agent.run(&["join", "--name", "../x", "--reason", "r", "--url", &url(&daemon)]).expect_error(2, "usage");
}
