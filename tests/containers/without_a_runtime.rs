//! A box without containers.

use serde_json::json;

use crate::support::Daemon;

#[test]
fn a_daemon_without_a_runtime_says_so_once_and_refuses_what_needs_one() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    daemon.agent("record");
    let operator = daemon.operator();
    assert_eq!(operator.get("/api/agents/containers").expect(200).json(), json!([]));
    for verb in ["start", "stop", "restart"] {
        operator.send("POST", &format!("/api/agents/record/{verb}"), None).expect_error(409, "agent_has_no_container");
    }
    operator.get("/api/agents/record/logs").expect_error(409, "agent_has_no_container");
    let before = daemon.number("SELECT count(*) FROM agents", []);
    operator
        .post("/api/agents/deploy", json!({"name": "a", "image": "bb"}))
        .expect_error(503, "container_runtime_unavailable");
    assert_eq!(daemon.number("SELECT count(*) FROM agents", []), before, "no record is left");
    assert_eq!(daemon.number("SELECT count(*) FROM operations", []), 0);
    operator
        .post("/api/agents/record/token/issue", json!({"deliver": true}))
        .expect_error(409, "agent_has_no_container");
    operator.send("POST", "/api/agents/record/pause", None).expect(200);
    assert_eq!(daemon.record("record")["paused"], json!(true));
    let lines = daemon.log_text().matches("no container runtime").count();
    assert_eq!(lines, 1, "one line: {}", daemon.log_text());
}

#[test]
fn a_runtime_that_was_chosen_and_is_not_there_is_unavailable() {
    let daemon = Daemon::with(&["--containers", "lxd", "--containers-socket", "/nonexistent/unix.socket"], &[]);
    let operator = daemon.operator();
    operator.get("/api/agents/containers").expect_error(503, "container_runtime_unavailable");
    let reply = operator.post("/api/agents/deploy?wait=30", json!({"name": "a", "image": "bb"}));
    reply.expect_error(503, "container_runtime_unavailable");
    assert_eq!(daemon.number("SELECT count(*) FROM operations WHERE finished_at IS NULL", []), 0);
    daemon.anonymous().get("/healthz").expect(200);
}
