//! `doctor` on boxes that are really broken, each in another way. It finds what is wrong, and its fix holds a command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::false_clock::FalseClock;
use crate::mounts::Mount;
use crate::run::{Ctl, Run};
use crate::support::{Daemon, TempDir};

/// The row of `check` in doctor's output. Fails unless it has this state and its fix holds `command`.
#[track_caller]
fn expect(told: &Run, check: &str, state: &str, command: &str) -> Value {
    let rows: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    let row = rows.as_array().unwrap().iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("{rows}"));
    assert_eq!(row["state"], state, "{row}");
    assert!(row["fix"].as_str().unwrap().contains(command), "{command} is not in {row}");
    assert_eq!(told.code, i32::from(rows.to_string().contains(r#""state":"failed""#)), "{told:?}");
    row.clone()
}

fn doctor(ctl: &Ctl) -> Run {
    ctl.run(&["doctor", "--json"])
}

#[test]
fn a_daemon_that_was_killed() {
    let mut daemon = Daemon::start();
    let ctl = Ctl::bare().env("TAOS_URL", &format!("unix:{}", daemon.socket().display()));
    doctor(&ctl).expect(0);
    daemon.kill();
    assert!(daemon.socket().exists(), "nobody removed the socket");
    expect(&doctor(&ctl), "socket", "failed", "sudo systemctl start taosd");
}

#[test]
fn a_token_that_was_revoked() {
    let daemon = Daemon::start();
    let operator = Ctl::operator(&daemon);
    operator.ok(&["users", "create", "ann"]);
    let token = operator.ok(&["tokens", "issue", "user:ann", "--label", "laptop"]);
    let ann = Ctl::with_token(&daemon, token.trim());
    doctor(&ann).expect(0);
    operator.ok(&["tokens", "revoke", "laptop", "--user", "ann", "--yes"]);
    let row = expect(&doctor(&ann), "login", "failed", &format!("taosctl login --url http://{}", daemon.address));
    assert!(row["fix"].as_str().unwrap().contains("unset"), "the environment comes before a login: {row}");
}

#[test]
fn a_configuration_that_others_can_read() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let dir = ctl.home().join(".config/taos");
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    // A login refuses to save anything there.
    ctl.run(&["login", "--url", &crate::run::url(&daemon), "--token", &daemon.token]).expect_error(2, "login");
    expect(&doctor(&ctl), "config", "failed", &format!("chmod 700 {}", dir.display()));
}

#[test]
fn programs_of_two_versions() {
    let daemon = Daemon::start();
    let dir = TempDir::new();
    let older = copy_of_taosctl(dir.path(), |bytes| {
        let (ours, theirs) = (env!("CARGO_PKG_VERSION").as_bytes(), b"0.0.7".as_slice());
        assert_eq!(ours.len(), theirs.len(), "a version of the same length");
        let places: Vec<usize> =
            bytes.windows(ours.len()).enumerate().filter(|(_, w)| *w == ours).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + theirs.len()].copy_from_slice(theirs);
        }
    });
    let ctl = Ctl::operator(&daemon);
    let mut command = Command::new(older);
    let (arguments, inner) = (["doctor", "--json"], ctl.command(&[]));
    command.args(arguments).env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let row = expect(&Run::of(command.output().unwrap()), "version", "warning", "sudo systemctl restart taosd");
    assert!(row["detail"].as_str().unwrap().starts_with("taosctl is 0.0.7, taosd is "), "{row}");
}

#[test]
fn a_box_without_a_container_runtime() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    expect(&doctor(&Ctl::operator(&daemon)), "runtime", "warning", "sudo apt install incus");
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_clock_that_is_wrong() {
    let daemon = Daemon::start();
    let clock = FalseClock::find();
    let mut ctl = Ctl::operator(&daemon);
    for (name, value) in clock.env() {
        ctl = ctl.env(name, &value);
    }
    doctor(&ctl).expect(0);
    for (offset, told) in [("+2h", "2 h"), ("-3d", "3 d")] {
        clock.jump(offset);
        let row = expect(&doctor(&ctl), "clock", "failed", "sudo timedatectl set-ntp true");
        assert!(row["detail"].as_str().unwrap().contains(told), "{row}");
    }
    clock.jump("+0");
    doctor(&ctl).expect(0);
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_disk_that_is_full() {
    let disk = Mount::tmpfs(8 * 1024);
    let settings = [("TAOSD_MIN_FREE_BYTES", "65536")];
    let mut daemon = Daemon::prepared(Some(&disk.path().join("d")), &[], &settings);
    daemon.spawn();
    let ctl = Ctl::operator(&daemon);
    doctor(&ctl).expect(0);
    disk.fill();
    expect(&doctor(&ctl), "disk", "failed", "df -h");
    disk.make_room();
    doctor(&ctl).expect(0);
}

#[test]
#[ignore = "needs root: it becomes another user"]
fn somebody_who_is_not_in_the_group() {
    let daemon = Daemon::start();
    let dir = TempDir::new();
    for place in [dir.path(), daemon.data.as_path(), daemon.socket().parent().unwrap()] {
        // The folders may be passed, so only the mode of the socket refuses.
        fs::set_permissions(place, PermissionsExt::from_mode(0o711)).unwrap();
    }
    let taosctl = copy_of_taosctl(dir.path(), |_| ());
    let run = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&taosctl);
        command.args(["--url", &format!("unix:{}", daemon.socket().display())]).args(words);
        Run::of(command.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap())
    };
    let other = run(&["agents", "ls"]).expect_error(3, "unreachable").stderr;
    assert!(other.contains("fix: Join its group: sudo usermod -aG taosd"), "every command says it: {other}");
    let told = run(&["doctor", "--json"]);
    let row = expect(&told, "socket", "failed", "sudo usermod -aG taosd \"$USER\"");
    assert!(row["detail"].as_str().unwrap().starts_with("You may not use "), "{row}");
}

/// A copy of `taosctl` that every user may run, with its bytes changed by `change`.
fn copy_of_taosctl(dir: &Path, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_taosctl")).unwrap();
    change(&mut bytes);
    let (written, path) = (dir.join("written"), dir.join("taosctl"));
    fs::write(&written, bytes).unwrap();
    fs::set_permissions(&written, PermissionsExt::from_mode(0o755)).unwrap();
    // Another process writes the program: one that a child of another thread holds open for writing cannot be run.
    assert!(Command::new("cp").args(["-p"]).args([&written, &path]).status().unwrap().success());
    path
}
