//! A container's name may outlive its agent's slug: after a rename, or if the agent was archived at once and its
//! container was not. A deployment and a restore choose a slug whose container's name is free as well.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::{text, wait_until};

fn rename(shop: &Pretend, id: &str, name: &str) {
    let body =
        json!({"name": name, "description": "-", "agent_id": id, "acp_url": "http://127.0.0.1:9", "acp_type": "sync"});
    shop.daemon.operator().post("/agents/register", body).expect(200);
}

fn deployed_as(shop: &Pretend, name: &str) -> String {
    let reply = shop.daemon.operator().post("/api/agents/deploy", json!({"name": name, "image": "i"})).expect(202);
    text(&reply.json(), "name")
}

#[test]
fn a_deployment_does_not_take_the_name_that_a_renamed_agents_container_has() {
    let shop = Pretend::start();
    rename(&shop, &shop.agent("foo", "Running"), "bar");
    assert_eq!(deployed_as(&shop, "foo"), "foo-2");
    assert_eq!(deployed_as(&shop, "other"), "other");
}

#[test]
fn a_restore_does_not_take_the_name_that_a_renamed_agents_container_has() {
    let shop = Pretend::start();
    let first = shop.agent("zed", "Running");
    shop.act("DELETE", "/api/agents/zed").expect(200);
    let second = shop.agent("zed", "Running");
    rename(&shop, &second, "other");
    let restored = shop.act("POST", &format!("/api/agents/archived/{first}/restore")).expect(200).json();
    assert_eq!(restored["name"], "zed-2");
    assert_eq!((shop.status("taos-agent-zed-2"), shop.status("taos-agent-zed")), ("Running".into(), "Running".into()));
}

#[test]
fn an_agent_whose_container_was_not_archived_with_it_can_be_restored() {
    let shop = Pretend::start();
    let id = shop.agent("qux", "Running");
    shop.state().fails = Some("/state");
    shop.daemon.operator().delete(&format!("/agents/{id}")).expect(200);
    let failed = || shop.daemon.operator().get("/api/operations?kind=archive&status=failed").expect(200).json();
    wait_until("the container could not be archived", || failed().as_array().is_some_and(|rows| rows.len() == 1));
    shop.state().fails = None;
    assert_eq!(deployed_as(&shop, "qux"), "qux-2");
    let restored = shop.act("POST", &format!("/api/agents/archived/{id}/restore")).expect(200).json();
    assert_eq!((&restored["name"], shop.status("taos-agent-qux").as_str()), (&json!("qux"), "Running"));
    // It was stopped in between: its processes would have kept a token that is dead.
    assert_eq!(shop.daemon.record("qux")["token_delivery"], "delivered");
    assert_eq!(shop.state().actions, ["stop", "start"]);
}

#[test]
fn the_archiving_of_an_archived_agents_container_cannot_be_cancelled() {
    let shop = Pretend::start();
    let id = shop.agent("tar", "Running");
    shop.state().hangs = Some("/1.0/instances/taos-agent-tar");
    shop.daemon.operator().post("/api/agents/tar/freeze", json!({"reason": "-"})).expect(202);
    shop.daemon.operator().delete(&format!("/agents/{id}")).expect(200);
    let rows = shop.daemon.operator().get("/api/operations?kind=archive&status=queued").expect(200).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["cancellable"]), (1, &json!(false)), "{rows}");
    let path = format!("/api/operations/{}", text(&rows[0], "id"));
    shop.daemon.operator().post(&format!("{path}/cancel"), json!({})).expect_error(409, "not_cancellable");
    shop.state().hangs = None;
    wait_until("it is archived", || shop.daemon.operator().get(&path).expect(200).json()["status"] == "succeeded");
    assert!(!shop.state().containers.contains_key("taos-agent-tar"));
}
