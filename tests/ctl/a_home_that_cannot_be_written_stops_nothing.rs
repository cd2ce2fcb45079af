//! The cache of short-lived tokens is a convenience. If it cannot be written, commands work and warn at most once.

use std::fs;

use crate::keys_are_exchanged_silently::user_key;
use crate::run::{Ctl, Run};
use crate::support::{Daemon, TempDir};

#[test]
fn a_command_with_a_key_works_without_a_place_for_its_cache() {
    let daemon = Daemon::start();
    let (key, _) = user_key(&daemon);
    let ctl = Ctl::with_token(&daemon, &key);
    let file = TempDir::new();
    let blocked = file.path().join("file");
    fs::write(&blocked, "").unwrap();
    // A home that cannot be made (as a system account's), one that is a file, one in a file system that takes no files.
    for home in ["/proc/nonexistent", blocked.to_str().unwrap(), "/proc"] {
        let run = Run::of(ctl.command(&["whoami"]).env("HOME", home).output().unwrap()).expect(0);
        assert!(run.stdout.contains("operator"), "{home}: {run:?}");
        let warnings = run.stderr.lines().filter(|line| line.starts_with("warning: ")).count();
        assert!(warnings <= 1 && run.stderr.lines().count() == warnings, "{home}: {run:?}");
    }
    // A login must be saved, so it fails if it cannot be.
    let run = Run::of(ctl.command(&["login", "--token", &key]).env("HOME", "/proc").output().unwrap()).expect(2);
    assert!(run.stderr.contains("/proc"), "{run:?}");
}

#[test]
fn variables_that_hold_paths_hold_whole_ones() {
    let daemon = Daemon::start();
    for (variable, path) in [
        ("TAOS_CONFIG_DIR", "~/taos"),
        ("TAOS_CONFIG_DIR", "taos"),
        ("TAOS_TOKEN_FILE", "~/token"),
        ("TAOS_TOKEN_FILE", "$HOME/token"),
        ("TAOS_URL", "unix:~/taosd.sock"),
        ("TAOS_URL", "unix:taosd.sock"),
    ] {
        let ctl = Ctl::bare().env("TAOS_URL", &crate::run::url(&daemon)).env(variable, path);
        let run = ctl.run(&["whoami"]).expect(2);
        assert!(run.stderr.contains(variable) || run.stderr.contains("path"), "{variable}={path}: {run:?}");
        assert!(fs::read_dir(ctl.home()).unwrap().next().is_none(), "nothing was made");
    }
}
