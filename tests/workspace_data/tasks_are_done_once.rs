//! Many workers on one queue. Every task is done once, and a worker that waits gets the next task.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};
use crate::workspace::harness::{agent, member};

const TASKS: usize = 320;
const WORKERS: usize = 64;

/// Claims and finishes tasks until there are none. Counts how often it finished each id.
fn work(client: &Client, done: &Mutex<HashMap<String, u32>>) {
    loop {
        let next = client.post("/api/v1/tasks/next", json!({"lease_seconds": 60})).expect(200).json();
        let Some(id) = next["task"]["id"].as_str() else { return };
        let body = json!({"status": "done", "fence": next["lease"]["fence"]});
        client.patch(&format!("/api/v1/tasks/{id}"), body).expect(200);
        *done.lock().unwrap().entry(id.to_owned()).or_default() += 1;
    }
}

#[test]
fn sixty_four_workers_do_each_task_once() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_MAX_CONNECTIONS_PER_PEER", "256")]);
    let owner = member(&daemon, "ann");
    let agents: Vec<_> = (0..8).map(|n| agent(&daemon, &owner, &format!("w{n}"))).collect();
    for n in 0..TASKS {
        let priority = ["low", "medium", "high", "urgent"][n % 4];
        owner.client.post("/api/v1/tasks", json!({"title": format!("t{n}"), "priority": priority})).expect(201);
    }
    let done = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        for n in 0..WORKERS {
            let (client, done) = (&agents[n % agents.len()].client, &done);
            scope.spawn(move || work(client, done));
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), TASKS);
    assert!(done.values().all(|times| *times == 1));
    assert_eq!(
        daemon.number("SELECT count(*) FROM tasks WHERE status = 'done' AND fence = 1 AND attempts = 0", []),
        TASKS as i64
    );
    assert_eq!(
        daemon.number("SELECT open_tasks FROM workspace_usage WHERE holder = 'space:' || ?1", [&owner.space]),
        0
    );
    assert_eq!(daemon.number("SELECT count(*) FROM task_history", []), 5 * TASKS as i64);
}

#[test]
fn who_waits_is_given_what_comes_and_holds_no_thread() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "2")]);
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    let ids = Mutex::new(Vec::<String>::new());
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let next = worker.client.post("/api/v1/tasks/next", json!({"wait": 50})).expect(200).json();
                ids.lock().unwrap().push(text(&next["task"], "id"));
            });
        }
        // The pool has two threads, but these requests get replies while the others wait.
        for n in 0..24 {
            owner.client.post("/api/v1/tasks", json!({"title": format!("t{n}")})).expect(201);
        }
    });
    let mut ids = ids.into_inner().unwrap();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 24);
    let before = Instant::now();
    assert_eq!(worker.client.post("/api/v1/tasks/next", json!({"wait": 1})).expect(200).json(), json!({"task": null}));
    assert!(before.elapsed().as_millis() >= 1000);
}

#[test]
fn a_repeat_under_the_same_key_gets_the_same_task() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    for n in 0..2 {
        owner.client.post("/api/v1/tasks", json!({"title": format!("t{n}")})).expect(201);
    }
    let keyed = owner.client.with("Idempotency-Key", "one");
    let first = keyed.post("/api/v1/tasks/next", json!({})).expect(200);
    let again = keyed.post("/api/v1/tasks/next", json!({})).expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    let nothing = owner.client.with("Idempotency-Key", "two");
    owner.client.post("/api/v1/tasks/next", json!({})).expect(200);
    assert_eq!(nothing.post("/api/v1/tasks/next", json!({})).expect(200).json()["task"], Value::Null);
}
