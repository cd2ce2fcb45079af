//! The disk fails at the first write, at the second, and so on, until a whole series of requests succeeds. Acknowledged
//! writes hold, failed writes were not acknowledged, and the daemon continues when the disk works again.
//! `TAOSD_TEST_FAULT_STEP=1` tries every write; by default the test tries one in 23.

use std::time::{Duration, Instant};

use crate::faulty_disk::{Fault, FaultyDisk};
use crate::stories::{Cast, Known, STORIES, Teller};
use crate::storm::NO_RATES;
use crate::support::{Daemon, Dice, SOON};

/// The distance between the writes that fail.
const STEP: u32 = 23;
/// More writes than a series of stories makes.
const MOST: u32 = 5000;
/// A user may have 1,000 agents, and each round makes two. So a new box starts after these rounds.
const ROUNDS_PER_BOX: usize = 300;
/// The stories that run while the disk fails. The others write the same tables, or take too long for a test.
const TOLD: &[&str] = &["agents and tokens", "keys", "grants", "requests", "context", "tasks", "uploads"];

fn new_box() -> (FaultyDisk, Daemon, Cast) {
    let disk = FaultyDisk::new();
    let daemon = disk.daemon(NO_RATES);
    let cast = Cast::make(&daemon);
    (disk, daemon, cast)
}

fn fails(fault: Fault, step: u32) -> (u32, u32) {
    let (mut disk, mut daemon, mut cast) = new_box();
    let (mut failures, mut unanswered) = (0, 0);
    for (round, nth) in (1..MOST).step_by(step as usize).enumerate() {
        if round > 0 && round.is_multiple_of(ROUNDS_PER_BOX) {
            (disk, daemon, cast) = new_box();
        }
        let known = Known::default();
        disk.fail(fault, nth);
        for (place, (_, story)) in STORIES.iter().enumerate().filter(|(_, (what, _))| TOLD.contains(what)) {
            let name = format!("f{nth}s{place}");
            unanswered +=
                u32::from(story(&Teller { cast: &cast, address: &daemon.address, known: &known, name }).is_none());
            // The daemon has credentials in memory, so a failing disk refuses nobody.
            daemon.operator().get("/api/auth/whoami").expect(200);
        }
        let failed = disk.mend();
        failures += u32::from(failed);
        // The same daemon continues: its acknowledged writes hold, and it can write again.
        let facts = known.take();
        let broken = |daemon: &_| facts.values().flatten().find_map(|fact| fact.broken(daemon));
        assert_eq!(broken(&daemon), None, "{fault:?}, write {nth}");
        daemon.agent(&format!("after{nth}"));
        if nth % (step * 8) == 1 || !failed {
            daemon.kill();
            daemon.check();
            daemon.spawn();
            assert_eq!(broken(&daemon), None, "{fault:?}, write {nth}, after a kill");
        }
        if !failed {
            return (failures, unanswered);
        }
    }
    panic!("{fault:?}: the stories never got through");
}

fn step() -> u32 {
    Dice::told("TAOSD_TEST_FAULT_STEP").map_or(STEP, |step| u32::try_from(step).expect("a small number"))
}

fn each_is_survived(fault: Fault) {
    let (failures, unanswered) = fails(fault, step());
    println!("{fault:?}: {failures} failures of the disk, {unanswered} stories ended by one");
    assert!(failures > 5, "{failures}: the disk hardly failed");
}

#[test]
fn an_error() {
    each_is_survived(Fault::Broken);
}

#[test]
fn no_room() {
    each_is_survived(Fault::Full);
}

#[test]
fn half_a_write() {
    each_is_survived(Fault::Short);
}

#[test]
fn a_disk_that_stays_dead_until_it_is_mended() {
    each_is_survived(Fault::Dead);
}

#[test]
fn five_seconds_without_an_answer() {
    let mut disk = FaultyDisk::new();
    let daemon = disk.daemon(NO_RATES);
    let operator = daemon.operator();
    disk.fail(Fault::Slow, 3);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| daemon.agent("patient"));
        while !slow.is_finished() {
            operator.get("/api/auth/whoami").expect(200);
            operator.get("/api/agents").expect(200);
        }
    });
    assert!(disk.mend(), "the disk was never slow");
    operator.get("/api/agents/patient").expect(200);
}

#[test]
#[ignore = "takes a minute: an SD card that hangs"]
fn a_minute_without_an_answer() {
    let mut disk = FaultyDisk::new();
    // All clients are one peer.
    let settings = [("TAOSD_WORKERS", "4"), ("TAOSD_MAX_CONNECTIONS_PER_PEER", "1000")];
    let daemon = disk.daemon(&[NO_RATES, &settings].concat());
    let (cast, known) = (Cast::make(&daemon), Known::default());
    let reader = daemon.agent_token("shared", &["*"]);
    disk.fail(Fault::Stuck, 3);
    std::thread::scope(|scope| {
        // Every kind of write waits for the disk, many more than there are workers. Only one story uses grants, because
        // all of them are on one agent.
        let writers = (0..STORIES.len() * 3).filter(|n| *n < STORIES.len() || STORIES[n % STORIES.len()].0 != "grants");
        let writers: Vec<_> = writers
            .map(|n| {
                let teller = Teller { cast: &cast, address: &daemon.address, known: &known, name: format!("w{n}") };
                let (about, story) = STORIES[n % STORIES.len()];
                (about, scope.spawn(move || story(&teller)))
            })
            .collect();
        while !disk.has_failed() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (stalled, mut told) = (Instant::now(), false);
        while stalled.elapsed() < Duration::from_secs(45) {
            for path in
                ["/api/auth/whoami", "/api/agents", "/api/notifications", "/api/knowledge/search?q=x", "/readyz"]
            {
                let asked = Instant::now();
                let reply = reader.get(path);
                assert!(asked.elapsed() < SOON, "{path} waited for the disk");
                let is_stalled = reply.status == 503 && reply.text().contains("has not answered a write for");
                assert!(reply.status == 200 || path == "/readyz" && is_stalled, "{path}: {}", reply.text());
                told |= is_stalled;
            }
        }
        assert!(told, "/readyz never said that the disk does not answer");
        assert!(writers.iter().any(|(_, writer)| !writer.is_finished()), "nobody waited for the disk");
        for (about, writer) in writers {
            let is_told = writer.join().expect("a story").is_some();
            let log = if is_told { String::new() } else { daemon.log_text() };
            let refused: Vec<&str> =
                log.lines().filter(|line| line.contains(" 503 ") || line.contains(" 500 ")).collect();
            assert!(is_told, "{about}: a write was refused: {refused:#?}");
        }
    });
    assert!(disk.mend());
    assert_eq!(daemon.operator().get("/readyz").status, 200);
    assert_eq!(known.take().values().flatten().find_map(|fact| fact.broken(&daemon)), None);
}
