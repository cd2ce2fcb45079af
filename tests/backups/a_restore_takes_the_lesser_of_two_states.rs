//! A restore does not give back roles, scopes, grants, users or agents that were taken since the backup. It reports
//! each of these rights, before the restore (`--dry-run`) and after it, as text and as JSON. It does not give rights
//! that were given since the backup either, because the backup does not have them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::backups::run::good;
use crate::support::{Daemon, TempDir, text};

fn as_json(daemon: &Daemon, flags: &[&str], backup: &Path) -> Value {
    let mut taosd = Command::new(env!("CARGO_BIN_EXE_taosd"));
    taosd.args(["restore", "--json"]).args(flags).arg("--data-dir").arg(&daemon.data).arg(backup);
    let output = taosd.output().expect("taosd");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_right_that_was_taken_stays_taken() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["ann", "bob", "cat", "dan"] {
        operator.post("/api/users", json!({"username": name, "role": "admin"})).expect(201);
    }
    for name in ["narrowed", "widened", "shelved", "purged", "shared", "moved"] {
        daemon.agent(name);
    }
    let id = |name: &str| text(&daemon.record(name), "id");
    let (shared, moved, purged) = (id("shared"), id("moved"), id("purged"));
    let scope = |name: &str, scope: &[&str]| {
        operator.put(&format!("/api/agents/{name}/permissions"), json!({"scope": scope})).expect(200);
    };
    scope("narrowed", &["agents.*", "ui.notify"]);
    scope("widened", &["ui.notify"]);
    let grant = |who: &str, role: &str| {
        let body = json!({"principal": format!("user:{who}"), "resource": format!("agent:{shared}"), "role": role});
        let reply = operator.post("/api/grants", body);
        assert!(reply.status < 300, "{}", reply.text());
        text(&reply.json(), "id")
    };
    let (gone, _) = (grant("ann", "viewer"), grant("bob", "editor"));
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);

    operator.patch("/api/users/ann", json!({"role": "member"})).expect(200);
    operator.patch("/api/users/bob", json!({"disabled": true})).expect(200);
    operator.delete("/api/users/cat").expect(204);
    scope("narrowed", &["agents.read"]);
    scope("widened", &["*"]);
    operator.delete(&format!("/api/grants/{gone}")).expect(204);
    grant("bob", "viewer");
    grant("dan", "owner");
    operator.delete("/api/agents/shelved").expect(200);
    operator.delete("/api/agents/purged").expect(200);
    daemon.execute("DELETE FROM agents WHERE id = ?1", [&purged]);
    daemon.execute(
        "UPDATE agents SET owner_user_id = (SELECT id FROM users WHERE username = 'dan') WHERE id = ?1",
        [&moved],
    );
    assert_eq!(daemon.stop(), Some(0));

    let before = daemon.rows();
    let told = as_json(&daemon, &["--dry-run"], &backup);
    assert_eq!(told["restored"], false);
    assert!(daemon.rows() == before, "a dry run changes nothing");
    let said = good(&daemon, "restore", &[&backup]);
    let rights = told["rights"].as_array().expect("a list");
    let of = |start: &str| -> Value {
        let found = rights.iter().find(|one| one["right"].as_str().is_some_and(|right| right.starts_with(start)));
        found.unwrap_or_else(|| panic!("{start} in {told:#}")).clone()
    };
    for (right, backup, restored) in [
        ("user ann: role", "admin", "member"),
        ("user bob", "enabled", "disabled"),
        ("user cat", "enabled", "deleted since: disabled"),
        ("agent narrowed: scope", r#"["agents.*","ui.notify"]"#, r#"["agents.read"]"#),
        ("agent shelved", "live", "archived"),
        ("agent purged", "live", "purged since: archived"),
        ("grant to user ann on agent shared", "viewer", "none"),
        ("grant to user bob on agent shared", "editor", "viewer"),
    ] {
        let one = of(right);
        assert_eq!((&one["backup"], &one["restored"]), (&json!(backup), &json!(restored)), "{right}");
        assert!(said.contains(&format!("{right}: {backup} -> {restored}")), "{right} in {said}");
    }
    assert!(of("agent moved: owner and space")["restored"].as_str().is_some_and(|to| to.starts_with("dan")));
    assert!(!rights.iter().any(|one| one["right"].as_str().is_some_and(|right| right.contains("widened"))));

    daemon.spawn();
    let operator = daemon.operator();
    let user = |name: &str| operator.get(&format!("/api/users/{name}")).expect(200).json();
    assert_eq!((&user("ann")["role"], &user("bob")["disabled"]), (&json!("member"), &json!(true)));
    assert_eq!(user("cat")["disabled"], true);
    assert_eq!(daemon.record("narrowed")["scope"], json!(["agents.read"]));
    assert_eq!(daemon.record("widened")["scope"], json!(["ui.notify"]), "what was given since is not given");
    operator.get("/api/agents/archived").expect(200);
    for gone in ["shelved", "purged"] {
        let live = daemon.number("SELECT count(*) FROM agents WHERE slug = ?1 AND archived_at IS NULL", [gone]);
        assert_eq!(live, 0, "{gone}");
    }
    assert_eq!(
        daemon.number(
            "SELECT count(*) FROM grants g JOIN users u ON u.id = g.principal_user_id
        WHERE u.username = 'dan' AND g.agent_id IS NOT NULL",
            []
        ),
        0
    );
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

#[test]
fn one_admin_is_left_whatever_was_taken() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    daemon.operator().post("/api/users", json!({"username": "ann", "role": "admin"})).expect(201);
    daemon.execute("UPDATE users SET disabled = 1 WHERE username = 'operator'", []);
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("admin still"), "{said}");
    daemon.spawn();
    let users = daemon.on_socket().get("/api/users").expect(200).json();
    assert_eq!(users.as_array().map(Vec::len), Some(1), "{users}");
}

#[test]
fn a_membership_that_ended_and_a_channel_that_was_removed_stay_so() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["ann", "bob", "cat"] {
        operator.post("/api/users", json!({"username": name})).expect(201);
    }
    let space = daemon
        .text("SELECT s.id FROM spaces s JOIN users u ON u.id = s.owner_user_id WHERE u.username = 'operator'", []);
    let member = |who: &str, role: &str| {
        let body = json!({"principal": format!("user:{who}"), "resource": format!("space:{space}"), "role": role});
        let reply = operator.post("/api/grants", body);
        assert!(reply.status < 300, "{}", reply.text());
        text(&reply.json(), "id")
    };
    let gone = member("ann", "editor");
    member("bob", "editor");
    let channel = |topic: &str| {
        let body = json!({"kind": "ntfy", "url": format!("https://ntfy.sh/{topic}")});
        text(&operator.post("/api/users/operator/channels", body).expect(201).json(), "id")
    };
    let (removed, moved, kept) = (channel("removed"), channel("old"), channel("kept"));
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);

    operator.delete(&format!("/api/grants/{gone}")).expect(204);
    member("bob", "viewer");
    member("cat", "editor");
    operator.delete(&format!("/api/users/operator/channels/{removed}")).expect(204);
    let to = json!({"url": "https://ntfy.sh/new"});
    operator.patch(&format!("/api/users/operator/channels/{moved}"), to).expect(200);
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    for line in [
        "grant to user ann on space operator: editor -> none",
        "grant to user bob on space operator: editor -> viewer",
        &format!("channel ntfy of user operator ({removed}): there -> removed"),
        &format!("channel ntfy of user operator ({moved}): as it was -> as it is now"),
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    daemon.spawn();
    let roles =
        "SELECT group_concat(u.username || ' ' || g.role) FROM grants g JOIN users u ON u.id = g.principal_user_id
        WHERE g.space_id = ?1 AND u.username <> 'operator'";
    assert_eq!(daemon.text(roles, [&space]), "bob viewer", "nor does cat become a member by a restore");
    let channels = daemon.on_socket().get("/api/users/operator/channels").expect(200).json();
    let mut told: Vec<_> = channels.as_array().unwrap().iter().map(|one| (text(one, "id"), text(one, "url"))).collect();
    told.sort();
    let mut wanted = vec![(moved, "https://ntfy.sh/new".to_owned()), (kept, "https://ntfy.sh/kept".to_owned())];
    wanted.sort();
    assert_eq!(told, wanted);
}

#[test]
fn an_agent_whose_owner_came_later_goes_to_an_admin_who_still_is_one() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    let operator = daemon.operator();
    let user = |name: &str, role: &str| {
        operator.post("/api/users", json!({"username": name, "role": role})).expect(201);
    };
    user("ann", "admin");
    operator.post("/api/agents", json!({"name": "moved"})).expect(200);
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);

    user("dan", "member");
    daemon.execute("UPDATE agents SET owner_user_id = (SELECT id FROM users WHERE username = 'dan')", []);
    daemon.execute("UPDATE users SET role = 'member' WHERE username = 'operator'", []);
    assert_eq!(daemon.stop(), Some(0));
    let said = good(&daemon, "restore", &[&backup]);
    assert!(said.contains("agent moved: owner and space: operator in operator -> ann in operator"), "{said}");
    daemon.spawn();
    assert_eq!(daemon.on_socket().get("/api/agents/moved").expect(200).json()["owner"], "ann");
}
