//! The outbox is on disk with the notification: after a kill and a start the daemon delivers what no receiver has
//! accepted.

use serde_json::json;

use crate::channels::receiver::{Harness, Phone};

#[test]
fn a_kill_loses_no_delivery() {
    let mut harness = Harness::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let id = harness.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
    for nth in 0..3 {
        harness.notify(&format!("n{nth}"), "normal");
    }
    harness.daemon.kill();
    let back = Phone::named(&harness.authority, "localhost", port);
    harness.daemon.spawn();
    for nth in 0..3 {
        assert_eq!(back.next().body["title"], json!(format!("n{nth}")));
    }
    harness.eventually("nothing waits", || harness.record(&id)["delivery"]["waiting"] == json!(0));
}

#[test]
fn what_has_waited_for_more_than_a_day_is_dropped_without_another_attempt() {
    let mut harness = Harness::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let id = harness.channel("ntfy", &format!("https://localhost:{port}/topic"), None);
    harness.notify("old", "normal");
    harness.notify("new", "normal");
    harness.daemon.kill();
    let old = "(SELECT id FROM notifications WHERE title = 'old')";
    let aged = format!("UPDATE channel_outbox SET queued_at = queued_at - 259200000000 WHERE notification_id = {old}");
    assert_eq!(harness.daemon.execute(&aged, []), 1);
    let back = Phone::named(&harness.authority, "localhost", port);
    harness.daemon.spawn();
    assert_eq!(back.next().body["title"], json!("new"));
    harness.eventually("nothing waits", || harness.record(&id)["delivery"]["waiting"] == json!(0));
    assert!(harness.daemon.log_text().contains("waited for a day"));
}
