//! A user's heartbeat is taken without effect, and what only an agent's credential can do is refused with that reason.

use serde_json::json;

use crate::ax::client::{secret, token, user_key};
use crate::support::Daemon;

#[test]
fn a_users_heartbeat_has_no_effect_and_its_reports_are_refused_with_the_reason() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({"name": "k"}));
    let user = token(&daemon, secret(&key), "user_access");
    let beat = user.post("/api/v1/agents/heartbeat", json!({})).expect(200).json();
    assert_eq!(beat, json!({"ok": true, "ttl_seconds": 120}));
    let report = json!({"tool_name": "grep", "message_id": "m", "status": "working"});
    for path in ["/api/v1/tool-calls", "/api/v1/agents/processing-status"] {
        let refused = user.post(path, report.clone()).expect(403).text();
        assert!(refused.contains("Only an agent's credential can do this"), "{path}: {refused}");
        assert!(!refused.contains("agents.processing"), "no scope would help: {refused}");
    }
}
