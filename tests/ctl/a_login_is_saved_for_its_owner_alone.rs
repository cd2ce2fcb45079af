//! `taosctl login`: what it saves, how, and which saved logins are not trusted.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use serde_json::Value;

use crate::run::{Ctl, field, url};
use crate::support::Daemon;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn login(ctl: &Ctl, daemon: &Daemon) -> crate::run::Run {
    ctl.run_with_stdin(&["login", "--url", &url(daemon), "--token-file", "-"], &format!("{}\n", daemon.token))
}

#[test]
fn a_login_is_checked_saved_with_narrow_modes_used_and_forgotten() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    assert_eq!(login(&ctl, &daemon).expect(0).stdout, format!("logged in: user:operator at {}\n", url(&daemon)));
    assert_eq!(mode(&ctl.credentials()), 0o600);
    assert_eq!(mode(ctl.credentials().parent().unwrap()), 0o700);
    let saved: Value = serde_json::from_slice(&fs::read(ctl.credentials()).unwrap()).unwrap();
    assert_eq!(
        (saved["url"].as_str(), saved["principal"].as_str()),
        (Some(url(&daemon).as_str()), Some("user:operator"))
    );
    assert!(saved.as_object().unwrap().values().all(Value::is_string));
    assert_eq!(field(&ctl.ok(&["auth", "status"]), "login"), "saved login");
    ctl.ok(&["agents", "list"]);
    assert_eq!(ctl.ok(&["auth", "logout"]), "logged out\n");
    assert!(!ctl.credentials().exists());
    assert_eq!(ctl.ok(&["auth", "logout"]), "not logged in\n");
}

#[test]
fn a_token_that_is_refused_is_not_saved_and_the_login_before_stays() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    login(&ctl, &daemon).expect(0);
    let before = fs::read(ctl.credentials()).unwrap();
    let args = ["auth", "login", "--url", &url(&daemon)];
    ctl.run_with_stdin(&args, "taos_user_wrong").expect_error(2, "invalid_token");
    ctl.run_with_stdin(&args, "").expect_error(2, "usage");
    ctl.run_with_stdin(&args, &"x".repeat(100_000)).expect(2);
    ctl.run_with_stdin(&["login", "--url", "http://127.0.0.1:1"], "t").expect_error(3, "unreachable");
    assert_eq!(fs::read(ctl.credentials()).unwrap(), before);
    assert_eq!(fs::read_dir(ctl.credentials().parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_login_that_something_else_comes_before_says_so_and_every_401_names_its_login() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let run = login(&ctl, &daemon).expect(0);
    assert_eq!(run.stderr, "", "nothing comes before it");
    let ctl = ctl.env("TAOS_TOKEN", "taos_user_stale");
    let run = login(&ctl, &daemon).expect(0);
    assert!(run.stderr.contains("TAOS_TOKEN or TAOS_TOKEN_FILE is set and comes before this login"), "{run:?}");
    let ctl = ctl.env("TAOS_URL", &url(&daemon));
    let run = ctl.run(&["agents", "list"]).expect_error(2, "invalid_token");
    assert_eq!(field_of(&run.stderr, "login"), "TAOS_TOKEN or TAOS_TOKEN_FILE of the environment");
    let told: Value = serde_json::from_str(&ctl.run(&["agents", "list", "--json"]).expect(2).stderr).unwrap();
    assert_eq!(told["login"], "TAOS_TOKEN or TAOS_TOKEN_FILE of the environment");
    for (token, login) in [(Some("taos_user_x"), "flags"), (None, "none")] {
        let mut args = vec!["--url", "URL", "agents", "list"];
        let here = url(&daemon);
        args[1] = &here;
        args.extend(token.iter().flat_map(|token| ["--token", token]));
        assert_eq!(field_of(&Ctl::bare().run(&args).expect(2).stderr, "login"), login);
    }
}

fn field_of<'a>(stderr: &'a str, name: &str) -> &'a str {
    let found = stderr.lines().find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")));
    found.unwrap_or_else(|| panic!("no {name} in {stderr}"))
}

#[test]
fn a_file_that_others_could_have_read_is_not_used_until_the_next_login_narrows_it() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    login(&ctl, &daemon).expect(0);
    for wide in [0o640, 0o604, 0o620, 0o666] {
        fs::set_permissions(ctl.credentials(), Permissions::from_mode(wide)).unwrap();
        let run = ctl.run(&["whoami"]).expect_error(2, "login");
        assert!(run.stderr.contains("chmod 600"), "{run:?}");
    }
    login(&ctl, &daemon).expect(0);
    assert_eq!(mode(&ctl.credentials()), 0o600);
    ctl.ok(&["whoami"]);
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    login(&ctl, &daemon).expect(0);
    let dir = ctl.credentials().parent().unwrap().to_owned();
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    ctl.run(&["whoami"]).expect_error(2, "login");
    login(&ctl, &daemon).expect_error(2, "login");
}

#[test]
fn a_symbolic_link_is_neither_read_nor_written_through() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    login(&ctl, &daemon).expect(0);
    let elsewhere = ctl.home().join("elsewhere");
    fs::rename(ctl.credentials(), &elsewhere).unwrap();
    symlink(&elsewhere, ctl.credentials()).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    ctl.run(&["whoami"]).expect_error(2, "login");
    login(&ctl, &daemon).expect_error(2, "login");
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
    ctl.ok(&["auth", "logout"]);
    assert!(elsewhere.exists() && fs::symlink_metadata(ctl.credentials()).is_err());
}

#[test]
fn another_users_file_is_not_used() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    login(&ctl, &daemon).expect(0);
    // Only root can change a file's owner. For other users there is nothing to test.
    if chown(ctl.credentials(), Some(12345), None).is_ok() {
        ctl.run(&["whoami"]).expect_error(2, "login");
    }
}

#[test]
fn a_damaged_login_is_an_error_and_nothing_else_is_used_in_its_place() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare().env("TAOS_URL", &url(&daemon));
    login(&ctl, &daemon).expect(0);
    for text in ["", "{", "null", "[1]", "{\"url\":1}", "{\"url\":\"http://a:1\",\"token\":7}", "\u{0}\u{ff}"] {
        fs::write(ctl.credentials(), text).unwrap();
        let run = ctl.run(&["whoami"]).expect_error(2, "login");
        assert!(run.stderr.contains("is damaged") && run.stderr.contains("taosctl login"), "{run:?}");
    }
    fs::write(ctl.credentials(), vec![b' '; 1 << 20]).unwrap();
    ctl.run(&["whoami"]).expect_error(2, "login");
    // The socket of the operator's own daemon would have been the next place.
    let socket = daemon.data.join("taosd.sock");
    let local = ctl.command(&["whoami"]).env_remove("TAOS_URL").env("TAOSD_SOCKET", &socket).output().unwrap();
    crate::run::Run::of(local).expect_error(2, "login");
    // Login and logout work with a damaged file.
    login(&ctl, &daemon).expect(0);
    ctl.ok(&["whoami"]);
    fs::write(ctl.credentials(), "{").unwrap();
    assert_eq!(ctl.ok(&["auth", "logout"]), "logged out\n");
    login(&ctl, &daemon).expect(0);
    fs::remove_file(ctl.credentials()).unwrap();
    fs::create_dir(ctl.credentials()).unwrap();
    ctl.run(&["whoami"]).expect_error(2, "login");
}

#[test]
fn the_directory_may_be_named() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let dir = ctl.home().join("x/y");
    let ctl = ctl.env("TAOS_CONFIG_DIR", dir.to_str().unwrap());
    login(&ctl, &daemon).expect(0);
    assert!(dir.join("credentials").exists() && !ctl.credentials().exists());
    let no_home =
        ctl.command(&["login", "--url", &url(&daemon)]).env_remove("HOME").env_remove("TAOS_CONFIG_DIR").output();
    crate::run::Run::of(no_home.unwrap()).expect_error(2, "login");
}

#[test]
fn parallel_logins_leave_one_whole_file_and_readers_never_see_half_of_one() {
    let daemon = Daemon::start();
    let ctl = Ctl::bare();
    let operator = Ctl::operator(&daemon);
    let tokens: Vec<String> =
        (0..4).map(|_| operator.ok(&["users", "token", "issue", "operator"]).trim().to_owned()).collect();
    login(&ctl, &daemon).expect(0);
    std::thread::scope(|scope| {
        for token in &tokens {
            scope.spawn(|| {
                for _ in 0..5 {
                    ctl.run_with_stdin(&["login", "--url", &url(&daemon)], token).expect(0);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                let text = fs::read(ctl.credentials()).expect("there is always a file");
                serde_json::from_slice::<Value>(&text).expect("whole");
            }
        });
    });
    let saved: Value = serde_json::from_slice(&fs::read(ctl.credentials()).unwrap()).unwrap();
    assert!(tokens.iter().any(|token| saved["token"] == *token.as_str()));
    assert_eq!(mode(&ctl.credentials()), 0o600);
    assert_eq!(fs::read_dir(ctl.credentials().parent().unwrap()).unwrap().count(), 1);
}
