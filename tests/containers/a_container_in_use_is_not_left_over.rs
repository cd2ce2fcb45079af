//! What a failed deployment left behind is removed. If somebody has started it since, it is in use, and is not removed
//! because its state is an error for a moment.

use crate::pretend::Pretend;
use crate::support::wait_until;

const LIST: &str = "GET /1.0/instances?";
const OPERATION: &str = "INSERT INTO operations (id, kind, status, agent_id, agent_name, payload, actor, request_id,
    created_at, finished_at) VALUES (?1, ?2, ?3, ?4, 'worker', '{}', 'taosd', 'r', ?5, ?5)";

fn operation(shop: &Pretend, agent: &str, kind: &str, status: &str, at: &str) {
    let id = format!("01234567-89ab-7def-8123-00000000000{at}");
    shop.daemon.execute(OPERATION, [id.as_str(), kind, status, agent, at]);
}

#[test]
fn only_a_container_that_nobody_started_goes_with_its_failed_deployment() {
    let shop = Pretend::start();
    let id = shop.agent("worker", "Running");
    operation(&shop, &id, "deploy", "failed", "1");
    operation(&shop, &id, "start", "succeeded", "2");
    "Error".clone_into(&mut shop.state().containers.get_mut("taos-agent-worker").expect("it is there").0);
    wait_until("its status is an error", || shop.daemon.record("worker")["status"] == "failed");
    shop.wait_for_request(LIST);
    shop.wait_for_request(LIST);
    assert_eq!(shop.status("taos-agent-worker"), "Error", "it is not removed");
    shop.daemon.execute("DELETE FROM operations WHERE kind = ?1", ["start"]);
    wait_until("the rest of the failed deployment is removed", || shop.state().containers.is_empty());
}
