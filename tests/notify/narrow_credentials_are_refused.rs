//! Every route needs exactly its own action.

use serde_json::json;

use crate::support::Daemon;

#[test]
fn each_route_needs_its_action() {
    let daemon = Daemon::start();
    for (method, path, action) in [
        ("POST", "/api/ui/notify", "ui.notify"),
        ("GET", "/api/notifications", "notifications.read"),
        ("GET", "/api/notifications/count", "notifications.read"),
        ("GET", "/api/notifications/stream", "notifications.read"),
        ("GET", "/api/notifications/x", "notifications.read"),
        ("POST", "/api/notifications/x/read", "notifications.update"),
        ("POST", "/api/notifications/read-all", "notifications.update"),
        ("DELETE", "/api/notifications/x", "notifications.delete"),
        ("GET", "/api/knowledge/items", "knowledge.read"),
        ("GET", "/api/knowledge/items/x", "knowledge.read"),
        ("GET", "/api/knowledge/search?q=x", "knowledge.read"),
        ("GET", "/api/knowledge/sources", "knowledge.read"),
        ("GET", "/api/knowledge/system-prompt", "knowledge.read"),
        ("PUT", "/api/knowledge/sources/app:x", "knowledge.write"),
        ("DELETE", "/api/knowledge/sources/app:x", "knowledge.write"),
    ] {
        let narrow = daemon.user_token("operator", &["agents.*"]);
        let refused = narrow.send(method, path, None).expect_error(403, "scope_denied").json();
        assert_eq!(refused["action"], action, "{method} {path}");
        daemon.anonymous().send(method, path, None).expect_error(401, "auth_required");
        let exact = daemon.user_token("operator", &[action]);
        let reply = exact.send(method, path.trim_end_matches("/stream"), None);
        assert!(![401, 403].contains(&reply.status), "{method} {path}: {}", reply.text());
    }
    let agent = {
        daemon.operator().post("/api/agents", json!({"name": "a"})).expect(200);
        crate::notify::harness::agent_token(&daemon, "a", json!({}))
    };
    // By default an agent may notify and search, but not write.
    agent.get("/api/knowledge/search?q=token").expect(200);
    agent.put("/api/knowledge/sources/app:x", json!({"items": []})).expect_error(403, "scope_denied");
}
