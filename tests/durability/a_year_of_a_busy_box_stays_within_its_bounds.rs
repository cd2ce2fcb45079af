//! A year of a busy box, in which a day lasts a second. Agents, tokens, keys, users, requests, messages, tasks, files,
//! backups and the daemon itself come and go. Temporary rows do not accumulate, acknowledged lasting data stays, and
//! dead credentials stay dead.

use crate::year::{Plan, Year};

const HEAD: &str = "| Day | Database MiB | WAL MiB | Backups MiB | Files | Descriptors | RSS MiB | Audit rows | Rows |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |";

/// Stops, starts and kills the daemon, and checks everything each time. Then restores a backup, which must revive
/// nothing.
fn ends_well(mut year: Year) {
    assert_eq!(year.daemon.stop(), Some(0), "{}", year.daemon.log_text());
    assert!(!year.daemon.data.join("taosd.db-wal").exists(), "a stop leaves one file");
    year.daemon.spawn();
    year.hold();
    year.daemon.kill();
    year.daemon.spawn();
    year.hold();
    let newest = year.daemon.on_socket().get("/api/backups").expect(200).json()[0]["file"].clone();
    let file = year.daemon.data.join("backup").join(newest.as_str().expect("a backup"));
    assert_eq!(year.daemon.stop(), Some(0));
    year.daemon.offline("restore", &[&file]);
    year.daemon.spawn();
    year.dead_stay_dead();
    let log = year.daemon.log_text();
    for wrong in ["panicked", "could not be deleted", "could not be removed", "could not be written"] {
        assert!(!log.contains(wrong), "{wrong}");
    }
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn five_weeks_of_it() {
    println!("{HEAD}");
    let plan = Plan { days: 35, kept_days: 7, marks: vec![15, 32, 35], nights: vec![5, 20], kills: vec![10, 25] };
    let mut year = Year::begin(plan);
    year.live();
    year.has_not_grown(32, 35);
    ends_well(year);
}

/// After half a year the daemon is not restarted, so that a leak of memory would show.
#[test]
#[ignore = "takes a quarter of an hour, and libfaketime"]
fn a_year_and_a_month_of_it() {
    println!("{HEAD}");
    let months = |which: std::ops::RangeInclusive<u64>| which.map(|month| month * 30).collect::<Vec<_>>();
    let nights = months(1..=6).iter().map(|day| day - 15).collect();
    let plan = Plan { days: 390, kept_days: 90, marks: months(1..=13), nights, kills: vec![50, 110, 185] };
    let mut year = Year::begin(plan);
    year.live();
    year.has_not_grown(6 * 30, 12 * 30);
    year.holds_no_more_memory(7 * 30, 13 * 30);
    ends_well(year);
}
