//! A read has a time limit. A longer read is cut and refused, and the worker is free again.

use crate::fill::knowledge;
use crate::support::Daemon;

#[test]
fn a_read_over_its_time_is_cut_and_writes_go_on() {
    let daemon = Daemon::with(&[], &[("TAOSD_READ_TIMEOUT_MS", "10")]);
    knowledge(&daemon, 80, 500, |number| format!("some words of {number}"));
    // Every item matches, and its rank must be computed.
    let looked_for = "/api/knowledge/search?q=some+words+of";
    let cut = daemon.operator().get(looked_for).expect_error(503, "read_too_slow");
    assert_eq!(cut.header("retry-after"), Some("1"));
    // Small reads get replies, also on the same connection to the database, and no write is lost.
    for number in 0..8 {
        let name = format!("agent-{number}");
        daemon.agent(&name);
        daemon.operator().get(looked_for).expect_error(503, "read_too_slow");
        daemon.operator().get(&format!("/api/agents/{name}")).expect(200);
    }
}

#[test]
fn a_query_of_a_hundred_words_costs_what_one_of_eight_does() {
    let daemon = Daemon::start();
    // A text with one word thirty thousand times. Each position matches each word of the query.
    knowledge(&daemon, 1, 4, |_| "a ".repeat(32_000));
    let client = daemon.operator();
    for query in ["a+".repeat(100), (0..40).map(|n| format!("a+w{n}+")).collect(), "a-".repeat(100)] {
        let query = query[..query.len().min(190)].trim_end_matches('+');
        client.get(&format!("/api/knowledge/search?q={query}")).expect(200);
    }
    let found = client.get("/api/knowledge/search?q=a&source_id=s0000").expect(200).json();
    assert_eq!(found.as_array().expect("a list").len(), 4);
    assert_eq!(found[0]["snippet"], format!("{}…", "a ".repeat(24).trim_end()));
}
