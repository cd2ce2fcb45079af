//! Many lists of the longest rows at once take little memory of the daemon.

use std::sync::Arc;

use crate::fill::{deployments, long_metadata};
use crate::support::Daemon;

/// The most memory that the daemon may use, in KiB.
const MOST: u64 = 96 * 1024;

/// Returns the daemon's peak memory so far, in KiB.
pub fn peak(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn twenty_lists_of_five_hundred_long_deployments() {
    let daemon = Daemon::start();
    let agent = daemon.agent("one");
    deployments(&daemon, &agent, 500, &long_metadata());
    let path: Arc<str> = format!("/agents/{agent}/deployments?limit=500").into();
    let askers: Vec<_> = (0..20)
        .map(|_| {
            let (client, path) = (daemon.operator(), Arc::clone(&path));
            std::thread::spawn(move || (0..5).for_each(|_| drop(client.get(&path).expect(200))))
        })
        .collect();
    for asker in askers {
        asker.join().expect("answers");
    }
    let peak = peak(&daemon);
    println!("at most {peak} KiB");
    assert!(peak < MOST, "{peak} KiB");
}
