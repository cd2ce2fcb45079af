//! A rotation reaches its container, and then the database cannot be written: the container has a token that was never
//! activated. The daemon gives it another one without a restart.

use serde_json::json;

use crate::pretend::Pretend;
use crate::support::wait_until;

fn token_inside(shop: &Pretend) -> String {
    shop.state().containers["taos-agent-worker"].1["environment.TAOS_TOKEN"].as_str().expect("a token").to_owned()
}

/// Rotates a token, then rotates it again while its activation cannot be written, in a container of this status.
fn replaced_in(status: &str) {
    let shop = Pretend::start();
    let id = shop.agent("worker", status);
    let operator = shop.daemon.operator();
    // What was rotated in this run counts as revoked in it.
    for _ in 0..2 {
        operator.post("/api/agents/worker/token/issue", json!({})).expect(200);
    }
    let before = token_inside(&shop);
    // Stands for a disk on which the activation cannot be committed.
    shop.daemon.execute(
        "CREATE TRIGGER no_activation BEFORE UPDATE OF state ON credentials WHEN NEW.state = 'active'
            BEGIN SELECT RAISE(ABORT, 'no'); END",
        [],
    );
    let refused = operator.post("/api/agents/worker/token/issue", json!({}));
    assert!(refused.status >= 500, "{}", refused.status);
    let dead = token_inside(&shop);
    assert_ne!(dead, before);
    shop.daemon.client(&dead).get("/api/auth/whoami").expect(401);
    shop.daemon.client(&before).get("/api/auth/whoami").expect(200);
    shop.wait_for_request("GET /1.0/instances?recursion=1");
    shop.daemon.execute("DROP TRIGGER no_activation", []);
    let count = |state: &str| {
        let sql = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state = ?2";
        shop.daemon.number(sql, [id.as_str(), state])
    };
    wait_until("the old one ends", || count("revoked") == 2 && count("pending") == 0);
    assert_eq!(count("active"), 1);
    let now = shop.daemon.client(&token_inside(&shop)).get("/api/auth/whoami").expect(200).json();
    assert_eq!(now["agent_id"], json!(id));
    shop.daemon.client(&before).get("/api/auth/whoami").expect_error(401, "invalid_token");
}

#[test]
fn a_running_container_gets_a_token_that_works() {
    replaced_in("Running");
}

#[test]
fn a_stopped_container_gets_a_token_that_works() {
    replaced_in("Stopped");
}

#[test]
fn a_token_that_was_revoked_meanwhile_does_not_come_back() {
    let shop = Pretend::start();
    let id = shop.agent("worker", "Running");
    let operator = shop.daemon.operator();
    operator.post("/api/agents/worker/token/issue", json!({})).expect(200);
    let before = token_inside(&shop);
    shop.state().holds = Some("PATCH /1.0/instances/taos-agent-worker");
    std::thread::scope(|scope| {
        let asker = shop.daemon.operator();
        let rotation = scope.spawn(move || asker.post("/api/agents/worker/token/issue", json!({})));
        wait_until("the container has it", || token_inside(&shop) != before);
        operator.delete("/api/agents/worker/token").expect(204);
        shop.state().holds = None;
        rotation.join().unwrap().expect_error(502, "delivery_failed");
    });
    for token in [&before, &token_inside(&shop)] {
        shop.daemon.client(token).get("/api/auth/whoami").expect(401);
    }
    // The reconciler has looked at a list that it got after the revocation.
    for _ in 0..3 {
        shop.wait_for_request("GET /1.0/instances?recursion=1");
    }
    let live = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND state != 'revoked'";
    assert_eq!(shop.daemon.number(live, [&id]), 0);
}
