//! A token reaches a container, the reply is lost, and the runtime cannot be asked for a moment. The container then has a
//! token that was never activated. The daemon gives it another one without a restart.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

#[test]
fn the_container_gets_a_token_that_works() {
    let shop = Pretend::start();
    let id = shop.agent("worker", "Running");
    let operator = shop.daemon.operator();
    operator.post("/api/agents/worker/token/issue", json!({})).expect(200);
    let inside = || {
        let state = shop.state();
        state.containers["taos-agent-worker"].1["environment.TAOS_TOKEN"].as_str().expect("a token").to_owned()
    };
    let before = inside();
    shop.state().loses = Some("PATCH /1.0/instances/taos-agent-worker");
    operator.post("/api/agents/worker/token/issue", json!({})).expect_error(502, "delivery_failed");
    {
        let mut state = shop.state();
        (state.loses, state.away) = (None, false);
    }
    let dead = inside();
    assert_ne!(dead, before);
    shop.daemon.client(&dead).get("/api/auth/whoami").expect(401);
    wait_until("it has another token", || inside() != dead);
    wait_until("that token works", || {
        let reply = shop.daemon.client(&inside()).get("/api/auth/whoami");
        reply.status == 200 && reply.json()["agent_id"] == json!(id)
    });
}
