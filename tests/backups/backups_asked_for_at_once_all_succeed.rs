//! Clients request more backups at once than the daemon keeps. Each request gets its reply, and the newest backups
//! stay.

use serde_json::json;

use crate::support::{Daemon, text};

const AT_ONCE: usize = 24;

#[test]
fn none_is_removed_before_it_is_told() {
    let daemon = Daemon::start();
    let made: Vec<String> = std::thread::scope(|scope| {
        // The socket has no rate limit.
        let ask = || {
            let done = daemon.on_socket().post("/api/backups?wait=60", json!({})).expect(200).json();
            text(&done, "file")
        };
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|one| one.join().expect("a backup")).collect()
    });
    let kept = daemon.operator().get("/api/backups").expect(200).json();
    let kept: Vec<String> = kept.as_array().expect("backups").iter().map(|one| text(one, "file")).collect();
    assert_eq!(kept.len(), 7, "{kept:?}");
    assert!(kept.iter().all(|file| made.contains(file)), "{kept:?} of {made:?}");
}
