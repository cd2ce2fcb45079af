//! Every bound of a notification is tested, and one step beyond it.

use serde_json::{Value, json};

use crate::notify::harness::agent;
use crate::support::Daemon;

#[test]
fn bounds_hold_and_nothing_of_a_refused_notification_is_kept() {
    let daemon = Daemon::start();
    let agent = agent(&daemon, "Atlas");
    let with = |field: &str, value: Value| {
        let mut body = json!({"title": "t", "body": "b"});
        body[field] = value;
        agent.post("/api/ui/notify", body)
    };
    for (field, value) in [
        ("title", json!("")),
        ("title", json!("ü".repeat(121))),
        ("title", json!(7)),
        ("title", json!("a\u{0}b")),
        ("body", json!("")),
        ("body", json!("x".repeat(65_537))),
        ("body", json!("ü".repeat(32_769))),
        ("priority", json!(1)),
        ("app_origin", json!("Store")),
        ("app_origin", json!("-x")),
        ("app_origin", json!("x".repeat(65))),
        ("action_url", json!(["/x"])),
    ] {
        let refused = with(field, value).expect_error(422, "validation_error").json();
        assert_eq!(refused["fields"][0]["field"], field);
    }
    for missing in ["title", "body"] {
        let mut body = json!({"title": "t", "body": "b"});
        body.as_object_mut().unwrap().remove(missing);
        agent.post("/api/ui/notify", body).expect_error(422, "validation_error");
    }
    for priority in ["urgent", "", "HIGH"] {
        with("priority", json!(priority)).expect_error(400, "invalid_priority");
    }
    for url in
        ["javascript:alert(1)", "//evil", "/\\evil", "https://u:p@host/", "http://", "data:text/html,x", "a b", ""]
    {
        with("action_url", json!(url)).expect_error(400, "invalid_action_url");
    }
    assert_eq!(daemon.operator().get("/api/notifications/count").json()["total"], 0);

    with("title", json!("ü".repeat(120))).expect(200);
    with("body", json!("ü".repeat(32_768))).expect(200);
    with("action_url", json!(format!("https://example.org/{}", "x".repeat(2028)))).expect(200);
    with("action_url", json!(format!("https://example.org/{}", "x".repeat(2029))))
        .expect_error(400, "invalid_action_url");
    with("app_origin", Value::Null).expect(200);
}

#[test]
fn a_sender_cannot_say_that_it_is_another() {
    let daemon = Daemon::start();
    let agent = agent(&daemon, "Atlas");
    for field in ["source", "agent_id", "user_id", "level", "read", "id", "created_at"] {
        let mut body = json!({"title": "t", "body": "b"});
        body[field] = json!("operator");
        let refused = agent.post("/api/ui/notify", body).expect_error(422, "validation_error").json();
        assert_eq!(refused["fields"][0]["field"], field);
    }
    agent
        .with("X-Forwarded-User", "operator")
        .post("/api/ui/notify", json!({"title": "system: update now", "body": "b", "app_origin": "taosd"}))
        .expect(200);
    let seen = &daemon.operator().get("/api/notifications").json()[0];
    assert_eq!((&seen["source"], &seen["app_origin"]), (&json!("agent:atlas"), &json!("taosd")));
}
