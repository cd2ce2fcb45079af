//! Notifications on the command line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Ctl, field};
use crate::support::{Daemon, SOON};

/// A command that runs until it is killed, and its lines, each with the time it came.
struct Following {
    child: Child,
    lines: Receiver<(String, Instant)>,
}

impl Following {
    fn start(ctl: &Ctl, args: &[&str]) -> Self {
        let mut child = ctl.command(args).stdout(Stdio::piped()).spawn().expect("taosctl runs");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send((line, Instant::now()))));
        });
        Self { child, lines }
    }

    fn next(&self) -> (String, Instant) {
        self.lines.recv_timeout(3 * SOON).expect("a line")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_sent_is_seen_by_a_watcher_at_once_with_its_true_sender() {
    let daemon = Daemon::start();
    daemon.agent("Atlas");
    let atlas = daemon.agent_token("atlas", &["ui.notify"]);
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["ui", "notify", "--title", "before", "--body", "b"]);
    let watch = Following::start(&ctl, &["notifications", "watch"]);
    // It watches only after it has asked where to begin.
    std::thread::sleep(Duration::from_millis(500));
    let mut took = Vec::new();
    for n in 0..8 {
        let sent = Instant::now();
        atlas.post("/api/ui/notify", json!({"title": format!("t{n}\u{1b}[2J"), "body": "two\nlines"})).expect(200);
        let (line, seen) = watch.next();
        assert!(line.contains("agent:atlas") && line.contains(&format!("t{n}")) && line.contains("two"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
        took.push(seen - sent);
    }
    took.sort();
    println!("from the sender's request to the watcher's line: median {:?}, worst {:?}", took[4], took[7]);
    assert!(took[7] < SOON, "{took:?}");
}

#[test]
fn a_list_is_followed_and_each_record_is_a_line_of_json() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let follow = Following::start(&ctl, &["--json", "notifications", "list", "--follow"]);
    // It follows only after it has asked where to begin. An empty list prints no line to wait for.
    std::thread::sleep(Duration::from_millis(500));
    let said = ctl.ok(&["ui", "notify", "--title", "T", "--body", "B", "--priority", "high"]);
    let id = said.trim().strip_prefix("delivered: ").expect("an id").to_owned();
    let record: Value = serde_json::from_str(&follow.next().0).expect("JSON");
    assert_eq!((&record["id"], &record["level"]), (&json!(id), &json!("high")));

    assert!(ctl.ok(&["notifications", "list", "--unread"]).contains(&id));
    assert_eq!(field(&ctl.ok(&["notifications", "get", &id]), "title"), "T");
    assert_eq!(ctl.ok(&["notifications", "read", &id]), format!("read: {id}\n"));
    assert!(!ctl.ok(&["notifications", "list", "--unread"]).contains(&id));
    assert_eq!(ctl.ok(&["notifications", "read-all"]), "read: 0\n");
    assert_eq!(field(&ctl.ok(&["notifications", "count"]), "unread"), "0");
    ctl.run(&["notifications", "delete", &id]).expect_error(2, "usage");
    assert_eq!(ctl.ok(&["notifications", "delete", &id, "--yes"]), format!("deleted: {id}\n"));
    ctl.run(&["notifications", "get", &id]).expect_error(1, "notification_not_found");
    ctl.run(&["ui", "notify", "--title", "T", "--body", "B", "--priority", "urgent"])
        .expect_error(1, "invalid_priority");
}
