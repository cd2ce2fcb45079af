//! The daemon is killed again and again while workers claim, finish and lose tasks. Every task has at most one holder,
//! no fence counts twice, and every acknowledged change is kept.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Daemon};
use crate::workspace::harness::{agent, member};

const ROUNDS: usize = 8;
const WORKERS: usize = 6;
const TASKS: usize = 200;

/// Claims and finishes tasks until `stop`. Records what was acknowledged: claims by task and fence, and finished tasks.
fn work(client: &Client, stop: &AtomicBool, claims: &Mutex<HashMap<(String, i64), u32>>, done: &Mutex<Vec<String>>) {
    while !stop.load(Ordering::Relaxed) {
        let body = json!({"lease_seconds": 600}).to_string();
        let Ok(reply) = client.try_send("POST", "/api/v1/tasks/next", Some(body.as_bytes())) else { continue };
        if reply.status != 200 {
            continue;
        }
        let next = reply.json();
        let (Some(id), Some(fence)) = (next["task"]["id"].as_str(), next["lease"]["fence"].as_i64()) else { return };
        *claims.lock().unwrap().entry((id.to_owned(), fence)).or_default() += 1;
        let body = json!({"status": "done", "fence": fence}).to_string();
        let path = format!("/api/v1/tasks/{id}");
        if client.try_send("PATCH", &path, Some(body.as_bytes())).is_ok_and(|reply| reply.status == 200) {
            done.lock().unwrap().push(id.to_owned());
        }
    }
}

#[test]
fn whatever_is_killed_no_task_has_two_holders_and_none_is_lost() {
    let mut daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let token = owner.client.token().to_owned();
    let agents: Vec<String> =
        (0..3).map(|n| agent(&daemon, &owner, &format!("w{n}")).client.token().to_owned()).collect();
    for n in 0..TASKS {
        owner.client.post("/api/v1/tasks", json!({"title": format!("t{n}"), "max_attempts": 100})).expect(201);
    }
    let (claims, done) = (Mutex::new(HashMap::new()), Mutex::new(Vec::new()));
    for round in 0..ROUNDS {
        let stop = AtomicBool::new(false);
        let clients: Vec<Client> = (0..WORKERS).map(|n| daemon.client(&agents[n % agents.len()])).collect();
        std::thread::scope(|scope| {
            for client in &clients {
                let (stop, claims, done) = (&stop, &claims, &done);
                scope.spawn(move || work(client, stop, claims, done));
            }
            std::thread::sleep(Duration::from_millis(30 + 17 * round as u64));
            daemon.kill();
            stop.store(true, Ordering::Relaxed);
        });
        // The leases of unfinished tasks end meanwhile.
        daemon.execute("UPDATE tasks SET lease_until = 1 WHERE holder IS NOT NULL", []);
        daemon.spawn();
        for _ in 0..500 {
            if daemon.number("SELECT count(*) FROM tasks WHERE holder IS NOT NULL", []) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let client = daemon.client(&token);
    let never = AtomicBool::new(false);
    work(&client, &never, &claims, &done);
    assert!(claims.into_inner().unwrap().values().all(|times| *times == 1), "a fence was given twice");
    let mut done = done.into_inner().unwrap();
    let acknowledged = done.len();
    done.sort();
    done.dedup();
    assert_eq!(done.len(), acknowledged, "a task was done twice");
    for id in &done {
        assert_eq!(daemon.text("SELECT status FROM tasks WHERE id = ?1", [id]), "done");
    }
    assert_eq!(daemon.number("SELECT count(*) FROM tasks WHERE status = 'done'", []), TASKS as i64);
    assert_eq!(
        daemon.number("SELECT open_tasks FROM workspace_usage WHERE holder = 'space:' || ?1", [&owner.space]),
        0
    );
    daemon.stop();
    daemon.check();
}
