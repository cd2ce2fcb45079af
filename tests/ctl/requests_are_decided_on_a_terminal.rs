//! `taosctl requests watch` on a terminal made by `script`. It asks for a decision on each request as it comes, and
//! goes on after a restart of the daemon.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::Ctl;
use crate::support::{Daemon, text};

/// A terminal with `requests watch`: its keys and its screen.
struct Watcher {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<String>>,
    read: usize,
}

impl Watcher {
    fn start(ctl: &Ctl) -> Self {
        let inner = ctl.command(&[]);
        let program = inner.get_program().to_str().expect("UTF-8").to_owned();
        let mut command = Command::new("script");
        let line = format!("exec {program} requests watch");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
        let (keys, mut stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let seen = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut chunk = [0; 1024];
            while let Ok(n @ 1..) = stdout.read(&mut chunk) {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
        });
        Self { child, keys, seen, read: 0 }
    }

    /// Waits until `wanted` is shown, after what was waited for before.
    #[track_caller]
    fn sees(&mut self, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            let seen = self.seen.lock().unwrap().clone();
            if let Some(at) = seen[self.read..].find(wanted) {
                self.read += at + wanted.len();
                return;
            }
            assert!(Instant::now() < end, "{wanted:?} was not seen: {seen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
        self.keys.flush().expect("it reads");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(daemon: &Daemon, token: &str, body: Value) -> String {
    text(&daemon.client(token).post("/api/requests", body).expect(201).json(), "id")
}

fn state(daemon: &Daemon, id: &str) -> String {
    text(&daemon.operator().get(&format!("/api/requests/{id}")).expect(200).json(), "state")
}

#[track_caller]
fn comes_to(daemon: &Daemon, id: &str, wanted: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while state(daemon, id) != wanted {
        assert!(Instant::now() < end, "{id} is {}", state(daemon, id));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_is_asked_for_and_answered_and_a_restart_is_survived() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    let token = text(&daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json(), "token");
    let scope =
        |scope: &str| json!({"kind": "scope", "scope": [scope], "reason": "For the build.", "duration_seconds": 600});
    let first = ask(&daemon, &token, scope("agents.logs"));
    // Over the socket, because its path stays the same over a restart.
    let socket = format!("unix:{}", daemon.socket().display());
    let mut watcher = Watcher::start(&Ctl::bare().env("TAOS_URL", &socket).env("TAOS_TOKEN", &daemon.token));
    watcher.sees("agents.logs");
    watcher.sees("Approve? y: yes; n: no; d: decide later: ");
    watcher.types("perhaps\n");
    watcher.sees("That is none of the answers.");
    watcher.sees("d: decide later: ");
    watcher.types("y\n");
    comes_to(&daemon, &first, "approved");
    let (second, third) = (ask(&daemon, &token, scope("agents.export")), ask(&daemon, &token, scope("agents.update")));
    watcher.sees("agents.export");
    watcher.sees("d: decide later: ");
    watcher.types("n\n");
    comes_to(&daemon, &second, "denied");
    watcher.sees("agents.update");
    watcher.types("d\n");
    let question = json!({"kind": "confirm", "question": "Which?", "options": ["main", "release"], "reason": "r"});
    let fourth = ask(&daemon, &token, question);
    watcher.sees("Which?");
    watcher.types("release\n");
    comes_to(&daemon, &fourth, "approved");
    assert_eq!(state(&daemon, &third), "pending");
    daemon.kill();
    std::thread::sleep(Duration::from_millis(300));
    daemon.spawn();
    let fifth = ask(&daemon, &token, scope("agents.delete"));
    watcher.sees("agents.delete");
    watcher.types("y\n");
    comes_to(&daemon, &fifth, "approved");
}

#[test]
fn who_asks_to_come_back_is_let_in_as_the_same_alone() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let mut watcher = Watcher::start(&Ctl::operator(&daemon));
    std::thread::sleep(Duration::from_millis(500));
    let body = json!({"name": "atlas", "reason": "My token is lost."});
    let join = daemon.anonymous().post("/api/joins", body).expect(201).json();
    watcher.sees(&text(&join, "user_code"));
    watcher.sees("s: the same agent again");
    watcher.types("y\n");
    watcher.sees("That is none of the answers.");
    watcher.types("s\n");
    watcher.sees("approved");
    let key = daemon.anonymous().post("/api/joins/key", json!({"device_code": join["device_code"]})).expect(200).json();
    assert_eq!(key["agent_name"], "atlas");
}
