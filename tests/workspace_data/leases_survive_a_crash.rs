//! Leases survive a restart of the daemon. The end of a lease frees its task. After the last attempt it blocks the task
//! and notifies the owner.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{agent, member};

/// Waits until `is` is true for a task. Returns the task.
fn wait_for(daemon: &Daemon, path: &str, token: &str, is: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let task = daemon.client(token).get(path).expect(200).json();
        if is(&task) {
            return task;
        }
        assert!(Instant::now() < end, "{task}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_lease_outlives_the_daemon_and_ends_when_its_time_is_up() {
    let mut daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    let (owners, workers) = (owner.client.token().to_owned(), worker.client.token().to_owned());
    let made = owner.client.post("/api/v1/tasks", json!({"title": "t", "max_attempts": 2})).expect(201).json();
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    worker.client.post(&format!("{path}/claim"), json!({"lease_seconds": 600})).expect(200);
    daemon.kill();
    daemon.spawn();
    let fence = json!({"fence": 1, "lease_seconds": 600});
    daemon.client(&workers).post(&format!("{path}/renew"), fence).expect(200);
    daemon.client(&owners).post(&format!("{path}/claim"), json!({})).expect_ax(409, "task_claimed");
    for attempt in 1..=2 {
        daemon.kill();
        // The lease ends while the daemon is down.
        daemon.execute("UPDATE tasks SET lease_until = lease_until - 3600000000", []);
        daemon.spawn();
        let task = wait_for(&daemon, &path, &owners, |task| task["attempts"] == attempt);
        assert_eq!(task["lease"], Value::Null);
        let late = daemon.client(&workers).patch(&path, json!({"status": "done", "fence": attempt}));
        late.expect_ax(409, "lease_lost");
        if attempt == 1 {
            assert_eq!(task["status"], "not_started");
            let claimed = daemon.client(&workers).post(&format!("{path}/claim"), json!({})).expect(200).json();
            assert_eq!(claimed["lease"]["fence"], 2);
        } else {
            assert_eq!(task["status"], "blocked");
        }
    }
    daemon.client(&workers).post(&format!("{path}/claim"), json!({})).expect_ax(409, "task_not_free");
    let told = daemon.client(&owners).get("/api/notifications").expect(200).json();
    assert_eq!((&told[0]["title"], &told[0]["source"]), (&json!("A task is blocked"), &json!("taosd")), "{told}");
    // The owner allows new attempts, counted from zero.
    let again = daemon.client(&owners).patch(&path, json!({"status": "not_started"})).expect(200).json();
    assert_eq!(again["attempts"], 0);
    let history = daemon.client(&owners).get(&format!("{path}/history")).expect(200).json();
    let by_the_daemon = history["history"].as_array().unwrap().iter().filter(|row| row["actor"] == "taosd").count();
    assert_eq!(by_the_daemon, 4, "{history}");
}

#[test]
fn a_lease_runs_out_while_the_daemon_runs() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    let made = owner.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json();
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    let begun = Instant::now();
    worker.client.post(&format!("{path}/claim"), json!({"lease_seconds": 10})).expect(200);
    let next = owner.client.post("/api/v1/tasks/next", json!({"wait": 30})).expect(200).json();
    assert_eq!((&next["task"]["id"], &next["lease"]["fence"]), (&made["id"], &json!(2)));
    assert!(begun.elapsed() >= Duration::from_secs(10));
    worker.client.post(&format!("{path}/renew"), json!({"fence": 1})).expect_ax(409, "lease_lost");
}
