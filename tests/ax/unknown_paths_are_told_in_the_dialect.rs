//! Paths and methods that do not exist, and the public replies that keep clients working.

use serde_json::json;

use crate::support::{AxReply, Daemon};

#[test]
fn an_unknown_path_is_a_404_in_the_dialects_envelope() {
    let daemon = Daemon::start();
    for path in ["/api/v1/nothing", "/auth/register", "/credentials/a/b", "/agents/manage/a/b", "/api/spaces/x"] {
        daemon.operator().get(path).expect_ax(404, "not_found");
    }
    let ack = "/api/v1/agents/a/placement/ack";
    daemon.operator().patch(ack, json!({})).expect_ax(404, "not_found");
    let reply = daemon.operator().get("/auth/exchange");
    assert_eq!(reply.header("allow"), Some("OPTIONS, POST"));
    reply.expect_ax(405, "method_not_allowed");
}

#[test]
fn a_trailing_slash_is_the_same_route_and_is_never_redirected() {
    let daemon = Daemon::start();
    daemon.operator().get("/api/v1/spaces/").expect(200);
    daemon.operator().get("/auth/me/").expect(200);
}

#[test]
fn public_answers_need_no_credential_and_are_throttled() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    assert_eq!(daemon.anonymous().get("/health").expect(200).json(), json!({"status": "ok"}));
    let report = || daemon.anonymous().post("/api/v1/security/honeypot", json!({"event": "x", "fingerprint": {}}));
    for _ in 0..3 {
        assert_eq!(report().expect(202).json(), json!({"ok": true}));
    }
    report().expect_ax(429, "rate_limited");
}
