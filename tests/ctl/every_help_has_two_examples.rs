//! Every help ends with two commands to copy, and each of them runs unchanged.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::run::{Ctl, url};
use crate::support::Daemon;
use crate::terminal;

/// The commands, their examples, and what the test must know of each.
const TEXT: &str = include_str!("../../src/ctl/examples.txt");

fn sections() -> Vec<(&'static str, Vec<&'static str>)> {
    let blocks = TEXT.split("\n\n").map(|block| block.trim_matches('\n')).filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let mut lines = block.lines();
            (lines.next().unwrap_or_default(), lines.map(|line| line.strip_prefix("  ").expect("two blanks")).collect())
        })
        .collect()
}

/// Collects this command and every one below it, each with its words.
fn walk(path: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
    found.push((path.to_owned(), command.clone()));
    for below in command.get_subcommands() {
        walk(format!("{path} {}", below.get_name()).trim(), below, found);
    }
}

#[test]
fn every_help_has_them_and_every_place_is_described() {
    let mut all = Vec::new();
    walk("", &taosd::ctl::command(), &mut all);
    let mut wrong = Vec::new();
    for (path, command) in &all {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        // A long example continues on lines that are indented further.
        let is_first = |line: &&str| !line.starts_with("   ");
        let examples = help.split("Examples:\n").nth(1).map_or(0, |lines| lines.lines().filter(is_first).count());
        if examples != 2 {
            wrong.push(format!(
                "taosctl {path} --help does not show two examples; write them into src/ctl/examples.txt"
            ));
        }
        for place in command.get_positionals().filter(|place| place.get_help().is_none()) {
            wrong.push(format!("taosctl {path}: {} is not described", place.get_id()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    for (path, examples) in sections() {
        assert!(path == "taosctl" || known.contains(path), "there is no command {path}");
        assert_eq!(examples.len(), 2, "{path}");
    }
}

/// Lines of help that are wider than a terminal of 80 columns.
fn too_wide(mut command: clap::Command) -> Vec<String> {
    let mut all = Vec::new();
    // `build` passes the width on to the subcommands.
    command.build();
    walk("", &command, &mut all);
    let mut wide = Vec::new();
    for (_, mut command) in all {
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            // The usage is one line, however many flags the command requires.
            let can_wrap = |line: &&str| !line.starts_with("Usage: ");
            wide.extend(help.lines().filter(can_wrap).filter(|line| line.chars().count() > 80).map(str::to_owned));
        }
    }
    wide.dedup();
    wide
}

#[test]
fn no_help_is_wider_than_a_terminal() {
    for command in [taosd::ctl::command(), <taosd::daemon::cli::Cli as clap::CommandFactory>::command()] {
        let name = command.get_name().to_owned();
        let wide = too_wide(command.term_width(80));
        assert!(wide.is_empty(), "{name}: {}", wide.join("\n"));
    }
}

#[test]
fn help_takes_the_columns_there_are() {
    let ctl = Ctl::bare();
    let widest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
    let daemon = env!("CARGO_BIN_EXE_taosd");
    for line in ["agents deploy --help", "help", "tokens issue --help", "agents deploy"] {
        let (seen, _) = terminal::see(&ctl, line);
        let seen = terminal::plain(&seen);
        assert!(widest(&seen) <= 80 && seen.contains("Usage:"), "{line}: {seen}");
    }
    let (seen, _) = terminal::see_program(&ctl, &format!("{daemon} serve --help"));
    assert!(widest(&terminal::plain(&seen)) <= 80, "{seen}");
    assert!(widest(&ctl.ok(&["agents", "deploy", "--help"])) <= 80, "as in a pipe");
    let narrow = Ctl::bare().env("COLUMNS", "60").ok(&["whoami", "--help"]);
    assert!(
        narrow.lines().filter(|line| line.chars().count() > 60).all(|line| line.starts_with("  taosctl")),
        "{narrow}"
    );
}

/// A token of atlas.
const TOKEN: &str = "taosctl agents token issue atlas 2>null";
/// Atlas asks for a scope. The loop skips scopes that it has or that were denied a moment ago.
const ASKED: &str = "taosctl requests ls -q --state approved --kind scope | xargs -r -n 1 taosctl requests revoke >null; \
    for s in agents.logs agents.update agents.export agents.lifecycle agents.delete; do \
    TAOS_TOKEN=$(taosctl agents token issue atlas 2>null) taosctl request scope $s --for 1h --reason r >null 2>&1 \
    && break; done";

/// A server's trust token: base64 of `{"fingerprint":"abab...","addresses":["shed.lan:8443"],"secret":"s"}`.
const TRUST_TOKEN: &str = "eyJmaW5nZXJwcmludCI6ImFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWIiLCJhZGRyZXNzZXMiOlsic2hlZC5sYW46ODQ0MyJdLCJzZWNyZXQiOiJzIn0=";

/// Examples with one of these words change so much that the next ones would fail, so each gets its own box.
const OF_ITS_OWN: [&str; 10] =
    ["freeze", "thaw", "delete", "restore", "purge", "rm", "renew", "release", "agent-pat", "profile"];

#[test]
fn each_runs_as_it_stands_there() {
    let mut shared = Box::new();
    let mut wrong = String::new();
    for (path, examples) in sections() {
        let mut own = OF_ITS_OWN.iter().any(|word| path.contains(word)).then(Box::new);
        let place = own.as_mut().unwrap_or(&mut shared);
        for example in examples {
            place.prepare();
            let (line, tag) = example.split_once("  #").unwrap_or((example, ""));
            let line = match tag {
                "waits" if line.contains("ask ") => {
                    format!("export TAOS_TOKEN=$({TOKEN}); timeout 2 {line} || [ $? = 124 ]")
                }
                "waits" => format!("timeout 2 {line} || [ $? = 124 ]"),
                // Without a container runtime the command is refused, without a panic and not as a usage error.
                "runtime" => format!("! {line} >stdout 2>stderr; ! grep -q usage stderr; ! grep -q panicked stderr"),
                "agent" => format!("{ASKED}; export TAOS_TOKEN=$({TOKEN}); {line}"),
                "asked" => format!("{ASKED}; {line}"),
                "given" => {
                    let approve = "taosctl requests ls -q --state pending | xargs taosctl requests approve >null";
                    format!("{ASKED}; {approve} || true; {line}")
                }
                "archived" => format!("taosctl agents create spare -q >null; taosctl agents rm spare -qy; {line}"),
                "last" => format!("taosctl tokens issue user:operator -q >null; {line}"),
                "claimed" => format!("taosctl tasks claim 'Sweep the floor' -q >null || true; {line} || true"),
                // The daemon's settings file, which has another path in a test.
                "node" => {
                    let node = if line.contains(" add ") { "" } else { "[nodes.shed]\nurl = \"https://shed.lan\"\n" };
                    place.ctl.file("taosd.toml", node);
                    place.ctl.file("shed.token", TRUST_TOKEN);
                    format!("{line} --file taosd.toml")
                }
                "profile" => {
                    let made = "taosctl tokens mint atlas --profile me --no-print-token";
                    format!("taosctl profile verify me >null 2>&1 || {made} >null; unset TAOS_TOKEN; {line}")
                }
                _ => line.to_owned(),
            };
            if let Err(told) = bash(&place.ctl, &place.daemon, &line) {
                let _ = writeln!(wrong, "{path}: {line}\n{told}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A daemon without a container runtime, and the operator's home.
struct Box {
    daemon: Daemon,
    ctl: Ctl,
}

impl Box {
    fn new() -> Self {
        // No limit on notifications: each example needs a new one.
        let daemon = Daemon::with(&["--containers", "none"], &[("TAOSD_NOTIFY_PER_MINUTE", "0")]);
        let ctl = Ctl::operator(&daemon);
        fs::create_dir_all(ctl.home().join("guides")).unwrap();
        fs::create_dir_all(ctl.home().join("got")).unwrap();
        ctl.file("guides/a.md", "# A\nrotate the token\n");
        ctl.file("notes.txt", "notes");
        ctl.file("backup.json", r#"{"version": 1, "agent": {"name": "scout2"}}"#);
        ctl.file("operator.token", &daemon.token);
        Self { daemon, ctl }
    }

    /// Makes what the examples use: three agents, a user, a space with both, a task, a message, a value, a
    /// notification.
    fn prepare(&self) {
        let is_there = |path: &str| self.daemon.operator().get(path).status == 200;
        let post = |path: &str, body: serde_json::Value| drop(self.daemon.operator().post(path, body));
        for name in ["atlas", "hermes", "scout"] {
            if !is_there(&format!("/api/agents/{name}")) {
                post("/api/agents", json!({"name": name}));
            }
            post(&format!("/api/agents/{name}/token/issue"), json!({}));
        }
        if !is_there("/api/users/ann") {
            post("/api/users", json!({"username": "ann"}));
        }
        drop(self.daemon.operator().patch("/api/users/ann", json!({"disabled": false})));
        let spaces = self.daemon.operator().get("/api/v1/spaces").json();
        let is_workshop = |space: &&serde_json::Value| space["slug"] == "workshop";
        if spaces["spaces"].as_array().unwrap().iter().find(is_workshop).is_none() {
            post("/api/spaces/create", json!({"name": "Workshop"}));
        }
        let spaces = self.daemon.operator().get("/api/v1/spaces").json();
        let space = spaces["spaces"].as_array().unwrap().iter().find(is_workshop).unwrap()["id"].clone();
        let members = format!("/api/v1/spaces/{}/members", space.as_str().unwrap());
        post(&members, json!({"agent": "atlas", "role": "viewer"}));
        post(&members, json!({"username": "ann", "role": "viewer"}));
        let tasks = self.daemon.operator().get("/api/v1/tasks?limit=100").json();
        if tasks["tasks"].as_array().unwrap().iter().all(|task| task["title"] != "Sweep the floor") {
            post("/api/v1/tasks", json!({"title": "Sweep the floor"}));
        }
        post("/api/v1/messages", json!({"content": "The build is green"}));
        post("/api/v1/context", json!({"key": "plans/today", "value": "x"}));
        drop(
            self.daemon
                .operator()
                .put("/api/knowledge/sources/app:guides", json!({"items": [{"path": "a.md", "content": "# A"}]})),
        );
        post("/api/ui/notify", json!({"title": "Backup done", "body": "x"}));
    }
}

fn bash(ctl: &Ctl, daemon: &Daemon, line: &str) -> Result<(), String> {
    let built =
        std::path::Path::new(env!("CARGO_BIN_EXE_taosctl")).parent().expect("a directory").display().to_string();
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &format!("set -eo pipefail; {line}")])
        .current_dir(ctl.home())
        .env_clear()
        .env("HOME", ctl.home())
        .env("PATH", format!("{built}:/usr/bin:/bin"))
        .env("TAOS_URL", url(daemon))
        .env("TAOS_TOKEN", &daemon.token)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{:?}: {}{}", output.status.code(), text(&output.stdout), text(&output.stderr)))
}
