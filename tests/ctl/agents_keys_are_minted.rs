//! `taosctl token mint` makes agent, key, files and profile in one command. The secret goes only where the user asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::keys_are_exchanged_silently::user_key;
use crate::run::{Ctl, Run, url};
use crate::support::Daemon;

const KEY: usize = "axp_a_".len() + 10 + 1 + 49;

/// A user logged in with a key.
fn user(daemon: &Daemon) -> Ctl {
    let (key, _) = user_key(daemon);
    let ctl = Ctl::bare();
    ctl.run_with_stdin(&["login", "--url", &url(daemon)], &key).expect(0);
    ctl
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn keys_of(daemon: &Daemon, state: &str) -> i64 {
    daemon.number("SELECT count(*) FROM credentials WHERE kind = 'agent_pat' AND state = ?1", [state])
}

#[test]
fn a_new_agents_key_lands_in_its_project_and_works_there() {
    let daemon = Daemon::start();
    let ctl = user(&daemon);
    let work = ctl.home().join("worker");
    fs::create_dir_all(work.join("deep/below")).unwrap();
    let dir = work.to_str().unwrap();
    let shown =
        ctl.json(&["token", "mint", "Builder", "--create", "--save-to", dir, "--profile", "b", "--no-print-token"]);
    assert_eq!((&shown["agent_name"], &shown["created"]), (&"Builder".into(), &true.into()));
    assert_eq!(
        (&shown["audience"], &shown["name"], &shown["profile"]),
        (&"both".into(), &"Builder".into(), &"b".into())
    );
    assert!(shown["token_redacted"] == true && shown.get("token").is_none() && shown["expires_at"].is_string());
    let (token, config) = (work.join(".taos/Builder.token"), work.join(".taos/config.toml"));
    assert_eq!(Path::new(shown["token_file"].as_str().unwrap()), token.canonicalize().unwrap());
    assert_eq!((mode(&token), mode(&config), mode(&work.join(".taos"))), (0o600, 0o600, 0o700));
    let text = fs::read_to_string(&config).unwrap();
    for key in ["url", "token_file", "agent_name", "agent_id", "space_id"] {
        assert!(text.contains(&format!("{key} = ")), "{text}");
    }
    for below in [work.clone(), work.join("deep/below")] {
        let mut command = ctl.command(&["auth", "whoami", "--json"]);
        let run = Run::of(command.current_dir(below).output().unwrap()).expect(0);
        let me: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&me["resolved_agent"], &me["bound_agent"]["agent_id"]), (&"Builder".into(), &shown["agent_id"]));
        assert!(me["source"].as_str().unwrap().ends_with(".taos/config.toml"), "{me}");
    }
    // In the folder of the agent's project too, minting uses the user's login.
    let mut command = ctl.command(&["token", "mint", "builder"]);
    let run = Run::of(command.current_dir(&work).output().unwrap()).expect(0);
    assert_eq!(run.stdout.trim().len(), KEY);
    assert!(ctl.json(&["profile", "verify", "b"])["verified"] == true);
}

#[test]
fn without_a_place_the_key_alone_is_on_stdout() {
    let daemon = Daemon::start();
    let ctl = user(&daemon);
    daemon.agent("atlas");
    let run = ctl.run(&["token", "mint", "atlas", "--expires", "7", "--audience", "cli", "--label", "ci"]).expect(0);
    assert!(run.stdout.starts_with("axp_a_") && run.stdout.trim().len() == KEY, "{run:?}");
    assert!(run.stderr.contains("shown only once") && !run.stderr.contains(run.stdout.trim()));
    let saved = ctl.run(&["token", "mint", "atlas", "--profile", "p"]).expect(0);
    assert!(!saved.stdout.contains("axp_") && saved.field("created") == "no", "{saved:?}");
    let file = ctl.home().join(".config/taos/tokens/p.token");
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(
        ctl.json(&["token", "mint", "atlas", "--profile", "p", "--print-token"])["token"].as_str().unwrap().len(),
        KEY
    );
}

#[test]
fn each_profile_keeps_its_own_key() {
    let (daemon, other) = (Daemon::start(), Daemon::start());
    let ctl = user(&daemon);
    daemon.agent("atlas");
    for profile in ["a", "b"] {
        ctl.ok(&["token", "mint", "atlas", "--profile", profile]);
    }
    for profile in ["a", "b"] {
        assert_eq!(ctl.json(&["profile", "verify", profile])["verified"], true, "{profile}");
    }
    // The same name at another server would end this profile.
    let (key, _) = user_key(&other);
    other.agent("atlas");
    let ctl = ctl.env("TAOS_URL", &url(&other)).env("TAOS_TOKEN", &key);
    let run = ctl.run(&["token", "mint", "atlas", "--profile", "a"]).expect_error(2, "usage");
    assert!(run.stderr.contains(&url(&daemon)), "{run:?}");
    assert_eq!(keys_of(&other, "active"), 0);
    assert_eq!(ctl.json(&["profile", "verify", "a"])["verified"], true);
}

#[test]
fn nothing_is_issued_where_the_key_could_not_be_kept() {
    let daemon = Daemon::start();
    let ctl = user(&daemon);
    daemon.agent("atlas");
    let run = ctl.run(&["token", "mint", "nobody"]).expect_error(1, "agent_not_found");
    assert!(run.stderr.contains("--create"), "{run:?}");
    ctl.run(&["token", "mint", "atlas", "--no-print-token"]).expect_error(2, "usage");
    ctl.run(&["token", "mint", "atlas", "--save-to", "/no/such/directory"]).expect_error(2, "usage");
    ctl.run(&["token", "mint", "atlas", "--profile", "../x"]).expect_error(2, "usage");
    let work = ctl.home().join("w");
    fs::create_dir_all(work.join(".taos")).unwrap();
    fs::set_permissions(work.join(".taos"), fs::Permissions::from_mode(0o777)).unwrap();
    ctl.run(&["token", "mint", "atlas", "--save-to", work.to_str().unwrap()]).expect_error(2, "login");
    assert_eq!(keys_of(&daemon, "active"), 0);
}

#[test]
fn a_key_whose_saving_fails_is_revoked() {
    let daemon = Daemon::start();
    let ctl = user(&daemon);
    daemon.agent("atlas");
    let work = ctl.home().join("w");
    // The token's file can be written, but the config that names it cannot.
    fs::create_dir_all(work.join(".taos/config.toml")).unwrap();
    fs::set_permissions(work.join(".taos"), fs::Permissions::from_mode(0o700)).unwrap();
    let run = ctl.run(&["token", "mint", "atlas", "--save-to", work.to_str().unwrap()]).expect_error(2, "login");
    assert!(!run.stderr.contains("axp_a_"), "{run:?}");
    assert_eq!((keys_of(&daemon, "active"), keys_of(&daemon, "revoked")), (0, 1));
}
