//! The runtime renames a container, its reply is lost, and it cannot be asked for a moment. The container has another
//! name than the record then. It is found all the same, by a repeated restore and by a purge.

use crate::pretend::Pretend;

/// Archives the agent and loses the reply to the rename of its restore.
fn lost(shop: &Pretend, name: &str) -> String {
    let id = shop.agent(name, "Running");
    shop.act("DELETE", &format!("/api/agents/{name}")).expect(200);
    shop.state().loses = Some("POST /1.0/instances/taos-archived-");
    shop.act("POST", &format!("/api/agents/archived/{id}/restore")).expect_error(502, "container_failed");
    let mut state = shop.state();
    (state.loses, state.away) = (None, false);
    assert!(state.containers.contains_key(&format!("taos-agent-{name}")), "it was renamed");
    id
}

#[test]
fn a_second_restore_finds_the_container_though_its_name_is_taken() {
    let shop = Pretend::start();
    let id = lost(&shop, "worker");
    let other = lost(&shop, "other");
    shop.daemon.agent("other");
    for (id, container) in [(id, "taos-agent-worker"), (other, "taos-agent-other-2")] {
        shop.act("POST", &format!("/api/agents/archived/{id}/restore")).expect(200);
        assert_eq!(shop.status(container), "Running");
    }
    assert_eq!(shop.state().containers.len(), 2);
}

#[test]
fn a_purge_deletes_the_container_and_no_other() {
    let shop = Pretend::start();
    let id = lost(&shop, "worker");
    shop.act("DELETE", &format!("/api/agents/archived/{id}")).expect(200);
    assert!(shop.state().containers.is_empty());

    let id = lost(&shop, "worker");
    let stranger = serde_json::json!("stranger");
    let config = |state: &mut crate::pretend::Pretended| {
        let told = state.containers.get_mut("taos-agent-worker").expect("it is there");
        told.1.insert("user.taosd.owner".to_owned(), stranger.clone());
    };
    config(&mut shop.state());
    shop.act("DELETE", &format!("/api/agents/archived/{id}")).expect(200);
    assert_eq!(shop.state().containers.len(), 1, "it is somebody else's");
}
