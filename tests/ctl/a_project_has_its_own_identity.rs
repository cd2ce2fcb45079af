//! `.taos/config.toml`: its rank among the sources of a login, and when it is not trusted.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Ctl, Run, url};
use crate::support::Daemon;

struct Harness {
    daemon: Daemon,
    ctl: Ctl,
    folder: PathBuf,
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A project with an agent's token in it, and the operator's login saved.
fn harness() -> Harness {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let token = daemon.agent_token("atlas", &["agents.read"]).token().to_owned();
    let ctl = Ctl::bare();
    ctl.run_with_stdin(&["login", "--url", &url(&daemon)], &daemon.token).expect(0);
    let folder = ctl.home().join("project/.taos");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    private(&folder.join("atlas.token"), &token);
    let harness = Harness { daemon, ctl, folder };
    harness.config("atlas.token");
    harness
}

impl Harness {
    fn config(&self, token_file: &str) {
        let text = format!("url = \"{}\"\ntoken_file = \"{token_file}\"\n", url(&self.daemon));
        private(&self.folder.join("config.toml"), &text);
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(self.ctl.command(args).current_dir(self.folder.parent().unwrap()).output().unwrap())
    }

    fn source(&self, args: &[&str]) -> String {
        let run = self.run(&[&["auth", "whoami", "--json"], args].concat()).expect(0);
        let me: Value = serde_json::from_str(&run.stdout).unwrap();
        format!("{} {}", me["username"].as_str().unwrap(), me["source"].as_str().unwrap())
    }
}

#[test]
fn it_comes_after_flags_and_environment_and_before_profile_and_login() {
    let harness = harness();
    assert!(harness.source(&[]).starts_with("atlas ") && harness.source(&[]).ends_with(".taos/config.toml"));
    let token = harness.ctl.file("operator", &harness.daemon.token);
    assert_eq!(harness.source(&["--token-file", &token, "--url", &url(&harness.daemon)]), "operator flags");
    let mut command = harness.ctl.command(&["auth", "status", "--json"]);
    command.env("TAOS_TOKEN", &harness.daemon.token).env("TAOS_URL", url(&harness.daemon));
    let run = Run::of(command.current_dir(harness.folder.parent().unwrap()).output().unwrap()).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap()["login"], "environment");
    let outside = harness.ctl.json(&["auth", "whoami"]);
    assert_eq!(outside["source"], "saved login");
    // The project's token is for the project's server. A server named with `--url` does not get it.
    let run = harness.run(&["--url", "http://127.0.0.1:1", "auth", "status"]).expect(3);
    assert!(run.stderr.contains("127.0.0.1:1"), "{run:?}");
}

#[test]
fn what_others_can_touch_or_a_link_leads_to_is_not_used() {
    let harness = harness();
    let (config, token) = (harness.folder.join("config.toml"), harness.folder.join("atlas.token"));
    for (path, wide, narrow) in [(&config, 0o644, 0o600), (&token, 0o640, 0o600), (&harness.folder, 0o755, 0o700)] {
        fs::set_permissions(path, Permissions::from_mode(wide)).unwrap();
        let run = harness.run(&["agents", "list"]).expect_error(2, "login");
        assert!(run.stderr.contains("fix: Run chmod "), "{run:?}");
        fs::set_permissions(path, Permissions::from_mode(narrow)).unwrap();
    }
    let elsewhere = harness.ctl.home().join("elsewhere");
    for path in [&token, &config] {
        fs::rename(path, &elsewhere).unwrap();
        symlink(&elsewhere, path).unwrap();
        harness.run(&["agents", "list"]).expect_error(2, "login");
        fs::remove_file(path).unwrap();
        fs::rename(&elsewhere, path).unwrap();
    }
    harness.source(&[]);
}

#[test]
fn it_names_a_token_beside_it_and_no_other() {
    let harness = harness();
    let saved = harness.ctl.credentials();
    for file in [saved.to_str().unwrap(), "../../x.token", "sub/a.token", "config.toml", ".token", ""] {
        harness.config(file);
        harness.run(&["agents", "list"]).expect_error(2, "login");
    }
    for text in ["url = 1", "url = \"http://a\"", "x", "token_file = \"atlas.token\""] {
        private(&harness.folder.join("config.toml"), text);
        harness.run(&["agents", "list"]).expect_error(2, "login");
    }
}

#[test]
fn another_users_project_says_nothing_to_this_one() {
    let harness = harness();
    // Only root can change a file's owner. For other users there is nothing to test.
    if chown(harness.folder.join("config.toml"), Some(12345), None).is_ok() {
        assert_eq!(harness.source(&[]), "operator saved login");
    }
}
