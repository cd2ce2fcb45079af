//! A stream of notices shows that it lives. It ends by the result of its request when the credential, its scope or the
//! daemon ends (MCP contract, section 6).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::events::Events;
use crate::harness::{Asks, agent};
use crate::notices_tell_of_changes::{listen, next};
use crate::support::Daemon;

/// Reads to the end of the stream and returns the last event.
#[track_caller]
fn last(stream: &mut Events) -> Value {
    let mut last = Value::Null;
    while let Some(event) = stream.next() {
        last = serde_json::from_str(&event.data).expect("JSON");
    }
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")), "{last}");
    last
}

#[test]
fn a_stream_ends_with_its_credential_its_scope_and_the_daemon() {
    let mut daemon = Daemon::start();
    let (revoked, narrowed, other) = (agent(&daemon, "revoked"), agent(&daemon, "narrowed"), agent(&daemon, "other"));
    let open = |client| {
        let space = Asks::done(client, "spaces_list", json!({}))["spaces"][0]["id"].clone();
        let uri = format!("taos://spaces/{}/messages", space.as_str().expect("an id"));
        let mut stream = listen(&daemon, client, json!({"resourceSubscriptions": [uri]}));
        assert_eq!(next(&mut stream)["params"]["notifications"]["resourceSubscriptions"], json!([uri]));
        stream
    };
    let mut streams = [open(&revoked), open(&narrowed)];
    let mut left = open(&other);
    daemon.operator().delete("/api/agents/revoked/token").expect(204);
    daemon.operator().put("/api/agents/narrowed/permissions", json!({"scope": ["tasks.list"]})).expect(200);
    let begun = Instant::now();
    streams.iter_mut().for_each(|stream| drop(last(stream)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(daemon.stop(), Some(0));
    last(&mut left);
}

#[test]
fn a_silent_stream_says_every_15_seconds_that_it_lives() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let mut stream = listen(&daemon, &robot, json!({"resourcesListChanged": true}));
    next(&mut stream);
    let begun = Instant::now();
    assert_eq!(stream.block().as_deref(), Some(": \n\n"));
    let took = begun.elapsed();
    assert!((Duration::from_secs(13)..Duration::from_secs(19)).contains(&took), "{took:?}");
}
