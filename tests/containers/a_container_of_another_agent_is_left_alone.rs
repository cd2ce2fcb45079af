//! After the restore of an older backup the container with an agent's name may have been made for another agent. Its
//! owner note says so. It then gets no token of the agent, and nobody manages or reads it by the agent's name.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

const CONTAINER: &str = "taos-agent-alice";

/// Two agents: the container with the name of the first was made for the second.
fn shop() -> Pretend {
    let shop = Pretend::start();
    shop.agent("alice", "Running");
    let bob = shop.daemon.agent("bob");
    let mut state = shop.state();
    let container = state.containers.get_mut(CONTAINER).expect("it is there");
    container.1.insert("user.taosd.owner".into(), json!(bob));
    drop(state);
    shop
}

/// Fails if anything has happened to the container.
#[track_caller]
fn is_untouched(shop: &Pretend) {
    let state = shop.state();
    let (status, config) = &state.containers[CONTAINER];
    assert_eq!((status.as_str(), config.len()), ("Running", 1), "{config:?}");
    assert_eq!(state.actions, Vec::<String>::new());
}

#[test]
fn it_gets_no_token() {
    let mut shop = shop();
    let issued = shop.daemon.operator().post("/api/agents/alice/token/issue", json!({}));
    issued.expect_error(502, "delivery_failed");
    is_untouched(&shop);
    // At its start the daemon delivers what is missing.
    shop.daemon.kill();
    let looks = "GET /1.0/instances/taos-agent-alice";
    let before = shop.requests(looks);
    shop.daemon.spawn();
    wait_until("the start has looked at the agent", || shop.requests(looks) > before);
    // The next look of the reconciler comes seconds later: by then a delivery would have begun.
    shop.wait_for_request("GET /1.0/instances?");
    shop.wait_for_request("GET /1.0/instances?");
    is_untouched(&shop);
}

#[test]
fn a_restore_leaves_it_alone() {
    let shop = shop();
    let id = shop.daemon.record("alice")["id"].as_str().expect("an id").to_owned();
    shop.act("DELETE", "/api/agents/alice").expect(200);
    // As an archiving leaves it that failed after its record was archived.
    shop.daemon.execute(
        "UPDATE agents SET container_name = ?1, container_runtime = 'incus' WHERE id = ?2",
        [CONTAINER, id.as_str()],
    );
    shop.act("POST", &format!("/api/agents/archived/{id}/restore")).expect_error(502, "container_failed");
    is_untouched(&shop);
}

#[test]
fn it_is_not_managed_by_the_other_name() {
    let shop = shop();
    for verb in ["stop", "restart", "pause"] {
        shop.act("POST", &format!("/api/agents/alice/{verb}")).expect_error(502, "container_failed");
    }
    shop.daemon.operator().get("/api/agents/alice/logs").expect_error(502, "container_failed");
    shop.daemon.operator().post("/api/agents/alice/freeze?wait=20", json!({"reason": "an alarm"})).expect(200);
    shop.act("DELETE", "/api/agents/alice").expect(200);
    is_untouched(&shop);
}
