//! Notifications.

use serde_json::json;

use super::{Case, case};
use crate::harness::Harness;
use crate::support::{Client, Reply, text};

fn notify(client: &Client, title: &str) -> Reply {
    client.post("/api/ui/notify", json!({"title": title, "body": "b"}))
}

/// Returns the reply to an agent that tries to change a notification that it sent.
fn alter_as_sender(w: &Harness, method: &str, rest: &str) -> Reply {
    let agent = w.daemon.agent_token(&w.agent(), &["*"]);
    let id = text(&notify(&agent, "mine").expect(200).json(), "notification_id");
    agent.send(method, &format!("/api/notifications/{id}{rest}"), None)
}

pub const CASES: &[Case] = &[
    case("ui_notify", "", |w| {
        let name = w.agent();
        let reply = notify(&w.daemon.agent_token(&name, &["ui.notify"]), "Hello").expect(200);
        let id = text(&reply.json(), "notification_id");
        let seen = w.operator().get(&format!("/api/notifications/{id}")).expect(200).json();
        assert_eq!((&seen["title"], &seen["source"]), (&json!("Hello"), &json!(format!("agent:{name}"))));
        reply
    }),
    case("ui_notify", "invalid_priority", |w| w.request_for("ui_notify").with("priority", "urgent").by(&w.operator())),
    case("ui_notify", "invalid_action_url", |w| {
        w.request_for("ui_notify").with("action_url", "javascript:alert(1)").by(&w.operator())
    }),
    case("notifications_list", "", |w| {
        let id = text(&notify(&w.operator(), "newest").expect(200).json(), "notification_id");
        let reply = w.operator().get("/api/notifications?limit=1").expect(200);
        assert_eq!(reply.json()[0]["id"], json!(id));
        reply
    }),
    case("notifications_count", "", |w| {
        let member = w.member();
        notify(&member, "one").expect(200);
        let reply = member.get("/api/notifications/count").expect(200);
        assert_eq!(reply.json(), json!({"unread": 1, "total": 1}));
        reply
    }),
    case("notifications_stream", "", |w| {
        let reply = w.operator().send("HEAD", "/api/notifications/stream", None).expect(200);
        assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
        reply
    }),
    case("notifications_stream", "too_many_streams", |_| {
        let none = Harness::with(&[("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "0")]);
        none.operator().get("/api/notifications/stream")
    }),
    case("notifications_get", "", |w| {
        let request = w.request_for("notifications_get");
        let reply = request.by(&w.operator()).expect(200);
        assert_eq!((&reply.json()["read"], &reply.json()["level"]), (&json!(false), &json!("normal")));
        reply
    }),
    case("notifications_get", "notification_not_found", |w| w.request_for("notifications_get").by(&w.member())),
    case("notifications_read", "", |w| {
        let request = w.request_for("notifications_read");
        let reply = request.by(&w.operator()).expect(200);
        let seen = w.operator().get(request.path.trim_end_matches("/read")).expect(200);
        assert_eq!((&reply.json(), &seen.json()["read"]), (&json!({"ok": true}), &json!(true)));
        reply
    }),
    case("notifications_read", "notification_not_found", |w| w.request_for("notifications_read").by(&w.member())),
    case("notifications_read", "forbidden", |w| alter_as_sender(w, "POST", "/read")),
    case("notifications_read_all", "", |w| {
        let member = w.member();
        notify(&member, "one").expect(200);
        let reply = member.send("POST", "/api/notifications/read-all", None).expect(200);
        assert_eq!(reply.json(), json!({"ok": true, "updated": 1}));
        assert_eq!(member.get("/api/notifications/count").json()["unread"], 0);
        reply
    }),
    case("notifications_read_all", "forbidden", |w| {
        w.daemon.agent_token(&w.agent(), &["*"]).send("POST", "/api/notifications/read-all", None)
    }),
    case("notifications_delete", "", |w| {
        let request = w.request_for("notifications_delete");
        let reply = request.by(&w.operator()).expect(204);
        w.operator().get(&request.path).expect_error(404, "notification_not_found");
        reply
    }),
    case("notifications_delete", "notification_not_found", |w| w.request_for("notifications_delete").by(&w.member())),
    case("notifications_delete", "forbidden", |w| alter_as_sender(w, "DELETE", "")),
];
