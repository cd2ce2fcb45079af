//! A node that accepts connections but never replies affects only its own agents. It delays no other node, no request
//! to this box's own runtime, and no worker of the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::fake::Answer;
use crate::fake_node::{FakeNode, GREETING};
use crate::support::{Daemon, TempDir, text, wait_until};

const RESOURCES: &str =
    r#"{"cpu":{"total":4},"memory":{"total":4000000000,"used":1000000000},"load":{"Average1Min":0.5}}"#;

/// Makes a node with one running container of this name. The node hangs while the flag is set.
fn node(container: &'static str) -> (FakeNode, Arc<AtomicBool>) {
    let hangs = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&hangs);
    let node = FakeNode::new(move |line| match line {
        _ if now.load(Ordering::SeqCst) => Answer::Hang,
        "GET /1.0" => Answer::sync(GREETING),
        "GET /1.0/resources" => Answer::sync(RESOURCES),
        line if line.starts_with("GET /1.0/instances?") => {
            Answer::sync(&format!(r#"[{{"name":"{container}","status":"Running","config":{{}},"devices":{{}}}}]"#))
        }
        _ => Answer::error(404, "not found"),
    });
    (node, hangs)
}

fn status_of(daemon: &Daemon, name: &str) -> (String, Value) {
    let listed = daemon.operator().get("/api/agents").expect(200).json();
    let row = listed.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name)).cloned();
    let shown = daemon.operator().get(&format!("/api/agents/{name}")).expect(200).json();
    assert_eq!(row.expect("it is listed")["status"], shown["status"]);
    (text(&shown, "status"), shown["container"].clone())
}

#[test]
fn and_its_agents_are_away_until_it_answers() {
    let ((barn, _), (shed, hangs)) = (node("taos-agent-a"), node("taos-agent-b"));
    let folder = TempDir::new();
    let config = folder.path().join("taosd.toml");
    std::fs::write(&config, barn.table("barn") + &shed.table("shed")).unwrap();
    let daemon = Daemon::with(&["--config", config.to_str().unwrap(), "--containers", "none"], &[]);
    for (name, node) in [("a", "barn"), ("b", "shed")] {
        daemon.operator().post("/api/agents", json!({"name": name})).expect(200);
        let place = format!("{node}:taos-agent-{name}");
        let placed =
            "UPDATE agents SET container_name = ?1, container_runtime = 'incus', status = 'running' WHERE slug = ?2";
        daemon.execute(placed, [place.as_str(), name]);
    }
    let rows = daemon.operator().get("/api/nodes").expect(200).json();
    assert_eq!((&rows[0]["status"], &rows[1]["status"]), (&json!("ok"), &json!("ok")), "{rows}");
    assert_eq!((&rows[1]["cores"], &rows[1]["containers"]), (&json!(4), &json!(1)), "{rows}");

    hangs.store(true, Ordering::SeqCst);
    // More requests that wait for the node than this box has threads for such requests.
    let slow: Vec<_> = ["/api/nodes", "/api/agents/containers", "/api/nodes/shed", "/api/agents/b/logs"]
        .into_iter()
        .cycle()
        .take(12)
        .map(|path| {
            let operator = daemon.operator();
            thread::spawn(move || (operator.get(path).status, Instant::now()))
        })
        .collect();
    let mut quick = Instant::now();
    for path in ["/api/nodes/barn", "/api/agents/deploy/choices", "/api/agents", "/api/agents/a"].repeat(3) {
        daemon.operator().get(path).expect(200);
        quick = Instant::now();
    }
    let ended: Vec<(u16, Instant)> = slow.into_iter().map(|asked| asked.join().expect("a reply")).collect();
    assert!(ended.iter().all(|(status, _)| [200, 502, 503].contains(status)), "{ended:?}");
    let first = ended.iter().map(|(_, at)| *at).min().expect("some");
    assert!(quick < first, "what needs no answer of the node came {:?} after the first that does", quick - first);

    let (status, container) = status_of(&daemon, "b");
    assert_eq!(
        (status.as_str(), &container["name"], &container["node"]),
        ("away", &json!("taos-agent-b"), &json!("shed"))
    );
    assert_eq!(status_of(&daemon, "a").0, "running");
    let rows = daemon.operator().get("/api/agents/containers").expect(200).json();
    let of = |name: &str| rows.as_array().unwrap().iter().find(|row| row["agent_name"] == name).cloned().unwrap();
    assert_eq!((&of("a")["status"], &of("b")["status"]), (&json!("running"), &json!("away")));
    daemon.operator().get("/api/nodes/shed").expect_error(503, "container_runtime_unavailable");

    hangs.store(false, Ordering::SeqCst);
    daemon.operator().get("/api/nodes/shed").expect(200);
    wait_until("it is not away any more", || status_of(&daemon, "b").0 == "running");
}
