//! Commands that run until they are interrupted. Each of them outlives a restart of the daemon, and shows once what
//! came meanwhile.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use clap::Command;
use serde_json::{Value, json};

use crate::fake::{Act, Fake};
use crate::run::{Ctl, Run};
use crate::support::{Daemon, wait_until};

/// The arguments that a command needs besides the flag to follow.
const PLACES: &[(&str, &str)] = &[
    ("channels list", "operator"),
    ("messages receipts", "{message}"),
    ("messages replies", "{message}"),
    ("messages search", "hello"),
    ("spaces members", "{space}"),
    ("tasks history", "{task}"),
    ("tripwires list", "atlas"),
    ("users sessions list", "operator"),
    ("users token list", "operator"),
];

/// Tested with a fake server, because there is no container here.
const ELSEWHERE: &str = "agents logs --follow";

/// A running command, and the lines it has printed.
struct Going {
    line: String,
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn start(ctl: &Ctl, line: &str) -> Self {
        let args: Vec<&str> = line.split(' ').collect();
        let mut child = ctl.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taosctl runs");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { line: line.to_owned(), child, lines }
    }

    /// Waits for the next line that holds `wanted`.
    #[track_caller]
    fn until(&self, wanted: &str) -> String {
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("{}: no {wanted}", self.line));
            if line.contains(wanted) {
                return line;
            }
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon that keeps its address over a restart, and its operator.
fn daemon() -> (Daemon, Ctl) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let daemon = Daemon::with(&["--containers", "none", "--listen", &format!("127.0.0.1:{port}")], &[]);
    let ctl = Ctl::bare().env("TAOS_URL", &format!("http://127.0.0.1:{port}")).env("TAOS_TOKEN", &daemon.token);
    (daemon, ctl)
}

/// Every command that runs until interrupted, found in the definition of the command line.
fn all() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(&taosd::ctl::command(), "", &mut found);
    found
}

fn collect(command: &Command, path: &str, found: &mut BTreeSet<String>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name()).trim().to_owned();
        let place = PLACES.iter().find(|(of, _)| *of == path).map_or(String::new(), |(_, place)| format!(" {place}"));
        let longs = below.get_arguments().filter_map(clap::Arg::get_long);
        found.extend(
            longs.filter(|long| ["follow", "watch"].contains(long)).map(|long| format!("{path}{place} --{long}")),
        );
        if below.get_name() == "watch" {
            found.insert(path.clone());
        }
        collect(below, &path, found);
    }
}

/// The lines of the commands that have ended.
fn ended(going: &mut [Going]) -> Vec<String> {
    going.iter_mut().filter_map(|one| one.child.try_wait().unwrap().map(|_| one.line.clone())).collect()
}

#[test]
fn every_command_that_goes_on_outlives_the_daemon() {
    let (mut daemon, ctl) = daemon();
    let first = |list: &str, rows: &str| {
        ctl.json(&list.split(' ').collect::<Vec<_>>())[rows][0]["id"].as_str().unwrap().to_owned()
    };
    daemon.agent("Atlas");
    ctl.ok(&["send", "hello"]);
    ctl.ok(&["tasks", "create", "look"]);
    let (message, task) = (first("messages list", "messages"), first("tasks list", "tasks"));
    let space = first("spaces list", "spaces");
    let place = |line: String| line.replace("{message}", &message).replace("{task}", &task).replace("{space}", &space);
    let lines: Vec<String> = all().into_iter().filter(|line| line != ELSEWHERE).map(place).collect();
    assert!(lines.len() > 30, "{lines:?}");
    let mut going: Vec<Going> = lines.iter().map(|line| Going::start(&ctl, line)).collect();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ended(&mut going), [""; 0]);
    daemon.kill();
    std::thread::sleep(Duration::from_secs(4));
    daemon.spawn();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ended(&mut going), [""; 0]);
}

#[test]
fn what_came_while_the_daemon_was_away_is_shown_once() {
    let (mut daemon, ctl) = daemon();
    let titles = |going: &Going| {
        let line = going.until("mark-");
        serde_json::from_str::<Value>(&line).expect("one object a line")["title"].as_str().unwrap().to_owned()
    };
    ctl.ok(&["ui", "notify", "--title", "mark-0", "--body", "b"]);
    let list = Going::start(&ctl, "--json notifications list --follow");
    let audit = Going::start(&ctl, "--json audit --follow --limit 3");
    assert_eq!(titles(&list), "mark-0");
    audit.until("\"seq\"");
    for round in 1..3 {
        daemon.restart();
        let title = format!("mark-{round}");
        ctl.ok(&["ui", "notify", "--title", &title, "--body", "- b"]);
        ctl.ok(&["agents", "create", &title]);
        assert_eq!(titles(&list), title);
        assert!(audit.until(&title).contains("agents.create"));
    }
    assert!(list.lines.try_recv().is_err(), "once");
}

#[test]
fn more_than_a_page_between_two_looks_is_shown_whole() {
    let (mut daemon, ctl) = daemon();
    let audit = Going::start(&ctl, "--json audit --follow --limit 1");
    let first: Value = serde_json::from_str(&audit.until("\"seq\"")).unwrap();
    daemon.kill();
    std::thread::sleep(Duration::from_millis(2500));
    daemon.spawn();
    let operator = daemon.operator();
    for n in 0..130 {
        operator.post("/api/agents", json!({"name": format!("a{n}")})).expect(200);
    }
    let mut next = first["seq"].as_i64().unwrap() + 1;
    let mut made = 0;
    while made < 130 {
        let row: Value = serde_json::from_str(&audit.until("\"seq\"")).unwrap();
        assert_eq!(row["seq"], json!(next), "{row}");
        next += 1;
        made += usize::from(row["action"] == "agents.create");
    }
}

#[test]
fn logs_and_operations_are_waited_for_as_well() {
    let log = |lines: &str| {
        Act::json(200, &json!({"name": "atlas", "logs": lines, "lines": 1, "source": "console"}).to_string())
    };
    let cut = [Act::Cut, Act::Cut, Act::Cut];
    let fake = Fake::playing([&[log("one")][..], &cut, &[log("one\ntwo")]].concat());
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    let logs = Going::start(&ctl, "agents logs atlas --follow");
    assert_eq!((logs.until("one"), logs.until("two")), ("one".to_owned(), "two".to_owned()));

    let operation = |status: &str| {
        Act::json(200, &json!({"id": "op1", "kind": "start", "status": status, "step": "x"}).to_string())
    };
    let fake = Fake::playing([&[operation("running")][..], &cut, &[operation("succeeded")]].concat());
    let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&["operations", "wait", "op1"]).expect(0);
    assert!(run.stderr.contains(". Waiting until the daemon answers again.\n"), "{run:?}");
}

#[test]
fn a_question_outlives_the_daemon_and_its_id_is_told_if_it_is_lost() {
    let (mut daemon, ctl) = daemon();
    daemon.agent("Atlas");
    let token = daemon.agent_token("atlas", &["requests.*"]);
    let atlas = |args: &[&str]| {
        let mut command = ctl.command(args);
        command.env("TAOS_TOKEN", token.token()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let open = || ctl.json(&["requests", "list", "--state", "pending"]).as_array().unwrap().clone();
    let asked = |count: usize| {
        wait_until("it is asked", || open().len() == count);
        let newest = open().into_iter().max_by_key(|one| one["id"].to_string()).unwrap();
        newest["id"].as_str().unwrap().to_owned()
    };
    let asking = atlas(&["ask", "Which branch?", "--wait", "2m"]);
    let question = asked(1);
    let wanting = atlas(&["request", "scope", "agents.logs", "--for", "1h", "--reason", "r", "--wait"]);
    let right = asked(2);
    daemon.kill();
    // Longer than one request is repeated by itself.
    std::thread::sleep(Duration::from_secs(8));
    daemon.spawn();
    ctl.ok(&["requests", "approve", &question, "--text", "main"]);
    ctl.ok(&["requests", "approve", &right]);
    let run = Run::of(asking.wait_with_output().unwrap()).expect(0);
    assert_eq!(run.stdout, "main\n");
    Run::of(wanting.wait_with_output().unwrap()).expect(0);

    let asking = atlas(&["--timeout", "2", "ask", "And which tag?", "--wait", "4s"]);
    let question = asked(1);
    daemon.kill();
    let run = Run::of(asking.wait_with_output().unwrap()).expect(3);
    assert!(run.stderr.contains(&format!("taosctl request answer {question}\n")), "{run:?}");
}
