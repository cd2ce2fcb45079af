//! The process is killed in the middle of its writes, again and again. A killed process leaves what it wrote to the
//! kernel; that each commit is also synced before its answer is `synchronous=FULL`, tested beside the writer.

use std::time::Duration;

use rusqlite::Connection;

use crate::storm::{NO_RATES, Storm};
use crate::support::{Daemon, wait_until};

const KILLS: usize = 50;
/// What the rounds before a kill have acknowledged on average, at least: on a slow disk they last longer for it.
const WRITES: usize = 6;

#[test]
fn every_acknowledged_write_is_there_after_each_of_fifty_kills() {
    let mut daemon = Daemon::with(&[], NO_RATES);
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let storm = Storm::start(&daemon, 6, round);
        // From a storm that has hardly begun to one in full swing.
        std::thread::sleep(Duration::from_millis(15 + (round as u64 * 37) % 110));
        wait_until("a storm", || acknowledged + storm.so_far().writes() > (round + 1) * WRITES);
        daemon.kill();
        let seen = storm.end();
        acknowledged += seen.writes();
        assert!(daemon.check().contains("audit chain: "), "round {round}");
        daemon.spawn();
        seen.hold(&daemon);
    }
    assert!(acknowledged > KILLS * WRITES, "only {acknowledged} writes were acknowledged: this was no storm");
    assert_eq!(daemon.stop(), Some(0));
    let conn = Connection::open(daemon.database()).unwrap();
    let structure: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(structure, "ok");
}
