//! While the outbox cannot be written, a message that was accepted is noted again and again, but not sent again.

use std::time::Duration;

use serde_json::json;

use crate::channels::receiver::{Harness, Manner, Phone};
use crate::support::Daemon;

/// Stands for a disk on which the outbox cannot be written.
fn fails(daemon: &Daemon) {
    daemon.execute(
        "CREATE TRIGGER outbox_fails BEFORE DELETE ON channel_outbox BEGIN SELECT RAISE(ABORT, 'no'); END",
        [],
    );
}

#[test]
fn one_copy_is_sent_whether_it_is_accepted_or_refused() {
    for answer in [200, 403] {
        let harness = Harness::new();
        let phone = Phone::start(&harness.authority);
        phone.behaves(Manner::Answers(answer));
        let id = harness.channel("ntfy", &format!("https://localhost:{}/topic", phone.port), None);
        fails(&harness.daemon);
        harness.notify("one", "normal");
        harness.notify("two", "normal");
        assert_eq!(phone.next().body["title"], json!("one"));
        assert!(phone.is_quiet(Duration::from_secs(4)), "{answer}: it is sent once");
        assert_eq!(harness.record(&id)["delivery"]["waiting"], json!(2));
        harness.daemon.execute("DROP TRIGGER outbox_fails", []);
        assert_eq!(phone.next().body["title"], json!("two"), "the first was only noted");
        harness.eventually("nothing waits", || harness.record(&id)["delivery"]["waiting"] == json!(0));
    }
}
