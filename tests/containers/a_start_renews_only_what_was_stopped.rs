//! A token that waits for a restart is delivered once the agent's processes are new. Starting a container that runs
//! already changes nothing in it, so the token goes on waiting.

use serde_json::json;

use crate::pretend::Pretend;

#[test]
fn a_start_of_a_running_container_does_not_count_as_its_restart() {
    let shop = Pretend::start();
    let delivery = |name: &str| shop.daemon.record(name)["token_delivery"].clone();
    for (name, status) in [("runs", "Running"), ("rests", "Frozen"), ("stopped", "Stopped")] {
        shop.agent(name, status);
        let waits = "UPDATE agents SET token_delivery = 'pending_restart', token_delivery_boot = ?1 WHERE slug = ?2";
        shop.daemon.execute(waits, ["7@then", name]);
        shop.act("POST", &format!("/api/agents/{name}/start")).expect(200);
        assert_eq!(shop.status(&format!("taos-agent-{name}")), "Running");
        assert_eq!(delivery(name), if status == "Stopped" { "delivered" } else { "pending_restart" }, "{name}");
    }
    shop.act("POST", "/api/agents/bulk/start").expect(200);
    assert_eq!([delivery("runs"), delivery("rests")], [json!("pending_restart"), json!("pending_restart")]);
    shop.act("POST", "/api/agents/runs/restart").expect(200);
    assert_eq!(delivery("runs"), "delivered");
    shop.act("POST", "/api/agents/rests/stop").expect(200);
    assert_eq!(delivery("rests"), "delivered");
}
