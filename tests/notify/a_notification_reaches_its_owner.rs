//! Who sends a notification, who sees it, who may change it.

use serde_json::json;

use crate::notify::harness::{agent, agent_token, all, notify};
use crate::support::Daemon;

#[test]
fn an_agents_notification_is_its_owners_to_read_alter_and_delete() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    let agent = agent(&daemon, "Atlas");
    let sent = agent
        .post(
            "/api/ui/notify",
            json!({"title": "Ünïcode", "body": "two\nlines", "priority": "high", "app_origin": "store", "action_url": "/docs"}),
        )
        .expect(200)
        .json();
    let id = sent["notification_id"].as_str().unwrap();
    let seen = owner.get(&format!("/api/notifications/{id}")).expect(200).json();
    let created_at = seen["created_at"].clone();
    assert!(created_at.as_str().unwrap().ends_with('Z'));
    let agent_id = owner.get("/api/agents/atlas").json()["id"].clone();
    assert_eq!(
        seen,
        json!({
            "id": id, "timestamp": seen["timestamp"], "created_at": created_at, "level": "high", "title": "Ünïcode",
            "message": "two\nlines", "read": false, "source": "agent:atlas", "agent_id": agent_id,
            "app_origin": "store", "action_url": "/docs",
        })
    );
    assert!(seen["timestamp"].as_i64().unwrap() > 1_600_000_000);
    assert_eq!(owner.get("/api/notifications").expect(200).json(), json!([seen]));
    assert_eq!(owner.get("/api/notifications/count").expect(200).json(), json!({"unread": 1, "total": 1}));

    owner.post(&format!("/api/notifications/{id}/read"), json!({})).expect(200);
    assert_eq!(owner.get(&format!("/api/notifications/{id}")).json()["read"], true);
    assert_eq!(owner.get("/api/notifications/count").json(), json!({"unread": 0, "total": 1}));
    owner.delete(&format!("/api/notifications/{id}")).expect(204);
    owner.get(&format!("/api/notifications/{id}")).expect_error(404, "notification_not_found");
    owner.delete(&format!("/api/notifications/{id}")).expect_error(404, "notification_not_found");
    owner.post(&format!("/api/notifications/{id}/read"), json!({})).expect_error(404, "notification_not_found");
    assert_eq!(owner.get("/api/notifications/count").json(), json!({"unread": 0, "total": 0}));
}

#[test]
fn an_agent_sees_what_it_sent_and_may_not_alter_it() {
    let daemon = Daemon::start();
    let (atlas, other) = (agent(&daemon, "Atlas"), agent(&daemon, "Other"));
    let mine = notify(&atlas, "mine");
    let theirs = notify(&other, "theirs");
    assert_eq!(all(&atlas.get("/api/notifications").expect(200).json(), "title"), ["mine"]);
    assert_eq!(atlas.get("/api/notifications/count").json(), json!({"unread": 1, "total": 1}));
    atlas.get(&format!("/api/notifications/{theirs}")).expect_error(404, "notification_not_found");

    // Not even a token with every scope may do it.
    daemon.operator().put("/api/agents/atlas/permissions", json!({"scope": ["*"]})).expect(200);
    let wide = agent_token(&daemon, "atlas", json!({}));
    wide.post(&format!("/api/notifications/{mine}/read"), json!({})).expect_error(403, "forbidden");
    wide.delete(&format!("/api/notifications/{mine}")).expect_error(403, "forbidden");
    wide.post("/api/notifications/read-all", json!({})).expect_error(403, "forbidden");
    wide.delete(&format!("/api/notifications/{theirs}")).expect_error(404, "notification_not_found");
    assert_eq!(daemon.operator().get("/api/notifications/count").json(), json!({"unread": 2, "total": 2}));
}

#[test]
fn a_user_notifies_itself_and_sees_no_other_users() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    let id = notify(&ann, "note to self");
    let seen = ann.get(&format!("/api/notifications/{id}")).expect(200).json();
    assert_eq!((&seen["source"], &seen["agent_id"]), (&json!("user:ann"), &json!(null)));
    daemon.operator().get(&format!("/api/notifications/{id}")).expect_error(404, "notification_not_found");
    daemon.operator().delete(&format!("/api/notifications/{id}")).expect_error(404, "notification_not_found");
    assert_eq!(
        daemon.operator().post("/api/notifications/read-all", json!({})).json(),
        json!({"ok": true, "updated": 0})
    );
    assert_eq!(ann.get("/api/notifications/count").json(), json!({"unread": 1, "total": 1}));
    assert_eq!(ann.post("/api/notifications/read-all", json!({})).json(), json!({"ok": true, "updated": 1}));
    assert_eq!(ann.post("/api/notifications/read-all", json!({})).json(), json!({"ok": true, "updated": 0}));

    // A user's notifications are deleted with the user.
    daemon.operator().delete("/api/users/ann").expect(204);
    let db = rusqlite::Connection::open(daemon.database()).unwrap();
    let left: i64 = db
        .query_row(
            "SELECT (SELECT count(*) FROM notifications) + (SELECT count(*) FROM notification_counts)",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}
