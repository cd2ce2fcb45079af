//! One agent asks for the most expensive read there is on forty connections at once: the others are served meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fill::knowledge;
use crate::support::Daemon;

#[test]
fn forty_connections_of_one_agent_leave_the_others_their_workers() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "4")]);
    daemon.agent("hostile");
    let hostile = daemon.agent_token("hostile", &["knowledge.read"]);
    knowledge(&daemon, 100, 400, |number| format!("some words of {number}"));
    // Every row is looked at, and none fits.
    let begun = Instant::now();
    hostile.get("/api/knowledge/items?category=none");
    let alone = begun.elapsed();
    let (end, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood: Vec<_> = (0..40)
        .map(|_| {
            let (client, end, asked) = (hostile.clone(), Arc::clone(&end), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    client.get("/api/knowledge/items?category=none");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while asked.load(Ordering::Relaxed) < 4 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            daemon.operator().get("/api/users").expect(200);
            begun.elapsed()
        })
        .collect();
    end.store(true, Ordering::Relaxed);
    flood.into_iter().for_each(|one| one.join().expect("an answer"));
    times.sort_unstable();
    println!("the read takes {alone:?} alone; others: median {:?}, worst {:?}", times[25], times[49]);
    // With the workers in the flood's hands each would wait for ten of its reads.
    assert!(times[25] < alone.max(Duration::from_millis(50)) * 3, "{:?} beside {alone:?}", times[25]);
}
