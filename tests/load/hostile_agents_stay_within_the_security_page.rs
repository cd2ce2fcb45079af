//! One hostile principal of each kind at full speed. The growth of the disk, the daemon's memory and the wait of others
//! stay within the bounds in `docs/security.md`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use taosd::limits::{DAY_HOURS, Limits};

use crate::hostile::{Attack, KINDS, Kind};
use crate::support::Daemon;

const MIB: f64 = 1024.0 * 1024.0;
/// The longest wait of others, in 99 of 100 requests.
const P99: Duration = Duration::from_millis(250);
/// The most memory that the daemon may use, in MiB.
const RSS_MIB: f64 = 96.0;

fn seconds() -> Duration {
    Duration::from_secs(
        std::env::var("TAOSD_TEST_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60),
    )
}

/// Returns the bytes in use in the database.
fn used(daemon: &Daemon) -> f64 {
    let pragma = |name: &str| daemon.number(&format!("PRAGMA {name}"), []) as f64;
    (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
}

fn rss_peak(daemon: &Daemon) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("a running process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the line");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Reads and writes as another owner, in turn and with pauses, until `over` is set. Returns the sorted durations.
fn others(daemon: &Daemon, over: &AtomicBool) -> Vec<Duration> {
    let client = daemon.on_socket();
    let mut took = Vec::new();
    let mut n = 0;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.get("/api/agents").expect(200);
        took.push(begun.elapsed());
        let begun = Instant::now();
        n += 1;
        client.patch("/api/users/operator", serde_json::json!({"display_name": format!("Operator {n}")})).expect(200);
        took.push(begun.elapsed());
        thread::sleep(Duration::from_millis(40));
    }
    took.sort_unstable();
    took
}

/// Runs attacks in parallel. Returns how often each status came, and the waits of others.
fn run(daemon: &Daemon, attacks: &mut [Attack], time: Duration) -> (BTreeMap<u16, u64>, Vec<Duration>) {
    let (over, end) = (AtomicBool::new(false), Instant::now() + time);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| others(daemon, &over));
        let attacking: Vec<_> = attacks
            .iter_mut()
            .map(|attack| {
                scope.spawn(move || {
                    let mut statuses = BTreeMap::new();
                    while Instant::now() < end {
                        *statuses.entry(attack()).or_insert(0) += 1;
                    }
                    statuses
                })
            })
            .collect();
        let mut all = BTreeMap::new();
        for one in attacking {
            for (status, count) in one.join().expect("no panic") {
                *all.entry(status).or_insert(0) += count;
            }
        }
        over.store(true, Ordering::Relaxed);
        (all, waiting.join().expect("no panic"))
    })
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)]
}

#[test]
#[ignore = "takes as many minutes as it is given; run by hand"]
fn disk_memory_and_others_stay_within_the_bounds() {
    let daemon = Daemon::with(&[], &[("RUST_LOG", "warn")]);
    let (rows, bytes) = Limits::default().write_share();
    println!("share: {rows} rows, {bytes} bytes an hour");
    println!("| Kind | Requests | Done | Refused | Grown MiB | Allowed MiB an hour | Peak RSS MiB | Others' p99 ms |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut all: Vec<Attack> = Vec::new();
    let mut wrong = Vec::new();
    let mut told = |name: &str, allowed: f64, before: f64, seen: (BTreeMap<u16, u64>, Vec<Duration>)| {
        let (statuses, waited) = seen;
        // Half of the requests of the others were writes, each with an audit row.
        let by_others = waited.len() as f64 / 2.0 * 512.0;
        let (grown, rss, p99) = ((used(&daemon) - before - by_others) / MIB, rss_peak(&daemon), p99(&waited));
        let total: u64 = statuses.values().sum();
        let done: u64 = statuses.iter().filter(|(status, _)| **status < 300).map(|(_, count)| count).sum();
        println!(
            "| {name} | {total} | {done} | {} | {grown:.2} | {allowed:.0} | {rss:.0} | {:.1} |",
            total - done,
            p99.as_secs_f64() * 1000.0
        );
        for (what, is_wrong) in
            [("grew the disk", grown > allowed), ("took memory", rss > RSS_MIB), ("held up others", p99 > P99)]
        {
            if is_wrong {
                wrong.push(format!("{name} {what}: {statuses:?}"));
            }
        }
    };
    // `TAOSD_TEST_HOSTILE_KINDS=tasks,context` runs only these kinds.
    let only = std::env::var("TAOSD_TEST_HOSTILE_KINDS").ok();
    let is_tried = |kind: &&Kind| only.as_deref().is_none_or(|only| only.split(',').any(|name| name == kind.name));
    for kind in KINDS.iter().filter(is_tried) {
        let mut attack = [(kind.begin)(&daemon)];
        let before = used(&daemon);
        let seen = run(&daemon, &mut attack, seconds());
        told(kind.name, (bytes * kind.shares + kind.over) as f64 / MIB, before, seen);
        all.extend(attack);
    }
    let before = used(&daemon);
    let seen = run(&daemon, &mut all, seconds());
    let allowed = KINDS.iter().filter(is_tried).map(|kind| bytes * kind.shares + kind.over).sum::<u64>() as f64 / MIB;
    told("all at once", allowed, before, seen);
    println!("a day is {DAY_HOURS} hours' worth; the chain: {}", daemon.check().trim());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
