//! `Idempotency-Key` on `POST /api/ui/notify`.

use serde_json::json;

use crate::notify::harness::agent;
use crate::support::Daemon;

#[test]
fn the_same_key_gets_the_same_id_and_one_notification_even_after_a_restart() {
    let mut daemon = Daemon::start();
    let agent = agent(&daemon, "Atlas");
    let token = agent.token().to_owned();
    let body = json!({"title": "once", "body": "b"});
    let first = agent.with("Idempotency-Key", "k1").post("/api/ui/notify", body.clone()).expect(200);
    assert_eq!(first.header("idempotent-replayed"), None);
    daemon.restart();
    let agent = daemon.client(&token);
    let again = agent.with("Idempotency-Key", "k1").post("/api/ui/notify", body.clone()).expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    assert_eq!(daemon.operator().get("/api/notifications/count").json()["total"], 1);
    agent
        .with("Idempotency-Key", "k1")
        .post("/api/ui/notify", json!({"title": "other", "body": "b"}))
        .expect_error(422, "idempotency_key_reused");
    agent.with("Idempotency-Key", "").post("/api/ui/notify", body).expect_error(400, "invalid_idempotency_key");
}
