//! The bounds of streams of notifications.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::notify::events::Events;
use crate::notify::harness::{agent, notify};
use crate::support::{Client, Daemon, SOON};

const PATH: &str = "/api/notifications/stream";

#[test]
fn a_stream_ends_soon_after_its_credential() {
    let daemon = Daemon::start();
    let revoked = agent(&daemon, "Atlas");
    let archived = agent(&daemon, "Gone");
    let narrowed = agent(&daemon, "Narrow");
    let open = |token: &str| Events::open(&daemon.address, token, PATH, &[]);
    let mut streams = [open(revoked.token()), open(archived.token()), open(narrowed.token())];
    let mut other = open(&daemon.token);
    daemon.operator().delete("/api/agents/atlas/token").expect(204);
    daemon.operator().delete("/api/agents/gone").expect(200);
    daemon.operator().put("/api/agents/narrow/permissions", json!({"scope": ["ui.notify"]})).expect(200);
    let start = Instant::now();
    for stream in &mut streams {
        stream.until_end();
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    notify(&daemon.operator(), "still there");
    assert!(other.next().is_some());
}

#[test]
fn a_principal_and_all_together_hold_so_many_streams_and_places_are_given_back() {
    let env = [("TAOSD_MAX_STREAMS", "3"), ("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "2")];
    let daemon = Daemon::with(&[], &env);
    let (own, second) = (daemon.user_token("operator", &["*"]), daemon.member("ann", &["*"]));
    let open = |token: &str| Events::open(&daemon.address, token, PATH, &[]);
    let held = [open(&daemon.token), open(&daemon.token)];
    daemon.operator().get(PATH).expect_error(429, "too_many_streams");
    own.get(PATH).expect_error(429, "too_many_streams");
    let third = open(second.token());
    assert_eq!(third.status, 200);
    let refused = open(second.token());
    assert_eq!(refused.status, 503);
    assert!(refused.head.to_lowercase().contains("retry-after"), "{}", refused.head);
    drop(held);
    let until = Instant::now() + Duration::from_secs(10);
    while open(&daemon.token).status != 200 {
        assert!(Instant::now() < until, "no place came back");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A stream that nobody reads, with about 10 MB to send, which is more than the sockets hold.
fn deaf(write_timeout: &str) -> (Daemon, Client, Events) {
    let daemon = Daemon::with(&[], &[("TAOSD_WRITE_TIMEOUT", write_timeout), ("TAOSD_NOTIFY_PER_MINUTE", "0")]);
    let atlas = agent(&daemon, "Atlas");
    let first = notify(&atlas, "start");
    let big = "x".repeat(65_536);
    for _ in 0..150 {
        atlas.post("/api/ui/notify", json!({"title": "big", "body": big})).expect(200);
    }
    let stream = Events::open(&daemon.address, &daemon.token, &format!("{PATH}?after={first}"), &[]);
    (daemon, atlas, stream)
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let (daemon, atlas, _deaf) = deaf("60");
    let mut good = Events::open(&daemon.address, &daemon.token, PATH, &[]);
    thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    notify(&atlas, "through");
    assert!(good.next().unwrap().data.contains("through"));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let (_daemon, _atlas, mut deaf) = deaf("1");
    thread::sleep(Duration::from_secs(3));
    let mut got = 0;
    while deaf.next().is_some() {
        got += 1;
    }
    assert!(got < 150, "the deaf client was not cut");
}

#[test]
fn a_stop_ends_streams() {
    let mut daemon = Daemon::start();
    let mut events = Events::open(&daemon.address, &daemon.token, PATH, &[]);
    events.block().unwrap();
    let start = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    events.until_end();
}
