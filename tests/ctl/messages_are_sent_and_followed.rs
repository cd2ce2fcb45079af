//! Messages on the command line: sent, waited for, followed over a restart of the daemon.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Ctl, Run};
use crate::support::Daemon;

/// A daemon that keeps its address over a restart, with two agents.
fn daemon() -> Daemon {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let daemon = Daemon::with(&["--listen", &format!("127.0.0.1:{port}")], &[]);
    daemon.agent("Asker");
    daemon.agent("Robot");
    daemon
}

fn agent(daemon: &Daemon, name: &str, port: &str) -> Ctl {
    let token = daemon.agent_token(name, &["messages.*", "spaces.*", "uploads.*", "events.read"]);
    Ctl::bare().env("TAOS_URL", &format!("http://127.0.0.1:{port}")).env("TAOS_TOKEN", token.token())
}

/// The port of the second address, which stays the same over a restart.
fn port(daemon: &Daemon) -> String {
    let log = daemon.log_text();
    let line = log.lines().find(|line| line.contains("also listening on http://127.0.0.1:"));
    line.and_then(|line| line.rsplit(':').next()).expect("a second address").to_owned()
}

#[test]
fn a_message_is_sent_answered_and_read() {
    let daemon = daemon();
    let port = port(&daemon);
    let (asker, robot) = (agent(&daemon, "asker", &port), agent(&daemon, "robot", &port));
    let sent = asker.run(&["send", "- how far are you?", "--to", "robot"]).expect(0);
    assert!(sent.stdout.starts_with("sent: ") && sent.stderr.contains("nobody is listening"), "{sent:?}");
    let inbox = robot.ok(&["--json", "inbox"]);
    let message: Value = serde_json::from_str(inbox.lines().next().unwrap()).unwrap();
    assert_eq!(message["content"], json!("@robot - how far are you?"));
    assert_eq!(robot.ok(&["--json", "inbox"]), "", "what was shown is read");
    let id = message["id"].as_str().unwrap();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| asker.run(&["--json", "--timeout", "20", "send", "and now?", "--to", "@Robot", "--wait"]));
        let asked: Value =
            serde_json::from_str(robot.ok(&["--json", "inbox", "--wait", "--timeout", "20"]).trim()).unwrap();
        robot.ok(&["send", "done", "--reply-to", asked["id"].as_str().unwrap()]);
        let answered: Value = serde_json::from_str(&waiting.join().unwrap().expect(0).stdout).unwrap();
        assert_eq!(
            (answered["reply"]["content"].clone(), answered["message"]["id"].clone()),
            (json!("done"), asked["id"].clone())
        );
    });
    assert!(asker.ok(&["messages", "receipts", id]).contains("read"));
    let lost = asker.run(&["--timeout", "1", "send", "hello?", "--to", "robot", "--wait-read"]);
    assert_eq!((lost.code, lost.stdout.trim()), (1, "robot: queued"));
    let read = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| asker.run(&["--timeout", "20", "send", "look", "--to", "robot", "--wait-read"]));
        let end = Instant::now() + Duration::from_secs(15);
        while !waiting.is_finished() && Instant::now() < end {
            robot.ok(&["messages", "read-all"]);
            std::thread::sleep(Duration::from_millis(200));
        }
        waiting.join().unwrap()
    });
    assert_eq!((read.code, read.stdout.trim()), (0, "robot: read"));
    let file = asker.file("notes.md", "# Notes\n");
    let sent: Value = serde_json::from_str(&asker.ok(&["--json", "send", "with a file", "--file", &file])).unwrap();
    let attached = &sent["message"]["attachments"][0];
    assert_eq!((attached["filename"].clone(), attached["size"].clone()), (json!("notes.md"), json!(8)));
    let twice: Vec<Value> = (0..2)
        .map(|_| serde_json::from_str(&asker.ok(&["--json", "send", "once", "--client-id", "c"])).unwrap())
        .collect();
    assert_eq!(twice[0]["message"]["id"], twice[1]["message"]["id"]);
    assert_eq!(asker.run_with_stdin(&["send", "-"], "from stdin").code, 0);
    asker.run(&["send", "x", "--metadata", "[]"]).expect(2);
    asker.run(&["send", "x", "--channel", "dm:nobody"]).expect(1);
    asker.run(&["--timeout", "1", "inbox", "--wait"]).expect(0);
    let nothing = asker.run(&["--timeout", "1", "inbox", "--wait"]);
    assert_eq!((nothing.code, nothing.stdout.lines().count() <= 1), (1, true), "{nothing:?}");
}

/// Starts a command that follows; returns the process and its lines.
fn follow(ctl: &Ctl, args: &[&str]) -> (std::process::Child, Receiver<String>) {
    let mut child = ctl.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taosctl runs");
    let (sender, lines) = channel();
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    (child, lines)
}

#[test]
fn a_follower_outlives_the_daemon_and_shows_every_message_once() {
    let mut daemon = daemon();
    let port = port(&daemon);
    let (asker, robot) = (agent(&daemon, "asker", &port), agent(&daemon, "robot", &port));
    asker.ok(&["send", "message 0"]);
    let (mut child, lines) = follow(&robot, &["--json", "messages", "list", "--follow"]);
    let next = || -> String {
        let line = lines.recv_timeout(Duration::from_secs(30)).expect("a line");
        let message: Value = serde_json::from_str(&line).expect("one object a line");
        message["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "message 0");
    asker.ok(&["send", "message 1"]);
    assert_eq!(next(), "message 1");
    for round in 0..2 {
        if round == 0 {
            assert_eq!(daemon.stop(), Some(0));
        } else {
            daemon.kill();
        }
        std::thread::sleep(Duration::from_millis(1500));
        daemon.spawn();
        asker.ok(&["send", &format!("message {}", round + 2)]);
        assert_eq!(next(), format!("message {}", round + 2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // `inbox --wait` outlives a restart as well.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| -> Run { robot.run(&["--json", "--timeout", "60", "inbox", "--wait"]) });
        std::thread::sleep(Duration::from_millis(500));
        daemon.restart();
        asker.ok(&["send", "wake up", "--to", "robot"]);
        let run = waiting.join().unwrap().expect(0);
        assert!(run.stdout.contains("wake up"), "{run:?}");
    });
}

#[test]
fn what_lies_between_the_first_page_and_the_newest_message_is_followed_too() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    for n in 1..=60 {
        ctl.ok(&["send", &format!("number {n}")]);
    }
    let list = ctl.json(&["messages", "list", "--limit", "60"]);
    let fifth = list["messages"].as_array().unwrap().iter().find(|one| one["content"] == "number 5").unwrap();
    let (seq, id) = (fifth["seq"].to_string(), fifth["id"].as_str().unwrap());
    for place in [["--after-seq", &seq], ["--after", id]] {
        let args = [&["--json", "messages", "list", "--follow", "--limit", "10"][..], &place].concat();
        let mut child = ctl.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for n in 6..=60 {
            let message: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(message["content"], format!("number {n}"), "{place:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_mention_of_a_longer_name_is_none_of_the_shorter_one() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    for (text, wanted) in [
        ("@annabel is here", "@ann @annabel is here"),
        ("@ann-2 too", "@ann @ann-2 too"),
        ("@Ann, hello", "@Ann, hello"),
        ("  @ann", "  @ann"),
        ("hello", "@ann hello"),
    ] {
        assert_eq!(ctl.json(&["send", text, "--to", "ann"])["message"]["content"], wanted);
    }
}
