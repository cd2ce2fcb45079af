//! During a storm of writes: a hundred runs of `cp` on the fresh copy, and a hundred of `taosd backup`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use crate::backups::run::{fresh, good, wait_until};
use crate::backups::storm::{NO_RATES, Storm};
use crate::support::{Daemon, TempDir};

const TIMES: usize = 100;

/// Returns the agents in a copy. The reader can neither write nor create files beside the copy.
fn agents(file: &Path) -> BTreeSet<String> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    let mut statement = conn.prepare("SELECT slug FROM agents").expect("agents");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("slugs")
}

#[test]
fn a_hundred_copies_of_the_fresh_file_and_a_hundred_backups_are_whole() {
    let daemon = Daemon::with(&[], &[NO_RATES, &[("TAOSD_BACKUP_INTERVAL", "1")]].concat());
    let dir = TempDir::new();
    wait_until("a first copy", || fresh(&daemon).exists());
    // Two writers are enough to write all the time. More would only make the copies large.
    let storm = Storm::start(&daemon, 2, 0);
    let (copy, backup) = (dir.path().join("copy.db"), dir.path().join("backup.db"));
    let mut different = BTreeSet::new();
    for nth in 0..TIMES {
        // On a slow disk a copy is made faster than an agent is.
        wait_until("one agent more for each copy", || storm.created() > nth + 1);
        let status = Command::new("cp").arg(fresh(&daemon)).arg(&copy).status().expect("cp");
        assert!(status.success());
        good(&daemon, "check", &[&copy]);
        different.insert(agents(&copy).len());

        let acknowledged: BTreeSet<String> = storm.so_far().agents.into_iter().collect();
        good(&daemon, "backup", &[&backup]);
        good(&daemon, "check", &[&backup]);
        let missing: Vec<String> = acknowledged.difference(&agents(&backup)).cloned().collect();
        assert!(missing.is_empty(), "backup {nth} lacks {missing:?}");
    }
    assert!(different.len() > 2, "the copy was kept fresh all the while: {different:?}");
    let seen = storm.end();
    assert!(seen.agents.len() > TIMES, "only {} agents were made: this was no storm", seen.agents.len());
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("the directory").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left beside the copies: {left:?}");
}

#[test]
fn the_last_backup_of_a_storm_restores_to_all_that_was_acknowledged() {
    let mut daemon = Daemon::with(&[], NO_RATES);
    let dir = TempDir::new();
    let backup = dir.path().join("b.db");
    let storm = Storm::start(&daemon, 4, 0);
    wait_until("a storm", || storm.created() > 40);
    let seen = storm.end();
    good(&daemon, "backup", &[&backup]);
    assert_eq!(daemon.stop(), Some(0));
    good(&daemon, "restore", &[&backup]);
    daemon.spawn();
    seen.hold(&daemon);
}
