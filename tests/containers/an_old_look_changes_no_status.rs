//! The reconciler lists the containers every 10 s. What happens to an agent while it does so is newer than the list, so
//! the list does not change that agent's status.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

const LIST: &str = "GET /1.0/instances?";
const SNAPSHOTS: &str = "/snapshots";

#[test]
fn an_agent_that_is_frozen_during_a_look_is_not_paused() {
    let shop = Pretend::start();
    shop.agent("worker", "Running");
    shop.state().hangs = Some(LIST);
    shop.wait_for_request(LIST);
    shop.daemon.operator().post("/api/agents/worker/freeze?wait=20", json!({"reason": "a question"})).expect(200);
    assert_eq!(shop.status("taos-agent-worker"), "Frozen");
    // The list now says that the container is frozen, and the daemon read before that the agent is not.
    shop.state().hangs = None;
    shop.wait_for_request(LIST);
    shop.act("POST", "/api/agents/worker/thaw").expect(200);
    assert_eq!(shop.status("taos-agent-worker"), "Running", "it was not paused before");
    assert_eq!(shop.daemon.record("worker")["paused"], false);
}

#[test]
fn an_agent_that_is_frozen_and_thawed_during_a_look_is_not_paused() {
    let shop = Pretend::start();
    shop.agent("worker", "Running");
    shop.daemon.operator().post("/api/agents/worker/freeze?wait=20", json!({"reason": "a question"})).expect(200);
    shop.state().hangs = Some(LIST);
    shop.wait_for_request(LIST);
    shop.act("POST", "/api/agents/worker/thaw").expect(200);
    shop.daemon.operator().post("/api/agents/worker/freeze?wait=20", json!({"reason": "another"})).expect(200);
    {
        // The list is made while the container is frozen, and comes when the agent is thawed again.
        let mut state = shop.state();
        (state.holds, state.hangs) = (Some(LIST), None);
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    shop.act("POST", "/api/agents/worker/thaw").expect(200);
    shop.state().holds = None;
    shop.wait_for_request(LIST);
    assert_eq!(shop.status("taos-agent-worker"), "Running");
    assert_eq!(shop.daemon.record("worker")["paused"], false);
}

#[test]
fn an_agent_that_was_stopped_only_during_a_look_still_runs() {
    let shop = Pretend::start();
    shop.agent("worker", "Running");
    {
        let mut state = shop.state();
        (state.hangs, state.fails, state.holds) = (Some(SNAPSHOTS), Some(SNAPSHOTS), Some(LIST));
    }
    shop.daemon.operator().delete("/api/agents/worker").expect(202);
    wait_until("it is stopped for the snapshot", || shop.status("taos-agent-worker") == "Stopped");
    // The list says that it is stopped. The snapshot then fails, and it is started again, before the list is read.
    shop.wait_for_request(LIST);
    shop.state().hangs = None;
    wait_until("it runs again", || {
        let open = shop.daemon.operator().get("/api/operations?kind=archive&status=running").expect(200).json();
        shop.status("taos-agent-worker") == "Running" && open.as_array().is_some_and(Vec::is_empty)
    });
    shop.state().holds = None;
    // The next look has begun, so this one has ended; the next one must not have mended what this one did.
    shop.state().hangs = Some(LIST);
    shop.wait_for_request(LIST);
    assert_eq!(shop.daemon.record("worker")["status"], "running");
}
