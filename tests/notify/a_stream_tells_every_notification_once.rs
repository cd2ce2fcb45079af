//! The stream of notifications as Server-Sent Events.

use std::time::Instant;

use serde_json::{Value, json};

use crate::notify::events::Events;
use crate::notify::harness::{agent, notify};
use crate::support::{Daemon, SOON};

const PATH: &str = "/api/notifications/stream";

fn titles(events: &mut Events, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| {
            let event = events.next().expect("an event");
            let record: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!((event.event.as_str(), &json!(event.id)), ("notification", &record["id"]));
            record["title"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_stream_begins_now_and_goes_on_where_the_client_left() {
    let mut daemon = Daemon::start();
    let atlas = agent(&daemon, "Atlas");
    notify(&atlas, "before");
    let mut events = Events::open(&daemon.address, &daemon.token, PATH, &[]);
    assert_eq!(events.status, 200);
    let head = events.head.to_lowercase();
    assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
    let mine = notify(&atlas, "first");
    let start = Instant::now();
    assert_eq!(titles(&mut events, 1), ["first"]);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    notify(&atlas, "second\nline");
    assert_eq!(titles(&mut events, 1), ["second\nline"]);

    // The client is away while the daemon stops and starts. It loses nothing and gets nothing twice.
    let token = atlas.token().to_owned();
    drop(events);
    daemon.restart();
    let atlas = daemon.client(&token);
    notify(&atlas, "third");
    let mut again = Events::open(&daemon.address, &daemon.token, PATH, &[("Last-Event-ID", &mine)]);
    assert_eq!(titles(&mut again, 2), ["second\nline", "third"]);
    let mut by_query = Events::open(&daemon.address, &daemon.token, &format!("{PATH}?after={mine}"), &[]);
    assert_eq!(titles(&mut by_query, 2), ["second\nline", "third"]);
    notify(&atlas, "fourth");
    assert_eq!((titles(&mut again, 1), titles(&mut by_query, 1)), (vec!["fourth".into()], vec!["fourth".into()]));
}

#[test]
fn an_agents_stream_tells_what_it_sent_alone() {
    let daemon = Daemon::start();
    let (atlas, other) = (agent(&daemon, "Atlas"), agent(&daemon, "Other"));
    let mut events = Events::open(&daemon.address, atlas.token(), PATH, &[]);
    notify(&other, "not mine");
    notify(&atlas, "mine");
    assert_eq!(titles(&mut events, 1), ["mine"]);
}

#[test]
fn long_texts_come_whole_and_many_in_order() {
    let daemon = Daemon::with(&[], &[("TAOSD_NOTIFY_PER_MINUTE", "0")]);
    let atlas = agent(&daemon, "Atlas");
    let first = notify(&atlas, "start");
    let long = "\u{1}\"\\ü".repeat(13_000);
    atlas.post("/api/ui/notify", json!({"title": "long", "body": long})).expect(200);
    let sent: Vec<String> = (0..150).map(|n| n.to_string()).collect();
    sent.iter().for_each(|title| drop(notify(&atlas, title)));
    let mut events = Events::open(&daemon.address, &daemon.token, &format!("{PATH}?after={first}"), &[]);
    let record: Value = serde_json::from_str(&events.next().unwrap().data).unwrap();
    assert_eq!(record["message"], long);
    assert_eq!(titles(&mut events, 150), sent);
}

#[test]
fn a_silent_stream_shows_that_it_lives() {
    let daemon = Daemon::start();
    let mut events = Events::open(&daemon.address, &daemon.token, PATH, &[]);
    assert!(events.block().unwrap().starts_with("retry: "));
    let start = Instant::now();
    assert!(events.block().unwrap().starts_with(": "));
    assert!((14..18).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}
