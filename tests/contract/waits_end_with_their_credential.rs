//! Who waits for something is told of it only while the credential still opens the route.

use std::time::Duration;

use serde_json::json;

use crate::harness::Harness;
use crate::support::text;

#[test]
fn an_operation_is_told_to_nobody_whose_token_was_revoked_meanwhile() {
    let w = Harness::new();
    let (operator, name) = (w.operator(), w.agent());
    let agent_id = text(&w.daemon.record(&name), "id");
    let op = w.operation("stop", "queued", Some(&agent_id));
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    w.daemon.grant("user:ann", &agent_id, "viewer");
    let made = operator.post("/api/users/ann/tokens", json!({"scope": ["*"]})).expect(201).json();
    let ann = w.daemon.client(&text(&made, "token"));
    ann.get(&format!("/api/operations/{op}?wait=1")).expect(200);
    let reply = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ann.get(&format!("/api/operations/{op}?wait=3")));
        std::thread::sleep(Duration::from_millis(700));
        operator.delete(&format!("/api/users/ann/tokens/{}", text(&made, "id"))).expect(204);
        waiting.join().expect("no panic")
    });
    reply.expect_error(401, "invalid_token");
}
