//! Whoever deletes an agent by a client of the aX dialect may rely on it: its credentials end with the reply, whatever
//! becomes of its container.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::{AxReply, wait_until};

#[test]
fn its_credentials_end_though_its_container_cannot_be_stopped() {
    let shop = Pretend::start();
    let id = shop.agent("boxed", "Running");
    let key =
        shop.daemon.operator().post("/api/v1/keys", json!({"name": "k", "bound_agent_id": id})).expect(201).json();
    let live =
        || shop.daemon.number("SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state = 'active'", [&id]);
    assert_eq!(live(), 1, "{key}");
    shop.state().fails = Some("/state");
    let reply = shop.daemon.operator().delete("/api/v1/agents/manage/boxed").expect(200).json();
    assert_eq!((&reply["id"], &reply["message"]), (&json!(id), &json!("Agent boxed deleted")));
    assert_eq!(live(), 0);
    shop.daemon.operator().get("/api/v1/agents/boxed").expect_ax(404, "agent_not_found");
    let failed = || shop.daemon.operator().get("/api/operations?kind=archive&status=failed").expect(200).json();
    wait_until("the container could not be archived", || failed().as_array().is_some_and(|rows| rows.len() == 1));
}
