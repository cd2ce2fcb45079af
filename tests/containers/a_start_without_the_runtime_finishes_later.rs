//! The daemon is killed during operations, and the runtime is away when it starts again. A deployment ends as interrupted
//! and keeps its record; its container goes once the runtime is back. What a container decides waits for the runtime.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::{text, wait_until};

#[test]
fn a_deployment_is_interrupted_and_a_deletion_is_finished() {
    let mut shop = Pretend::start();
    shop.agent("r1", "Running");
    let operator = shop.daemon.operator();
    shop.state().holds = Some("/snapshots");
    operator.delete("/api/v1/agents/manage/r1").expect(200);
    wait_until("the snapshot is taken", || shop.state().snapshots.len() == 1);
    shop.state().hangs = Some("PATCH /1.0/instances/taos-agent-d");
    let promised =
        operator.post("/api/agents/deploy", json!({"name": "d", "image": "0123456789ab"})).expect(202).json();
    let deploy = text(&promised, "operation_id");
    let step = || text(&operator.get(&format!("/api/operations/{deploy}")).expect(200).json(), "step");
    wait_until("the token is delivered", || step() == "delivering the token");
    shop.daemon.kill();
    shop.plug(false);
    {
        let mut state = shop.state();
        (state.hangs, state.holds) = (None, None);
    }
    shop.daemon.spawn();

    let operator = shop.daemon.operator();
    let end = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        let now = operator.get(&format!("/api/operations/{deploy}?wait=30")).expect(200).json();
        if !now["finished_at"].is_null() || Instant::now() > end {
            break now;
        }
    };
    assert_eq!((&ended["status"], &ended["error"]["error"]), (&json!("failed"), &json!("interrupted")), "{ended}");
    assert_eq!(shop.daemon.record("d")["status"], "failed");
    shop.plug(true);
    wait_until("both containers are away", || {
        let state = shop.state();
        !state.containers.contains_key("taos-agent-d") && !state.containers.contains_key("taos-agent-r1")
    });
    wait_until("its record says so", || shop.daemon.record("d")["container"].is_null());
    let archived = "SELECT count(*) FROM operations WHERE kind = 'archive' AND status = 'succeeded'";
    wait_until("the deletion is finished", || shop.daemon.number(archived, []) == 1);
}

#[test]
fn a_purge_that_waits_for_the_runtime_is_not_cancelled_and_done_all_the_same() {
    let mut shop = Pretend::start();
    let id = shop.agent("old", "Running");
    shop.act("DELETE", "/api/agents/old").expect(200);
    shop.daemon.kill();
    let purge = "01234567-89ab-7def-8123-456789abcdef";
    shop.daemon.execute(
        "INSERT INTO operations (id, kind, status, agent_id, agent_name, payload, actor, request_id, created_at)
            VALUES (?1, 'purge', 'queued', ?2, 'old', '{}', 'user:operator', 'r', 1)",
        [purge, &id],
    );
    shop.plug(false);
    shop.daemon.spawn();
    let operator = shop.daemon.operator();
    let status = || text(&operator.get(&format!("/api/operations/{purge}")).expect(200).json(), "status");
    wait_until("it has begun", || status() == "running");
    operator.post(&format!("/api/operations/{purge}/cancel"), json!({})).expect_error(409, "not_cancellable");
    shop.plug(true);
    std::thread::sleep(Duration::from_secs(10));
    wait_until("it is done", || status() == "succeeded");
    assert!(shop.state().containers.is_empty());
}
