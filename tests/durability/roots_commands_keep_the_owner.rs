//! Root runs commands on the data directory of a daemon that another user runs. All files that the commands leave there
//! must belong to that user.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use crate::support::Daemon;

/// The user `games`, which every Debian has.
const OTHER: u32 = 5;

fn all_are_others(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let (path, meta) = {
            let entry = entry.unwrap();
            (entry.path(), entry.metadata().unwrap())
        };
        assert_eq!(meta.uid(), OTHER, "{}", path.display());
        if meta.is_dir() {
            all_are_others(&path);
        }
    }
}

fn give_all(dir: &Path) {
    chown(dir, Some(OTHER), Some(60)).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { give_all(&path) } else { chown(&path, Some(OTHER), Some(60)).unwrap() }
    }
}

#[test]
#[ignore = "needs root: it gives files away"]
fn every_file_that_a_command_makes_belongs_to_the_directorys_owner() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let (data, inside) = (daemon.data.to_str().unwrap().to_owned(), daemon.data.join("asked.db"));
    let copy = daemon.data.join("backup/mine.db");
    give_all(&daemon.data);
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_taosd")).args(args).args(["--data-dir", &data]).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        all_are_others(&daemon.data);
    };
    run(&["operator-token", "--rotate"]);
    run(&["check"]);
    run(&["backup", inside.to_str().unwrap()]);
    run(&["backup", copy.to_str().unwrap()]);
    run(&["compact"]);
    run(&["restore", inside.to_str().unwrap()]);
    // The same after a crash that left a WAL, and without a backup directory.
    fs::remove_dir_all(daemon.data.join("backup")).unwrap();
    daemon.spawn();
    daemon.kill();
    give_all(&daemon.data);
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_taosd")).args(args).args(["--data-dir", &data]).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        all_are_others(&daemon.data);
    };
    run(&["check"]);
    run(&["compact"]);
    run(&["operator-token", "--rotate"]);
}
