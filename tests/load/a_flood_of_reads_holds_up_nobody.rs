//! One agent sends the most expensive read on forty connections at once. Other clients are served meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::fill::knowledge;
use crate::support::Daemon;

#[test]
fn forty_connections_of_one_agent_leave_the_others_their_workers() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "4")]);
    daemon.agent("hostile");
    let hostile = daemon.agent_token("hostile", &["knowledge.read"]);
    knowledge(&daemon, 100, 400, |number| format!("some words of {number}"));
    // Every item matches, and its rank must be computed.
    hostile.get("/api/knowledge/search?q=some+words+of");
    let (end, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flood: Vec<_> = (0..40)
        .map(|_| {
            let (client, end, asked) = (hostile.clone(), Arc::clone(&end), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    client.get("/api/knowledge/search?q=some+words+of");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while asked.load(Ordering::Relaxed) < 4 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The wait of others is counted in reads of the flood that end meanwhile, so the result does not depend on the
    // machine's speed.
    let mut overtaken: Vec<u64> = (0..100)
        .map(|_| {
            let before = asked.load(Ordering::Relaxed);
            daemon.operator().get("/api/users").expect(200);
            asked.load(Ordering::Relaxed) - before
        })
        .collect();
    end.store(true, Ordering::Relaxed);
    flood.into_iter().for_each(|one| one.join().expect("an answer"));
    overtaken.sort_unstable();
    println!("reads that ended meanwhile: median {}, p99 {}, worst {}", overtaken[50], overtaken[98], overtaken[99]);
    // If the flood had all workers, each request of others would wait behind the 40 reads before it.
    assert!(overtaken[98] <= 12, "{overtaken:?}");
}
