//! Channels belong to a user: members see and change only their own, admins all. Their number is bounded, and their
//! settings are checked.

use serde_json::json;

use crate::channels::receiver::Harness;

#[test]
fn members_have_their_own_and_admins_all() {
    let harness = Harness::new();
    let (mia, operator) = (harness.daemon.member("mia", &["*"]), harness.daemon.operator());
    let body = || json!({"kind": "ntfy", "url": "https://ntfy.sh/mias-topic"});
    let hers = mia.post("/api/users/mia/channels", body()).expect(201).json();
    let path = format!("/api/users/mia/channels/{}", hers["id"].as_str().unwrap());
    for refused in [
        mia.get("/api/users/operator/channels"),
        mia.post("/api/users/operator/channels", body()),
        mia.get("/api/users/nobody/channels"),
    ] {
        refused.expect_error(404, "user_not_found");
    }
    assert_eq!(operator.get("/api/users/mia/channels").expect(200).json()[0]["id"], hers["id"]);
    // Under one's own name, another user's channel is not found.
    let own = path.replace("/mia/", "/operator/");
    operator.patch(&own, json!({"min_level": "low"})).expect_error(404, "channel_not_found");
    let changed = mia.patch(&path, json!({"min_level": "high", "events": ["request", "freeze"]})).expect(200).json();
    assert_eq!((&changed["min_level"], &changed["events"]), (&json!("high"), &json!(["request", "freeze"])));
    assert_eq!(changed["url"], json!("https://ntfy.sh/mias-topic"));
    mia.delete(&path).expect(204);
    mia.delete(&path).expect_error(404, "channel_not_found");
    // An agent has no access to the channels of its owner.
    harness.daemon.agent("atlas");
    let agent = harness.daemon.agent_token("atlas", &["channels.*"]);
    agent.get("/api/users/operator/channels").expect_error(404, "user_not_found");
    for _ in 0..8 {
        mia.post("/api/users/mia/channels", body()).expect(201);
    }
    mia.post("/api/users/mia/channels", body()).expect_error(409, "limit_reached");
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    let harness = Harness::new();
    let post = |body: serde_json::Value| harness.daemon.operator().post("/api/users/operator/channels", body);
    for bad in [
        json!({"kind": "ntfy", "url": "https://ntfy.sh/"}),
        json!({"kind": "telegram", "url": "https://api.telegram.org/", "secret": "1:a"}),
        json!({"kind": "telegram", "url": "https://api.telegram.org/?chat_id=1"}),
        json!({"kind": "gotify", "url": "https://gotify.example/"}),
        json!({"kind": "webhook", "url": "https://a.example/", "secret": "short"}),
        json!({"kind": "webhook", "url": "https://a.example/"}),
        json!({"kind": "ntfy", "url": "https://u:p@ntfy.sh/t"}),
        json!({"kind": "ntfy", "url": "ftp://ntfy.sh/t"}),
        json!({"kind": "ntfy", "url": "x"}),
    ] {
        post(bad).expect_error(422, "channel_not_fit");
    }
    for bad in [
        json!({"kind": "sms", "url": "https://a.example/t"}),
        json!({"kind": "ntfy", "url": "https://a.example/t", "events": ["other"]}),
        json!({"kind": "ntfy", "url": "https://a.example/t", "min_level": "urgent"}),
        json!({"kind": "ntfy", "url": "https://a.example/t", "secret": "a b"}),
        json!({"kind": "ntfy", "url": format!("https://a.example/{}", "t".repeat(1024))}),
        json!({"url": "https://a.example/t"}),
    ] {
        post(bad).expect_error(422, "validation_error");
    }
}
