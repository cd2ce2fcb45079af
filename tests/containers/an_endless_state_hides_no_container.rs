//! Root in a container adds so many addresses that the runtime's word on its state is too long to be read. The container
//! is managed all the same, and the others stay in the list.

use serde_json::json;

use crate::pretend::Pretend;

const HOSTILE: &str = "taos-agent-hostile";

fn shop() -> Pretend {
    let shop = Pretend::start();
    shop.agent("hostile", "Running");
    shop.agent("worker", "Running");
    shop.state().endless = Some(HOSTILE);
    shop
}

#[test]
fn it_is_frozen_restarted_and_archived() {
    let shop = shop();
    let operator = shop.daemon.operator();
    let freeze = operator.post("/api/agents/hostile/freeze?wait=20", json!({"reason": "an alarm"})).expect(200).json();
    assert_eq!(freeze["containers"]["hostile"], json!({"success": true}), "{freeze}");
    assert_eq!(shop.status(HOSTILE), "Frozen");
    shop.act("POST", "/api/agents/hostile/thaw").expect(200);
    assert_eq!(shop.status(HOSTILE), "Running");
    shop.act("POST", "/api/agents/hostile/restart").expect(200);
    shop.act("DELETE", "/api/agents/hostile").expect(200);
    assert!(!shop.state().containers.contains_key(HOSTILE), "it has its archive name");
}

#[test]
fn the_list_has_all_containers() {
    let shop = shop();
    let listed = shop.daemon.operator().get("/api/agents/containers").expect(200).json();
    let rows = listed.as_array().expect("a list");
    for name in ["hostile", "worker"] {
        let row = rows.iter().find(|row| row["agent_name"] == name).expect("a row");
        assert_eq!(row["status"], "running", "{listed}");
    }
}
