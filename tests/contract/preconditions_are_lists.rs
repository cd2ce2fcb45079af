//! `If-Match` as in the standard: a list, possibly over several lines, or `*`.

use serde_json::json;

use crate::support::{Daemon, Reply};

fn put(daemon: &Daemon, lines: &[&str]) -> Reply {
    let client = lines.iter().fold(daemon.operator(), |client, line| client.with("If-Match", line));
    client.put("/api/agents/a", json!({"host": "h"}))
}

#[test]
fn one_tag_that_matches_is_enough() {
    let daemon = Daemon::start();
    daemon.agent("a");
    put(&daemon, &[]).expect(200);
    // The record stays at revision 2 from here on, because the same change changes nothing.
    let good: &[&[&str]] =
        &[&["\"2\""], &["\"0\", \"2\""], &["\"0\"", "\"2\""], &["*"], &["W/\"2\", \"2\""], &[" \"2\" ,"]];
    for lines in good {
        put(&daemon, lines).expect(200);
    }
    let bad: &[&[&str]] = &[&["\"1\""], &["W/\"2\""], &["\"0\", \"1\""], &["2"], &[""], &["*", "\"2\""], &["\"2"]];
    for lines in bad {
        let reply = put(&daemon, lines).expect_error(412, "precondition_failed");
        assert_eq!(reply.json()["revision"], 2, "{lines:?}");
    }
    let etag = daemon.operator().get("/api/agents/a").expect(200).header("etag").map(str::to_owned);
    assert_eq!(etag.as_deref(), Some("\"2\""));
}
