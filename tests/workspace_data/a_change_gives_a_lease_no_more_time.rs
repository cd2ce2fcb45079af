//! A lease lasts as long as it was given for, whatever is changed in its task meanwhile. Only a renewal lengthens it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Daemon, text};
use crate::workspace::harness::{agent, member};

#[test]
fn a_task_that_is_changed_is_freed_when_its_lease_ends() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    let made = owner.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json();
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    let begun = Instant::now();
    worker.client.post(&format!("{path}/claim"), json!({"lease_seconds": 10})).expect(200);
    thread::sleep(Duration::from_secs(7));
    owner.client.patch(&path, json!({"title": "another"})).expect(200);
    let next = owner.client.post("/api/v1/tasks/next", json!({"wait": 30})).expect(200).json();
    assert_eq!((&next["task"]["id"], &next["lease"]["fence"]), (&made["id"], &json!(2)));
    let took = begun.elapsed();
    assert!((10..15).contains(&took.as_secs()), "{took:?}");
}
