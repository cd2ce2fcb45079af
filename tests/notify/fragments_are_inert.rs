//! HTML fragments for requests with `HX-Request: true`.

use serde_json::json;

use crate::notify::harness::{agent, notify};
use crate::support::Daemon;

const HOSTILE: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";

#[test]
fn hostile_texts_come_out_as_text() {
    let daemon = Daemon::start();
    let atlas = agent(&daemon, "Atlas");
    atlas
        .post(
            "/api/ui/notify",
            json!({
                "title": HOSTILE,
                "body": HOSTILE,
                "action_url": "/x\"onmouseover=\"alert(1)\"<script>'",
                "app_origin": "app",
                "priority": "high",
            }),
        )
        .expect(200);
    let reply = daemon.operator().with("HX-Request", "true").get("/api/notifications").expect(200);
    let html = reply.text();
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("\"onmouseover"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), "{html}");
    assert!(html.starts_with("<div class=\"notif-item unread\" data-id=\""), "{html}");
    assert!(
        html.contains("<div class=\"notif-title\">") && html.contains("</div><div class=\"notif-meta\">"),
        "{html}"
    );
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("vary"), Some("HX-Request"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn the_badge_counts_and_an_empty_list_says_so() {
    let daemon = Daemon::start();
    let page = daemon.operator().with("HX-Request", "true");
    let list = page.get("/api/notifications").expect(200);
    assert!(list.text().contains("No notifications"));
    assert_eq!(
        page.get("/api/notifications/count").text().trim(),
        "<span class=\"notif-badge\" data-count=\"0\"></span>"
    );
    let ids: Vec<String> = (0..3).map(|n| notify(&daemon.operator(), &n.to_string())).collect();
    daemon.operator().post(&format!("/api/notifications/{}/read", ids[0]), json!({})).expect(200);
    let badge = page.get("/api/notifications/count").expect(200);
    assert_eq!(badge.text().trim(), "<span class=\"notif-badge\" data-count=\"2\">2</span>");
    assert_eq!(badge.header("vary"), Some("HX-Request"));
    let first = page.get("/api/notifications?limit=2").expect(200);
    assert_eq!(first.text().matches("data-id=").count(), 2);
    assert!(first.header("link").unwrap().contains("rel=\"next\""));
    // A JSON reply depends on the header as well.
    assert_eq!(daemon.operator().get("/api/notifications").header("vary"), Some("HX-Request"));
    assert_eq!(daemon.operator().with("HX-Request", "false").get("/api/notifications/count").json()["unread"], 2);
}
