//! The process is killed during its writes, again and again. What a killed process has written to the kernel is not
//! lost. Each commit is also synced before its reply (`synchronous=FULL`), which a test beside the writer checks.

use std::time::Duration;

use rusqlite::Connection;

use crate::storm::{NO_RATES, Storm};
use crate::support::{Daemon, wait_until};

const KILLS: usize = 50;
/// The least number of acknowledged writes per round, on average. On a slow disk the rounds last longer to reach it.
const WRITES: usize = 6;

#[test]
fn every_acknowledged_write_is_there_after_each_of_fifty_kills() {
    let mut daemon = Daemon::with(&[], NO_RATES);
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let storm = Storm::start(&daemon, 6, round);
        // The kill comes at different times: at the start of a storm, or in the middle of it.
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
