//! A backup writes as much as the database is large, so their number per hour is limited.

use serde_json::json;

use crate::support::Daemon;

#[test]
fn the_backups_of_an_hour_can_be_used_up_by_no_token_for_the_socket() {
    let daemon = Daemon::start();
    let ask = || daemon.operator().post("/api/backups?wait=60", json!({}));
    for n in 0..30 {
        let reply = ask();
        assert_eq!(reply.status, 200, "{n}: {}", reply.text());
    }
    let refused = ask().expect_error(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert_eq!(daemon.operator().get("/api/backups").expect(200).json().as_array().map(Vec::len), Some(7));
    daemon.on_socket().post("/api/backups?wait=60", json!({})).expect(200);
}
