//! The rate limit `notify_per_minute`.

use serde_json::json;

use crate::notify::harness::{agent, agent_token, notify};
use crate::support::Daemon;

#[test]
fn a_principal_that_used_up_its_minute_waits_whatever_token_it_uses() {
    let daemon = Daemon::with(&[], &[("TAOSD_NOTIFY_PER_MINUTE", "3")]);
    let (atlas, other) = (agent(&daemon, "Atlas"), agent(&daemon, "Other"));
    for _ in 0..3 {
        notify(&atlas, "t");
    }
    let refused = atlas.post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect_error(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    let fresh = agent_token(&daemon, "atlas", json!({}));
    fresh.post("/api/ui/notify", json!({"title": "t", "body": "b"})).expect_error(429, "rate_limited");
    fresh.get("/api/notifications").expect(200);
    notify(&other, "t");
    assert_eq!(daemon.operator().get("/api/notifications/count").json()["total"], 4);
}

#[test]
fn it_is_off_where_requests_have_no_rate() {
    let env = [("TAOSD_NOTIFY_PER_MINUTE", "1"), ("TAOSD_REQUESTS_PER_MINUTE", "0")];
    let daemon = Daemon::with(&[], &env);
    let atlas = agent(&daemon, "Atlas");
    for _ in 0..5 {
        notify(&atlas, "t");
    }
}
