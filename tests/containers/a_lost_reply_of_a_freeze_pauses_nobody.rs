//! An agent is put to sleep, and the runtime freezes its container but its reply is lost. The agent sleeps: it does not
//! count as paused by its owner, and news wakes it.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

const LIST: &str = "GET /1.0/instances?";

#[test]
#[ignore = "takes two minutes"]
fn an_agent_whose_sleep_got_no_reply_is_woken_by_news() {
    let shop = Pretend::start();
    shop.agent("worker", "Running");
    let operator = shop.daemon.operator();
    let rests = json!({"wake": "resume", "idle_stop_minutes": 1});
    operator.patch("/api/agents/worker/wake", rests).expect(200);
    shop.state().unanswered = Some("freeze");
    // It must be idle for a minute, and the daemon looks for idle agents every half minute.
    sleep(Duration::from_secs(80));
    wait_until("it is put to sleep", || shop.status("taos-agent-worker") == "Frozen");
    shop.state().unanswered = None;
    shop.wait_for_request(LIST);
    shop.wait_for_request(LIST);
    assert_eq!(shop.daemon.record("worker")["paused"], false);
    operator.post("/api/v1/messages", json!({"content": "@worker wake up"})).expect(200);
    wait_until("it is woken", || shop.status("taos-agent-worker") == "Running");
}
