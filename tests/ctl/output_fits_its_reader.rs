//! A terminal shows what fits its width, in words for people. A program gets every value unchanged.

use serde_json::Value;

use crate::run::Ctl;
use crate::support::Daemon;
use crate::terminal::{plain, see};

fn with_two_agents(daemon: &Daemon) -> Ctl {
    let ctl = Ctl::operator(daemon);
    ctl.ok(&["agents", "create", "Atlas", "--model", "qwen2.5:7b"]);
    ctl.ok(&["agents", "create", "Hermes"]);
    ctl
}

#[test]
fn no_list_is_wider_than_the_terminal() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    ctl.ok(&["grants", "create", "user:operator", "agent:atlas", "editor"]);
    ctl.ok(&["tokens", "issue", "atlas"]);
    ctl.ok(&["backup"]);
    ctl.ok(&["notify", "A title that is rather long for a list", "Body"]);
    for line in
        ["agents ls", "grants ls", "tokens ls", "backups", "audit", "knowledge ls", "notifications ls", "users ls"]
    {
        let (seen, code) = see(&ctl, line);
        assert_eq!(code, 0, "{line}: {seen}");
        for row in plain(&seen).lines() {
            assert!(row.chars().count() <= 80, "{line}: {row:?} has {} columns", row.chars().count());
        }
        assert!(plain(&seen).lines().count() > 1, "{line}: {seen}");
    }
}

#[test]
fn a_terminal_shows_marks_and_colours_and_a_pipe_words() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    ctl.ok(&["agents", "pause", "atlas"]);
    let (seen, _) = see(&ctl, "agents ls");
    assert!(seen.contains("\u{1b}[33m◐ paused"), "{seen:?}");
    assert!(plain(&seen).contains("○ registered"), "{seen:?}");
    let uncoloured = Ctl::operator(&daemon).env("NO_COLOR", "1");
    let (seen, _) = see(&uncoloured, "agents ls");
    assert!(seen.contains("◐ paused") && !seen.contains('\u{1b}'), "{seen:?}");
    let piped = ctl.ok(&["agents", "ls"]);
    assert!(piped.contains("paused") && !piped.contains('◐') && !piped.contains('\u{1b}'), "{piped}");
    assert_eq!(ctl.json(&["agents", "get", "atlas"])["status"], "registered", "JSON is exact");
    let (seen, _) = see(&ctl, "backup && true");
    assert!(plain(&seen).contains("iB)"), "{seen}");
    let (seen, _) = see(&ctl, "backups");
    assert!(seen.contains(" ago") || seen.contains("now"), "{seen}");
}

#[test]
fn each_format_is_what_it_says() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    assert_eq!(ctl.ok(&["agents", "ls", "-o", "name"]), "atlas\nhermes\n");
    assert_eq!(ctl.ok(&["agents", "ls", "-q"]), "atlas\nhermes\n");
    assert_eq!(ctl.ok(&["agents", "create", "Scout", "-q"]), "scout\n");
    assert_eq!(ctl.ok(&["agents", "rm", "scout", "-qy"]), "scout\n");
    let lines = ctl.ok(&["agents", "ls", "-o", "jsonl"]);
    let names: Vec<Value> = lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["name"].clone()).collect();
    assert_eq!(names, ["atlas", "hermes"]);
    let yaml = ctl.ok(&["agents", "get", "atlas", "-o", "yaml"]);
    assert!(yaml.contains("\nname: atlas\n") && yaml.contains("\nhas_token: false\n"), "{yaml}");
    assert!(ctl.ok(&["agents", "ls"]).starts_with("NAME "), "a table");
    let wide = ctl.ok(&["agents", "ls", "-o", "wide"]);
    assert!(wide.lines().next().unwrap().contains("CREATED AT") && wide.contains("qwen2.5:7b"), "{wide}");
    ctl.run(&["agents", "ls", "-o", "xml"]).expect(2);
}

#[test]
fn an_empty_list_says_what_to_run_next() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let run = ctl.run(&["agents", "ls"]).expect(0);
    assert_eq!(run.stderr, "There is nothing here yet. Next: taosctl agents create NAME\n");
    assert_eq!(ctl.run(&["agents", "ls", "--status", "running"]).expect(0).stderr, "Nothing matches.\n");
    assert_eq!(ctl.run(&["agents", "ls", "-q"]).expect(0).stderr, "");
    assert_eq!(ctl.run(&["agents", "ls", "--json"]).expect(0).stdout, "[]\n");
    for (line, next) in [
        ("profile ls", "taosctl tokens mint AGENT --profile NAME"),
        ("inbox", "taosctl messages ls"),
        ("context ls", "taosctl context set KEY VALUE"),
        ("tasks ls", "taosctl tasks create TITLE"),
        ("messages ls", "taosctl send TEXT"),
        ("agents archived", "taosctl agents ls"),
        ("backups", "taosctl backup"),
        ("files", "taosctl upload FILE"),
        ("notifications ls", "taosctl notify TITLE BODY"),
        ("operations ls", "taosctl agents start NAME"),
    ] {
        let run = ctl.run(&line.split(' ').collect::<Vec<_>>()).expect(0);
        assert!(run.stderr.contains(&format!("Next: {next}\n")), "{line}: {run:?}");
    }
}

#[test]
fn a_list_is_cut_by_time() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    assert!(ctl.ok(&["audit", "--since", "1h"]).lines().count() > 2);
    assert_eq!(ctl.run(&["audit", "--until", "1h"]).expect(0).stderr, "Nothing matches.\n");
    assert_eq!(ctl.ok(&["audit", "--since", "today", "--limit", "2", "-o", "jsonl"]).lines().count(), 2);
    ctl.run(&["audit", "--since", "soon"]).expect_error(2, "usage");
}

#[test]
fn the_audit_names_people_agents_and_verbs() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    let audit = ctl.ok(&["audit", "--action", "agents.create"]);
    assert!(audit.contains("user:operator") && audit.contains("agent:atlas"), "{audit}");
    assert!(audit.contains("agents.create"), "{audit}");
}

#[test]
fn the_audit_names_credentials_operations_and_requests_too() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = with_two_agents(&daemon);
    ctl.ok(&["users", "create", "ann"]);
    ctl.ok(&["tokens", "issue", "user:ann", "--label", "laptop"]);
    ctl.ok(&["tokens", "mint", "hermes", "--print-token"]);
    ctl.ok(&["backup"]);
    let token = ctl.ok(&["tokens", "issue", "atlas"]);
    let atlas = Ctl::with_token(&daemon, token.trim());
    atlas.run(&["request", "scope", "agents.logs", "--for", "1h", "--reason", "r"]);
    let audit = ctl.ok(&["audit"]);
    for name in ["credential:ann/laptop", "credential:hermes/hermes", "operation:backup", "request:atlas/scope"] {
        assert!(audit.contains(name), "{name} is not in {audit}");
    }
    assert!(!audit.contains("credential:0"), "{audit}");
    let row = ctl.json(&["audit", "--action", "users.token.issue", "--limit", "1"])[0].clone();
    assert!(row["resource"].as_str().unwrap().starts_with("credential:0"), "JSON is exact: {row}");
    assert_eq!(row["resource_name"], "ann/laptop");
}

#[test]
fn people_go_by_names_where_ids_do_not_fit() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    ctl.ok(&["tasks", "create", "Sweep the floor"]);
    let (seen, _) = see(&ctl, "tasks ls");
    assert!(plain(&seen).starts_with("TITLE "), "{seen}");
    assert!(plain(&seen).contains("Sweep the floor"), "{seen}");
    assert!(ctl.ok(&["tasks", "ls"]).starts_with("ID "), "a pipe has room");
    ctl.ok(&["tokens", "issue", "user:operator", "--label", "laptop"]);
    for label in ["twice", "twice"] {
        ctl.ok(&["tokens", "issue", "user:operator", "--label", label]);
    }
    let names = ctl.ok(&["tokens", "ls", "-q"]);
    assert!(names.lines().any(|name| name == "laptop"), "{names}");
    assert!(names.lines().all(|name| name != "twice"), "which of the two? {names}");
    for name in names.lines().filter(|name| *name != "operator.token") {
        ctl.ok(&["tokens", "revoke", name, "--yes"]);
    }
    let (seen, _) = see(&ctl, "agents show atlas");
    assert!(plain(&seen).lines().all(|line| line.chars().count() <= 80), "{seen}");
    assert!(!plain(&seen).contains("expires_at"), "what is not there is not told: {seen}");
    assert!(ctl.ok(&["agents", "show", "atlas"]).contains("expires_at"), "a program is told");
}

#[test]
fn a_list_within_a_reply_is_a_list_even_if_it_is_empty() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    for line in ["tasks ls", "messages ls"] {
        let list = |more: &[&str]| ctl.ok(&[&line.split(' ').collect::<Vec<_>>(), more].concat());
        assert_eq!(list(&["-o", "jsonl"]), "", "{line}");
    }
    ctl.ok(&["send", "hello"]);
    let rows = ctl.ok(&["messages", "ls", "--fields", "content", "-o", "jsonl"]);
    assert_eq!(rows, "{\"content\":\"hello\"}\n");
}

#[test]
fn a_watched_list_is_shown_again_when_it_changes() {
    use std::io::{BufRead, BufReader};
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    let mut child = ctl.command(&["agents", "ls", "-q", "-w"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!([lines.next().unwrap(), lines.next().unwrap()], ["atlas", "hermes"]);
    ctl.ok(&["agents", "create", "Scout"]);
    assert_eq!(lines.nth(2).unwrap(), "scout");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_followed_list_goes_on_with_what_comes() {
    use std::io::{BufRead, BufReader};
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    let args = ["audit", "-f", "--action", "agents.create", "-o", "jsonl"];
    let mut child = ctl.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut places = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()["seq"].as_i64().unwrap());
    let (first, second) = (places.next().unwrap(), places.next().unwrap());
    assert!(first < second, "oldest first");
    ctl.ok(&["agents", "create", "Scout"]);
    assert!(places.next().unwrap() > second);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_followed_list_has_the_fields_and_the_format_that_were_asked_for() {
    use std::io::{BufRead, BufReader};
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    ctl.ok(&["send", "hello"]);
    ctl.ok(&["notify", "Title", "Body"]);
    for (line, wanted) in [
        ("audit -f --action agents.create --fields action -o jsonl", "{\"action\":\"agents.create\"}"),
        ("messages ls -f --fields content -o yaml", "content: hello"),
        ("notifications ls -f --fields title -o yaml", "title: Title"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let mut child = ctl.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some(wanted), "{line}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn several_are_done_at_once_and_one_that_fails_stops_none() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    let run = ctl.run(&["agents", "pause", "atlas", "nobody", "hermes"]).expect(1);
    assert_eq!(run.stdout, "paused: atlas\npaused: hermes\n");
    assert!(run.stderr.contains("error: agent_not_found\n"), "{run:?}");
    assert_eq!(ctl.ok(&["agents", "get", "atlas", "hermes", "-o", "jsonl"]).lines().count(), 2);
    let yaml = ctl.ok(&["agents", "get", "atlas", "hermes", "--fields", "name", "-o", "yaml"]);
    assert_eq!(yaml, "name: atlas\n---\nname: hermes\n");
}

#[test]
fn a_name_of_several_is_told_with_their_ids() {
    let daemon = Daemon::start();
    let ctl = with_two_agents(&daemon);
    for _ in 0..2 {
        ctl.ok(&["tasks", "create", "Sweep"]);
    }
    let run = ctl.run(&["tasks", "get", "Sweep"]).expect_error(2, "usage");
    assert!(run.stderr.contains("is the name of 2"), "{run:?}");
    ctl.ok(&["tasks", "create", "Mop"]);
    assert!(ctl.ok(&["tasks", "get", "Mop"]).contains("not_started"));
}
