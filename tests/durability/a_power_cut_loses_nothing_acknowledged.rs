//! The power fails during a storm of writes. Unlike after a kill, data that the kernel has not written to the device is
//! lost. The device is a file. A copy of it, made while every thread is stopped, is what a power cut leaves.

use std::fs;
use std::time::{Duration, Instant};

use crate::mounts::Mount;
use crate::storm::{Acknowledged, NO_RATES, Storm};
use crate::support::{Daemon, wait_until};

const CUTS: usize = 8;

/// Stops every thread of the daemon, outside any system call.
fn hold_still(daemon: &Daemon) {
    daemon.signal("STOP");
    let end = Instant::now() + Duration::from_secs(10);
    let tasks = format!("/proc/{}/task", daemon.pid());
    let stands_still = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'));
    while !fs::read_dir(&tasks)
        .expect("its threads")
        .flatten()
        .all(|task| fs::read_to_string(task.path().join("stat")).map_or(true, stands_still))
    {
        assert!(Instant::now() < end, "a thread does not stop");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn every_acknowledged_write_is_on_the_device() {
    let disk = Mount::ext4();
    let data = disk.path().join("d");
    let settings = [NO_RATES, &[("TAOSD_MIN_FREE_BYTES", "0"), ("TAOSD_BACKUP_INTERVAL", "1")]].concat();
    let mut daemon = Daemon::prepared(Some(&data), &[], &settings);
    daemon.spawn();
    let storm = Storm::start(&daemon, 4, 0);
    let mut cuts: Vec<(Acknowledged, Mount)> = Vec::new();
    for nth in 0..CUTS {
        std::thread::sleep(Duration::from_millis(120 + 40 * nth as u64));
        wait_until("one agent more for each cut", || storm.created() > nth + 1);
        // Read before the power cut: all of this was acknowledged before it.
        let acknowledged = storm.so_far();
        hold_still(&daemon);
        cuts.push((acknowledged, disk.after_a_power_cut()));
        daemon.signal("CONT");
    }
    storm.end();
    daemon.kill();
    let last = &cuts.last().expect("a cut").0;
    assert!(last.agents.len() > CUTS, "only {} agents were made: this was no storm", last.agents.len());
    for (acknowledged, cut) in &cuts {
        let data = cut.path().join("d");
        let mut found = Daemon::prepared(Some(&data), &[], &settings);
        found.check();
        found.spawn();
        acknowledged.hold_at_least(&found);
        found.operator().get("/readyz").expect(200);
        assert_eq!(found.stop(), Some(0), "{}", found.log_text());
        found.check();
    }
}
