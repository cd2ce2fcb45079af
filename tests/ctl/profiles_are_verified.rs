//! Profiles are bound to token, host, directory and expiry. One that does not verify is not used and leaves no variable
//! set.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::run::{Ctl, Run, url};
use crate::support::Daemon;

struct Harness {
    daemon: Daemon,
    ctl: Ctl,
    token: PathBuf,
    id: String,
}

/// An agent's key in a file, and a profile of it that was added in the home.
fn harness() -> Harness {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let key = daemon.operator().post("/credentials/agent-pat", json!({"agent_id": id})).expect(201).json();
    let ctl = Ctl::bare();
    let token = PathBuf::from(ctl.file("atlas.token", key["token"].as_str().unwrap()));
    fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
    let harness = Harness { daemon, ctl, token, id };
    harness.at_home(&harness.add("a")).expect(0);
    harness
}

impl Harness {
    fn add<'a>(&'a self, name: &'a str) -> Vec<String> {
        let (url, token) = (url(&self.daemon), self.token.to_str().unwrap().to_owned());
        let words = [
            "profile",
            "add",
            name,
            "--url",
            &url,
            "--token-file",
            &token,
            "--agent-name",
            "atlas",
            "--agent-id",
            &self.id,
        ];
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn at_home<S: AsRef<str>>(&self, args: &[S]) -> Run {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        Run::of(self.ctl.command(&args).current_dir(self.ctl.home()).output().unwrap())
    }

    fn problems(&self) -> Vec<Value> {
        let run = self.at_home(&["profile", "verify", "a", "--json"]).expect(1);
        serde_json::from_str::<Value>(&run.stdout).unwrap()["problems"].as_array().unwrap().clone()
    }

    fn edit(&self, from: &str, to: &str) {
        let file = self.ctl.home().join(".config/taos/profiles/a.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    }

    /// Whether `eval` succeeded in a shell with stale variables, and the variables after it.
    fn eval(&self, args: &str) -> (bool, String) {
        let program = self.ctl.command(&[]).get_program().to_str().unwrap().to_owned();
        let script =
            format!("eval \"$({program} profile env {args})\"; echo \"status $?\"; env | grep -E '^(TAOS|AX)_'");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env_clear().env("HOME", self.ctl.home()).env("PATH", "/usr/bin:/bin");
        for name in ["TAOS_TOKEN", "TAOS_TOKEN_FILE", "TAOS_URL", "TAOS_AGENT_NAME", "TAOS_AGENT_ID", "TAOS_SPACE_ID"] {
            shell.env(name, "stale");
        }
        let out = shell.env("AX_TOKEN", "stale").current_dir(self.ctl.home()).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        (text.contains("status 0\n"), text)
    }
}

#[test]
fn a_profile_is_added_verified_used_listed_and_removed() {
    let harness = harness();
    assert_eq!(harness.at_home(&["profile", "verify", "a"]).expect(0).stdout, "verified: a\n");
    harness.at_home(&["profile", "verify"]).expect_error(2, "login");
    let used = harness.at_home(&["profile", "use", "a"]).expect(0);
    assert_eq!((used.stdout.as_str(), used.stderr.as_str()), ("active: a\n", ""));
    let host = harness.daemon.text("SELECT host_binding FROM credentials WHERE kind = 'agent_pat'", []);
    assert!(!host.is_empty());
    let me: Value = serde_json::from_str(&harness.at_home(&["auth", "whoami", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((&me["source"], &me["resolved_agent"]), (&json!("profile a"), &json!("atlas")));
    assert!(harness.at_home(&["profile", "list"]).expect(0).stdout.contains("atlas"));
    harness.at_home(&["profile", "remove", "a"]).expect(0);
    assert!(harness.token.exists() && harness.at_home(&["profile", "list", "--json"]).expect(0).stdout == "[]\n");
    assert!(harness.at_home(&["auth", "status"]).expect(3).stderr.contains("taosd.sock"), "no profile is left");
    harness.at_home(&harness.add("b")).expect(0);
    harness.at_home(&["profile", "remove", "b", "--delete-token"]).expect(0);
    assert!(!harness.token.exists());
}

#[test]
fn everything_a_profile_is_bound_to_is_verified_and_all_failures_are_told() {
    let harness = harness();
    let elsewhere = harness.ctl.command(&["profile", "verify", "a"]).current_dir("/").output().unwrap();
    assert!(Run::of(elsewhere).expect(1).stdout.contains("another directory"));
    fs::set_permissions(&harness.token, Permissions::from_mode(0o640)).unwrap();
    assert!(harness.problems()[0].as_str().unwrap().contains("mode 0640"));
    fs::set_permissions(&harness.token, Permissions::from_mode(0o600)).unwrap();
    harness.edit("host_binding = \"", "expires_at = \"2020-01-01T00:00:00Z\"\nhost_binding = \"not-");
    fs::write(&harness.token, "axp_a_other").unwrap();
    let problems = json!(harness.problems()).to_string();
    for word in ["another token", "not-", "expired at 2020"] {
        assert!(problems.contains(word), "{problems}");
    }
    assert!(!problems.contains("axp_a_other"));
    fs::remove_file(&harness.token).unwrap();
    assert!(json!(harness.problems()).to_string().contains("is not there"));
}

#[test]
fn an_active_profile_that_no_longer_verifies_is_not_used() {
    let harness = harness();
    harness.at_home(&["profile", "use", "a"]).expect(0);
    let run = Run::of(harness.ctl.command(&["agents", "list"]).current_dir("/").output().unwrap());
    assert!(run.expect_error(2, "login").stderr.contains("another directory"));
    fs::write(&harness.token, "axp_a_other").unwrap();
    harness.at_home(&["agents", "list"]).expect_error(2, "login");
    harness.at_home(&["profile", "use", "a"]).expect_error(2, "login");
    // A token given as a flag needs no profile.
    let flags = ["--url", &url(&harness.daemon), "--token", &harness.daemon.token, "agents", "list"];
    harness.at_home(&flags).expect(0);
}

#[test]
fn a_profile_named_outright_comes_before_everything_and_mixes_with_nothing() {
    let harness = harness();
    let args = ["--profile", "a", "auth", "whoami", "--json"];
    let mut command = harness.ctl.command(&args);
    command.env("TAOS_URL", "http://127.0.0.1:1").env("TAOS_TOKEN", "taos_user_x").current_dir(harness.ctl.home());
    let me: Value = serde_json::from_str(&Run::of(command.output().unwrap()).expect(0).stdout).unwrap();
    assert_eq!((&me["source"], &me["resolved_agent"]), (&json!("profile a"), &json!("atlas")));
    for more in [["--url", "http://127.0.0.1:1"], ["--token-file", "x"]] {
        harness.at_home(&[&args[..], &more[..]].concat()).expect_error(2, "usage");
    }
    harness.at_home(&["--profile", "missing", "agents", "list"]).expect_error(2, "login");
    fs::write(&harness.token, "axp_a_other").unwrap();
    harness.at_home(&args).expect_error(2, "login");
}

#[test]
fn a_shell_gets_the_profile_or_nothing_at_all() {
    let harness = harness();
    let (ok, set) = harness.eval("a");
    assert!(ok && set.contains(&format!("TAOS_URL={}\n", url(&harness.daemon))), "{set}");
    assert!(set.contains("TAOS_AGENT_NAME=atlas\n") && set.contains("TAOS_TOKEN_FILE=/"), "{set}");
    assert_eq!(set.matches("stale").count(), 1, "AX_TOKEN alone is none of ours: {set}");
    let (ok, set) = harness.eval("a --ax");
    assert!(ok && set.contains("AX_BASE_URL=") && !set.contains("AX_TOKEN=stale"), "{set}");
    fs::write(&harness.token, "axp_a_other").unwrap();
    for args in ["a", "missing", "../a"] {
        let (ok, set) = harness.eval(args);
        assert!(!ok && set.matches("stale").count() == 1 && !set.contains("TAOS_"), "{args}: {set}");
    }
    let run = harness.at_home(&["profile", "env", "a"]).expect(1);
    assert!(run.stdout.starts_with("unset TAOS_TOKEN ") && run.stdout.ends_with("; false\n"), "{run:?}");
    assert!(run.stderr.contains("another token"), "{run:?}");
}

#[test]
fn an_expiry_that_is_no_time_is_refused_when_it_is_given() {
    let ctl = Ctl::bare();
    let file = ctl.file("token", "t");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let args = ["profile", "add", "x", "--url", "http://127.0.0.1:1", "--agent-name", "x", "--token-file", &file];
    let run = ctl.run(&[&args[..], &["--expires-at", "tomorrow"]].concat()).expect_error(2, "usage");
    assert!(run.stderr.contains("tomorrow is not a time"), "{run:?}");
    ctl.ok(&[&args[..], &["--expires-at", "2999-01-31T00:00:00Z"]].concat());
}

#[test]
fn a_name_or_value_never_becomes_a_command() {
    let harness = harness();
    for name in ["../x", "a/b", "", "-x", "x y", &"x".repeat(65)] {
        let args = harness.add(name);
        harness.at_home(&args).expect(2);
    }
    harness.edit("agent_name = \"atlas\"", "agent_name = \"'; touch pwned; echo '\"");
    let (ok, _) = harness.eval("a");
    assert!(ok && !harness.ctl.home().join("pwned").exists());
}

#[test]
fn a_daemon_that_is_away_is_a_warning_when_a_profile_is_used() {
    let mut harness = harness();
    harness.daemon.kill();
    let run = harness.at_home(&["profile", "use", "a", "--timeout", "2"]).expect(0);
    assert!(run.stderr.starts_with("warning: "), "{run:?}");
}
