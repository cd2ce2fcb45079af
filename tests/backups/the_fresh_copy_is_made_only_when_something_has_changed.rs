//! The daemon writes `backup/taosd.db` at intervals and at the stop, but only if something has changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use rusqlite::Connection;

use crate::backups::run::{fresh, good, wait_until};
use crate::support::Daemon;

const EVERY_SECOND: &[(&str, &str)] = &[("TAOSD_BACKUP_INTERVAL", "1")];

/// The inode of the copy. It changes with every copy, because each is a new file.
fn inode(daemon: &Daemon) -> u64 {
    fs::metadata(fresh(daemon)).expect("the copy").ino()
}

fn knows(daemon: &Daemon, slug: &str) -> bool {
    let conn = Connection::open(fresh(daemon)).expect("the copy");
    conn.query_row("SELECT count(*) FROM agents WHERE slug = ?1", [slug], |row| row.get::<_, i64>(0)).expect("a row")
        == 1
}

#[test]
fn a_change_is_in_the_copy_a_moment_later_and_without_one_the_file_is_not_touched() {
    let daemon = Daemon::with(&[], EVERY_SECOND);
    daemon.agent("atlas");
    wait_until("atlas in the copy", || fresh(&daemon).exists() && knows(&daemon, "atlas"));
    assert_eq!(fs::metadata(fresh(&daemon)).expect("the copy").permissions().mode() & 0o777, 0o600);
    let copied = inode(&daemon);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(inode(&daemon), copied, "two intervals without a change");
    daemon.agent("bert");
    wait_until("bert in the copy", || knows(&daemon, "bert"));
    assert_ne!(inode(&daemon), copied);
}

#[test]
fn a_stop_leaves_the_last_state_in_it_and_an_idle_restart_leaves_it_alone() {
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    assert_eq!(daemon.stop(), Some(0));
    assert!(knows(&daemon, "atlas"));
    good(&daemon, "check", &[&fresh(&daemon)]);
    let copied = inode(&daemon);
    daemon.spawn();
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(inode(&daemon), copied, "nothing had changed");
}

#[test]
fn after_a_kill_the_next_start_brings_it_up_to_date() {
    let mut daemon = Daemon::with(&[], &[]);
    assert_eq!(daemon.stop(), Some(0));
    daemon.spawn();
    daemon.agent("atlas");
    daemon.kill();
    assert!(!knows(&daemon, "atlas"));
    let mut again = Daemon::prepared(Some(&daemon.data), &[], EVERY_SECOND);
    again.spawn();
    wait_until("atlas in the copy", || knows(&again, "atlas"));
}

#[test]
fn switched_off_there_is_none() {
    let mut daemon = Daemon::with(&[], &[("TAOSD_BACKUP_INTERVAL", "0")]);
    daemon.agent("atlas");
    assert_eq!(daemon.stop(), Some(0));
    assert!(!daemon.data.join("backup").exists());
}
