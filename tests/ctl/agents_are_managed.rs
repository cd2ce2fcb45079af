//! Agents on the command line: created, changed, archived, restored, exported and imported, deleted.

use crate::run::{Ctl, field};
use crate::support::Daemon;

#[test]
fn creating_and_changing_print_what_the_daemon_stored() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let made = ctl.ok(&["agents", "create", "--name", "  Atlas ", "--color", "#336699", "--scope", "agents.read"]);
    assert_eq!((field(&made, "name"), field(&made, "display_name")), ("atlas", "Atlas"));
    assert_eq!((field(&made, "color"), field(&made, "scope")), ("#336699", "agents.read"));

    let changed = ctl.ok(&["agents", "update", "atlas", "--display-name", "Atlas II", "--can-read-user-memory"]);
    assert_eq!((field(&changed, "display_name"), field(&changed, "revision")), ("Atlas II", "2"));
    assert_eq!(field(&changed, "can_read_user_memory"), "yes");
    let narrowed = ctl.ok(&["agents", "permissions", "atlas", "--no-can-read-user-memory", "--no-scope"]);
    assert_eq!((field(&narrowed, "can_read_user_memory"), field(&narrowed, "scope")), ("no", "-"));
    assert_eq!(field(&ctl.ok(&["agents", "model", "atlas", "--model", "qwen2.5:7b"]), "model"), "qwen2.5:7b");
    assert_eq!(field(&ctl.ok(&["agents", "memory", "atlas", "--memory-plugin", "taosmd"]), "memory_plugin"), "taosmd");
    assert_eq!(daemon.operator().get("/api/agents/atlas").json()["display_name"], "Atlas II");
}

#[test]
fn a_persona_comes_from_files_and_from_stdin() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas"]);
    let soul = ctl.file("soul.md", "# Atlas\nCalm.\n");
    let args = ["agents", "persona", "atlas", "--soul", &soul, "--agent", "-"];
    ctl.run_with_stdin(&args, "Works.\n").expect(0);
    let stored = daemon.operator().get("/api/agents/atlas").json();
    assert_eq!((stored["soul_md"].as_str(), stored["agent_md"].as_str()), (Some("# Atlas\nCalm.\n"), Some("Works.\n")));
    ctl.run(&["agents", "persona", "atlas", "--soul", "/nonexistent"]).expect_error(2, "usage");
    let binary = ctl.home().join("binary");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    ctl.run(&["agents", "persona", "atlas", "--soul", binary.to_str().unwrap()]).expect_error(2, "usage");
}

#[test]
fn the_list_has_its_five_columns() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    assert_eq!(ctl.ok(&["agents", "list"]).split_whitespace().collect::<Vec<_>>(), HEADING);
    ctl.ok(&["agents", "create", "--name", "Atlas", "--model", "m1"]);
    ctl.ok(&["agents", "create", "--name", "Hermes"]);
    ctl.ok(&["agents", "token", "issue", "hermes"]);
    let list = ctl.ok(&["agents", "list"]);
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], HEADING);
    assert_eq!(rows[1], ["atlas", "registered", "no", "m1", "operator"]);
    assert_eq!(rows[2], ["hermes", "registered", "yes", "-", "operator"]);
    assert_eq!(ctl.ok(&["agents", "list", "--q", "herm"]).lines().count(), 2);
    assert_eq!(ctl.ok(&["agents", "list", "--status", "running"]).lines().count(), 1);
}

const HEADING: [&str; 5] = ["NAME", "STATUS", "TOKEN", "MODEL", "OWNER"];

#[test]
fn an_agent_is_archived_brought_back_and_purged() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let id = ctl.json(&["agents", "create", "--name", "Atlas"])["id"].as_str().unwrap().to_owned();
    let gone = ctl.run(&["agents", "delete", "atlas", "--yes"]).expect(0);
    assert_eq!(gone.stdout, "archived: atlas\n");
    assert!(gone.stderr.contains("taosctl agents restore atlas"), "{gone:?}");
    ctl.run(&["agents", "get", "atlas"]).expect_error(1, "agent_not_found");
    assert!(ctl.ok(&["agents", "archived"]).contains(&id));
    assert_eq!(field(&ctl.ok(&["agents", "restore", &id]), "name"), "atlas");
    ctl.ok(&["agents", "delete", "atlas", "-y"]);
    assert_eq!(field(&ctl.ok(&["agents", "restore", "atlas"]), "id"), id, "by its name too");
    ctl.ok(&["agents", "delete", "atlas", "-y"]);
    assert_eq!(ctl.ok(&["agents", "purge", &id, "--yes"]), format!("purged: {id}\n"));
    ctl.run(&["agents", "restore", &id]).expect_error(1, "archived_agent_not_found");
}

#[test]
fn an_export_is_a_file_that_an_import_takes() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "--name", "Atlas", "--emoji", "🦊"]);
    let export = ctl.ok(&["agents", "export", "atlas"]);
    ctl.ok(&["agents", "delete", "atlas", "--yes"]);
    let file = ctl.file("atlas.json", &export);
    assert_eq!(field(&ctl.ok(&["agents", "import", &file]), "emoji"), "🦊");
    ctl.run(&["agents", "import", &file]).expect_error(1, "agent_exists");
    ctl.run_with_stdin(&["agents", "import", "-"], "[]").expect_error(2, "usage");
    ctl.run_with_stdin(&["agents", "import", "-"], "{\"version\":7,\"agent\":{\"name\":\"x\"}}")
        .expect_error(1, "invalid_export_data");
}

#[test]
fn who_may_create_but_not_read_is_told_that_it_was_done() {
    let daemon = Daemon::start();
    let operator = Ctl::operator(&daemon);
    let token = operator.ok(&["users", "token", "issue", "operator", "--scope", "agents.create"]);
    let made = Ctl::with_token(&daemon, token.trim())
        .run(&["agents", "create", "--name", "Atlas", "--scope", "agents.create"])
        .expect(0);
    assert_eq!(made.field("name"), "atlas");
    assert!(made.stderr.contains("scope_denied"), "{made:?}");
}
