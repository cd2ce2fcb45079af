//! A request that was admitted before the freeze writes nothing after the reply to the freeze.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::freeze::harness::{freeze, thaw, token};
use crate::support::Daemon;

#[test]
fn writes_in_flight_are_done_or_refused() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let agent = token(&daemon, "atlas");
    let count = || daemon.number("SELECT count(*) FROM notifications WHERE agent_id IS NOT NULL", []);
    for round in 0..5 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        agent.post("/api/ui/notify", json!({"title": "t", "body": "b"}));
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(60));
            freeze(&daemon, "atlas");
            let then = count();
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(count(), then, "round {round}");
            stop.store(true, Ordering::Relaxed);
        });
        thaw(&daemon, "atlas");
    }
    assert!(count() > 0);
}
