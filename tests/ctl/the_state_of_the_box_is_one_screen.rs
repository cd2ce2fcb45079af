//! `status` and `doctor`: the first commands of a person, and those for when something is wrong.

use crate::fake::{Act, Fake};
use crate::run::{Ctl, Run};
use crate::support::Daemon;

#[test]
fn status_tells_server_login_health_agents_and_what_needs_somebody() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    let fresh = ctl.ok(&["status"]);
    assert!(fresh.contains("none yet; create one: taosctl agents create NAME"), "{fresh}");
    ctl.ok(&["agents", "create", "Atlas"]);
    ctl.ok(&["agents", "create", "Hermes"]);
    ctl.ok(&["agents", "pause", "hermes"]);
    ctl.ok(&["notify", "Look", "here"]);
    ctl.ok(&["backup"]);
    let status = ctl.ok(&["status"]);
    for part in [
        &format!("taosd {} at http://{}", env!("CARGO_PKG_VERSION"), daemon.address),
        "user:operator (admin), by environment",
        "health   ready",
        "2: 1 paused, 1 registered",
        "1 unread notification: taosctl notifications ls --unread",
    ] {
        assert!(status.contains(part), "{part} is not in {status}");
    }
    assert!(status.lines().all(|line| line.chars().count() <= 80), "{status}");
    let token = ctl.ok(&["tokens", "issue", "atlas"]);
    let atlas = Ctl::with_token(&daemon, token.trim());
    atlas.run(&["request", "scope", "agents.logs", "--for", "1h", "--reason", "r"]);
    let asked = ctl.ok(&["status"]);
    assert!(asked.contains("1 request of agents to decide: taosctl requests ls --state pending"), "{asked}");
    assert!(!ctl.ok(&["requests", "ls", "--state", "pending", "-q"]).is_empty());
    let json = ctl.json(&["status"]);
    assert_eq!((json["health"].as_str(), json["agents"]["paused"].as_u64()), (Some("ready"), Some(1)));
    assert!(json["backup"]["created_at"].is_string(), "{json}");
    ctl.run(&["status", "--url", "http://127.0.0.1:1"]).expect_error(3, "unreachable");
}

#[test]
fn doctor_finds_nothing_on_a_sound_box_and_says_each_fix_on_a_broken_one() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["backup"]);
    let sound = ctl.ok(&["doctor"]);
    assert!(!sound.contains("failed") && sound.contains("clock"), "{sound}");
    let wrong_token = Ctl::with_token(&daemon, "taos_user_none").run(&["doctor"]).expect(1);
    assert!(wrong_token.stdout.contains("✗ failed  login"), "{wrong_token:?}");
    assert!(wrong_token.stdout.contains("fix: Log in: taosctl login"), "{wrong_token:?}");
    let nobody = Ctl::bare().run(&["--url", "unix:/nonexistent/taosd.sock", "doctor"]).expect(1);
    assert!(nobody.stdout.contains("✗ failed  socket   /nonexistent/taosd.sock is not there."), "{nobody:?}");
    assert!(nobody.stdout.contains("systemctl start taosd"), "{nobody:?}");
    let file = ctl.file("no.sock", "");
    let no_socket = Ctl::bare().run(&["--url", &format!("unix:{file}"), "doctor"]).expect(1);
    assert!(no_socket.stdout.contains("is not a socket"), "{no_socket:?}");
    let gone = Ctl::bare().run(&["--url", "http://127.0.0.1:1", "doctor", "--json"]).expect(1);
    let findings: serde_json::Value = serde_json::from_str(&gone.stdout).unwrap();
    let daemon = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "daemon").unwrap();
    assert_eq!(daemon["state"], "failed");
}

#[test]
fn doctor_tells_a_home_that_takes_no_login_and_a_box_without_a_runtime() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    let file = ctl.file("file", "");
    let told = ctl.run(&["doctor"]).expect(0).stdout;
    assert!(told.contains("◐ warning runtime  The daemon uses no container runtime."), "{told}");
    for variable in ["TAOS_CONFIG_DIR", "HOME"] {
        let blocked = Run::of(ctl.command(&["doctor"]).env(variable, &file).output().unwrap()).expect(0).stdout;
        assert!(blocked.starts_with("◐ warning config   ") && blocked.contains("cannot be written"), "{blocked}");
        assert!(blocked.contains("fix: Set TAOS_CONFIG_DIR to"), "{blocked}");
    }
}

#[test]
fn doctor_says_the_fix_of_each_check_that_fails() {
    let checks = r#"{"error":"not_ready","detail":"d","fix":"f","doc_url":"/docs/x","status":"not_ready",
        "checks":{"database":"ok","disk":"only 5 bytes are free","queue":"ok","workers":"1 of 2 has ended","backups":"ok"}}"#;
    let mut acts = vec![Act::json(200, r#"{"status":"ok","version":"0.0.1"}"#)];
    // `taosctl` asks a daemon that is not ready three times.
    acts.extend(vec![Act::json(503, checks); 3]);
    acts.push(Act::json(401, r#"{"error":"invalid_token","detail":"d","fix":"f","doc_url":"/docs/x"}"#));
    let fake = Fake::playing(acts);
    let told = Ctl::bare().env("TAOS_TOKEN", "t").run(&["doctor", "--url", &fake.url]).expect(1).stdout;
    for part in [
        "◐ warning version",
        "✗ failed  disk     only 5 bytes are free",
        "fix: Free some space or replace the disk",
        "✗ failed  workers  1 of 2 has ended",
        "fix: Restart the daemon: sudo systemctl restart",
        "✗ failed  login",
        "fix: Log in: taosctl login --url http",
        "unset it",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains("queue"), "{told}");
}

#[test]
fn version_tells_both_and_docs_need_no_server() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    assert_eq!(ctl.json(&["version"])["taosd"], env!("CARGO_PKG_VERSION"));
    let alone = Ctl::bare().env("TAOS_URL", "http://127.0.0.1:1");
    assert!(alone.run(&["version"]).expect(0).stderr.contains("taosctl doctor"));
    assert!(alone.ok(&["docs"]).starts_with("# "));
    let part = alone.ok(&["docs", "http://box:6969/docs/agents/errors#agent_not_found"]);
    assert!(part.contains("agent_not_found") && part.lines().count() < 20, "{part}");
}

#[test]
fn status_says_nothing_of_backups_to_whom_they_are_not_shown() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    assert!(ctl.ok(&["status"]).contains("none asked for yet: taosctl backup"));
    ctl.ok(&["backup"]);
    let ann = Ctl::with_token(&daemon, daemon.member("ann", &["*"]).token());
    let status = ann.ok(&["status"]);
    assert!(status.contains("health") && !status.contains("backup"), "{status}");
    assert!(ann.json(&["status"]).get("backup").is_none());
    assert!(ctl.json(&["status"])["backup"]["file"].is_string());
}
