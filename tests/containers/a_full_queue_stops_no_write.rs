//! An owner whose node hangs may freeze and thaw an agent there again and again. That fills no queue that others need,
//! and no write of anybody waits for it. When the node replies again, the container is what its record says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::fake::Answer;
use crate::fake_node::{FakeNode, GREETING};
use crate::support::{Daemon, TempDir, text, wait_until};

/// More than may wait for one node.
const CHANGES: usize = 300;

/// Makes a node with one container, which is frozen or runs. It does not reply about it while the first flag is set.
fn node() -> (FakeNode, Arc<AtomicBool>, Arc<AtomicBool>) {
    let (hangs, frozen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (now, state) = (Arc::clone(&hangs), Arc::clone(&frozen));
    let node = FakeNode::new(move |line| {
        while now.load(Ordering::SeqCst) && line.contains("/1.0/instances/taos-agent-nod") {
            thread::sleep(Duration::from_millis(20));
        }
        let status = if state.load(Ordering::SeqCst) { "Frozen" } else { "Running" };
        let shown = format!(r#"{{"name":"taos-agent-nod","status":"{status}","config":{{}},"devices":{{}}}}"#);
        match line {
            "GET /1.0" => Answer::sync(GREETING),
            "PUT /1.0/instances/taos-agent-nod/state" => {
                state.fetch_xor(true, Ordering::SeqCst);
                Answer::operation()
            }
            line if line.starts_with("GET /1.0/operations/ab-12") => Answer::sync(r#"{"status_code":200}"#),
            line if line.starts_with("GET /1.0/instances/taos-agent-nod") => Answer::sync(&shown),
            line if line.starts_with("GET /1.0/instances?") => Answer::sync(&format!("[{shown}]")),
            _ => Answer::error(404, "not found"),
        }
    });
    (node, hangs, frozen)
}

fn open(daemon: &Daemon, status: &str) -> usize {
    let listed = daemon.operator().get(&format!("/api/operations?limit=200&status={status}")).expect(200).json();
    listed.as_array().expect("a list").len()
}

#[test]
fn freezing_and_thawing_an_agent_on_a_node_that_hangs_delays_nobody() {
    let (node, hangs, frozen) = node();
    let folder = TempDir::new();
    let config = folder.path().join("taosd.toml");
    std::fs::write(&config, node.table("shed")).unwrap();
    let mut daemon = Daemon::with(&["--config", config.to_str().unwrap(), "--containers", "none"], &[]);
    daemon.operator().post("/api/agents", json!({"name": "nod"})).expect(200);
    daemon.execute(
        "UPDATE agents SET container_name = 'shed:taos-agent-nod', container_runtime = 'incus', status = ?1 WHERE slug = ?2",
        ["running", "nod"],
    );
    hangs.store(true, Ordering::SeqCst);
    for turn in 0..CHANGES {
        let verb = if turn % 2 == 0 { "freeze" } else { "thaw" };
        daemon.operator().post(&format!("/api/agents/nod/{verb}"), json!({"reason": "alarm"})).expect(202);
    }
    let last = daemon.operator().post("/api/agents/nod/freeze", json!({"reason": "alarm"})).expect(202).json();
    daemon.operator().post("/api/agents", json!({"name": "other"})).expect(200);
    daemon.anonymous().get("/readyz").expect(200);
    let waiting = open(&daemon, "running");
    assert!((1..100).contains(&waiting), "{waiting} operations wait for one agent");
    let refused = daemon.operator().get(&format!("/api/operations/{}", text(&last, "operation_id"))).expect(200).json();
    assert_eq!(refused["result"]["containers"]["nod"]["error"], "busy", "{refused}");

    hangs.store(false, Ordering::SeqCst);
    wait_until("every operation has ended", || open(&daemon, "running") == 0);
    wait_until("the container is frozen", || frozen.load(Ordering::SeqCst));
    assert_eq!(daemon.stop(), Some(0));
}
