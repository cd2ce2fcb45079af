//! Long polling with `wait`.

use std::thread;
use std::time::{Duration, Instant};

use crate::notify::harness::{agent, all, notify};
use crate::support::{Daemon, SOON};

#[test]
fn a_wait_ends_with_the_commit() {
    let daemon = Daemon::start();
    let (owner, atlas) = (daemon.operator(), agent(&daemon, "Atlas"));
    let mut took = Vec::new();
    for n in 0..10 {
        let waiting = {
            let owner = owner.clone();
            thread::spawn(move || (owner.get("/api/notifications?wait=30").expect(200), Instant::now()))
        };
        thread::sleep(Duration::from_millis(60));
        notify(&atlas, &n.to_string());
        let sent = Instant::now();
        let (reply, seen) = waiting.join().unwrap();
        assert_eq!(all(&reply.json(), "title"), [n.to_string()]);
        took.push(seen.saturating_duration_since(sent));
    }
    took.sort();
    println!("from the sender's reply to the watcher's: median {:?}, worst {:?}", took[5], took[9]);
    assert!(took[9] < SOON, "{took:?}");
}

#[test]
fn nothing_sent_while_a_client_goes_from_wait_to_wait_is_missed() {
    let daemon = Daemon::start();
    let (owner, atlas) = (daemon.operator(), agent(&daemon, "Atlas"));
    let first = notify(&atlas, "start");
    let sender = thread::spawn(move || (0..60).for_each(|n| drop(notify(&atlas, &n.to_string()))));
    let (mut seen, mut last) = (Vec::new(), first);
    while seen.len() < 60 {
        let page = owner.get(&format!("/api/notifications?wait=10&limit=3&after={last}")).expect(200).json();
        seen.extend(all(&page, "title"));
        last = all(&page, "id").pop().expect("nothing came for ten seconds");
    }
    sender.join().unwrap();
    assert_eq!(seen, (0..60).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_wait_without_news_ends_empty_and_waits_hold_no_worker() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "1")]);
    let owner = daemon.operator();
    let waits: Vec<_> = (0..20)
        .map(|_| {
            let owner = owner.clone();
            thread::spawn(move || owner.get("/api/notifications?wait=5").expect(200))
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    owner.get("/api/auth/whoami").expect(200);
    assert!(waits.iter().all(|wait| !wait.is_finished()), "it is answered first");
    for wait in waits {
        assert_eq!(wait.join().unwrap().json(), serde_json::json!([]));
    }
}

#[test]
fn a_wait_whose_credential_is_revoked_meanwhile_tells_nothing() {
    let daemon = Daemon::start();
    let atlas = agent(&daemon, "Atlas");
    let waiting = thread::spawn(move || atlas.get("/api/notifications?wait=20"));
    thread::sleep(Duration::from_millis(200));
    daemon.operator().delete("/api/agents/atlas/token").expect(204);
    notify(&daemon.operator(), "wakes the owner's topic");
    waiting.join().unwrap().expect_error(401, "invalid_token");
}

#[test]
fn a_wait_ends_when_the_daemon_stops() {
    let mut daemon = Daemon::start();
    let owner = daemon.operator();
    let waiting = thread::spawn(move || owner.get("/api/notifications?wait=30"));
    thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(waiting.join().unwrap().expect(200).json(), serde_json::json!([]));
}
