//! The channels of a disabled user are silent. What has waited for less than a day is sent when the user is enabled again.

use std::time::Duration;

use serde_json::json;

use crate::channels::receiver::{Harness, Phone};
use crate::support::text;

#[test]
fn neither_old_nor_new_notifications_leave_the_box() {
    let harness = Harness::new();
    let phone = Phone::start(&harness.authority);
    let (daemon, operator) = (&harness.daemon, harness.daemon.operator());
    let ann = daemon.member("ann", &["*"]);
    let body = json!({"kind": "ntfy", "url": format!("https://localhost:{}/topic", phone.port), "min_level": "low"});
    let id = text(&ann.post("/api/users/ann/channels", body).expect(201).json(), "id");
    ann.post("/api/ui/notify", json!({"title": "enabled", "body": "b"})).expect(200);
    assert_eq!(phone.next().body["title"], json!("enabled"));
    operator.patch("/api/users/ann", json!({"disabled": true})).expect(200);
    // As what the daemon has to say of her agents.
    daemon.execute(
        "INSERT INTO notifications (id, user_id, source, level, title, message, created_at)
        SELECT '00000000-0000-7000-8000-000000000001', id, 'taosd', 'high', 'disabled', 'm', ?1 FROM users
        WHERE username = 'ann'",
        [now()],
    );
    harness.notify("nudges the sender", "normal");
    assert!(phone.is_quiet(Duration::from_secs(2)));
    let waiting = "SELECT count(*) FROM channel_outbox WHERE channel_id = ?1";
    assert_eq!(daemon.number(waiting, [&id]), 1);
    operator.patch("/api/users/ann", json!({"disabled": false})).expect(200);
    harness.notify("nudges the sender", "normal");
    assert_eq!(phone.next().body["title"], json!("disabled"));
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_micros()).expect("a time")
}
