//! News comes for a sleeping agent while the runtime is away. The tries to wake it do not count, and it is woken once the
//! runtime is back.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

#[test]
fn it_is_woken_once_the_runtime_is_back() {
    let shop = Pretend::start();
    shop.agent("dozer", "Stopped");
    let operator = shop.daemon.operator();
    operator.patch("/api/agents/dozer/wake", json!({"wake": "start"})).expect(200);
    shop.daemon.execute("UPDATE agents SET status = ?1", ["stopped"]);
    shop.plug(false);
    operator.post("/api/v1/messages", json!({"content": "@dozer wake up"})).expect(200);
    let wakes = |status: &str| {
        shop.daemon.number("SELECT count(*) FROM operations WHERE kind = 'wake' AND status = ?1", [status])
    };
    wait_until("the wake has failed", || wakes("failed") == 1);
    // Longer than the least time between two wakes.
    thread::sleep(Duration::from_secs(22));
    let counted = shop.daemon.number("SELECT sum(json_array_length(woken)) FROM agent_news", []);
    assert_eq!((wakes("failed"), counted), (1, 0));
    shop.plug(true);
    wait_until("it is woken", || wakes("succeeded") == 1);
    assert_eq!(shop.status("taos-agent-dozer"), "Running");
}
