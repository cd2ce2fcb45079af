//! A corrected channel does not wait out the pause of its failures, and the end of an attempt at the old address decides
//! nothing about the new one.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::channels::receiver::{Authority, Harness, Manner, Phone};

/// As the pause of a channel that has failed this often, in seconds.
const PAUSE: Duration = Duration::from_secs(8);

#[test]
fn the_pause_of_its_failures_ends() {
    let harness = Harness::new();
    let (stranger, phone) = (Phone::start(&Authority::new()), Phone::start(&harness.authority));
    let url = |phone: &Phone| format!("https://localhost:{}/topic", phone.port);
    let id = harness.channel("ntfy", &url(&stranger), None);
    harness.notify("one", "normal");
    harness.eventually("four attempts have failed", || {
        harness.record(&id)["delivery"]["failures"].as_i64().is_some_and(|failures| failures >= 4)
    });
    let begun = Instant::now();
    harness
        .daemon
        .operator()
        .patch(&format!("/api/users/operator/channels/{id}"), json!({"url": url(&phone)}))
        .expect(200);
    assert_eq!(phone.next().body["title"], json!("one"));
    assert!(begun.elapsed() < PAUSE / 2, "{:?}", begun.elapsed());
}

#[test]
fn the_end_of_an_attempt_at_the_old_address_does_not_count() {
    let harness = Harness::new();
    let (old, new) = (Phone::start(&harness.authority), Phone::start(&harness.authority));
    old.behaves(Manner::Hangs);
    let url = |phone: &Phone| format!("https://localhost:{}/topic", phone.port);
    let id = harness.channel("ntfy", &url(&old), None);
    harness.notify("one", "normal");
    assert_eq!(old.next().body["title"], json!("one"));
    // The attempt at the old address still runs.
    harness
        .daemon
        .operator()
        .patch(&format!("/api/users/operator/channels/{id}"), json!({"url": url(&new)}))
        .expect(200);
    assert_eq!(new.next().body["title"], json!("one"));
    harness.eventually("it is well", || harness.record(&id)["delivery"]["waiting"] == json!(0));
    assert_eq!(harness.record(&id)["delivery"]["failures"], json!(0));
    assert!(old.is_quiet(Duration::from_millis(100)));
}
