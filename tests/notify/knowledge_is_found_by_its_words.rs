//! The search of knowledge.

use serde_json::{Value, json};

use crate::notify::harness::all;
use crate::support::Daemon;

fn daemon() -> Daemon {
    let daemon = Daemon::start();
    let items = json!({"items": [
        {"path": "a", "title": "Zebra crossing", "content": "Where one walks over a street.", "categories": ["road"]},
        {"path": "b", "title": "Animals", "content": "The zebra eats grass. It's a well-known Café guest: C++.", "categories": ["zoo", "road"]},
        {"path": "c", "title": "Grass", "content": "Grows. A street has none."},
    ]});
    daemon.operator().put("/api/knowledge/sources/app:zoo", items).expect(200);
    daemon
}

fn search(daemon: &Daemon, query: &str) -> Value {
    daemon.operator().get(&format!("/api/knowledge/search?source_id=app:zoo&{query}")).expect(200).json()
}

#[test]
fn all_words_must_match_and_titles_weigh_more() {
    let daemon = daemon();
    let found = search(&daemon, "q=zebra");
    assert_eq!(all(&found, "source_url"), ["a", "b"]);
    assert!(found[0]["score"].as_f64().unwrap() > found[1]["score"].as_f64().unwrap());
    assert!(found[1]["snippet"].as_str().unwrap().contains("zebra eats grass"));
    assert_eq!(found[0].get("content"), None);
    for (query, paths) in [
        ("q=zebra+grass", vec!["b"]),
        ("q=ZEBRA%20Grass", vec!["b"]),
        ("q=cafe", vec!["b"]),
        ("q=street+-+walks", vec!["a"]),
        ("q=nothing", vec![]),
        ("q=zebra&category=zoo", vec!["b"]),
        ("q=zebra&category=roa", vec![]),
        ("q=zebra&limit=1", vec!["a"]),
        ("q=zebra+OR+grass", vec![]),
        ("q=zeb*", vec![]),
        ("q=title:zebra", vec![]),
        ("q=-", vec![]),
        ("q=well-known", vec!["b"]),
    ] {
        assert_eq!(all(&search(&daemon, query), "source_url"), paths, "{query}");
    }
}

#[test]
fn nothing_in_a_query_is_syntax() {
    let daemon = daemon();
    for hostile in [
        "\"",
        "\"\"\"",
        "zebra\" OR \"grass",
        "NEAR(zebra grass)",
        "zebra AND",
        "(",
        ")",
        "^zebra",
        "{title}: x",
        "a:b:c",
        "*",
        "zebra'; DROP TABLE knowledge_items;--",
        "NOT",
        "+",
        "\\",
        "\u{301}",
        "🦓",
        "%",
        "zebra*\"",
        "-- ",
        "a\"b\"c",
    ] {
        let encoded: String = hostile.bytes().map(|b| format!("%{b:02X}")).collect();
        daemon.operator().get(&format!("/api/knowledge/search?q={encoded}")).expect(200);
    }
    for bad in ["", "q=", &format!("q={}", "x".repeat(201)), "q=x&limit=0", "q=x&limit=501", "q=%00"] {
        daemon.operator().get(&format!("/api/knowledge/search?{bad}")).expect_error(422, "validation_error");
    }
    daemon.operator().get("/api/knowledge/search?q=x&cursor=1").expect_error(400, "invalid_cursor");
    assert_eq!(all(&search(&daemon, "q=zebra"), "source_url").len(), 2);
}

#[test]
fn edited_words_are_found_and_old_ones_are_not() {
    let daemon = daemon();
    let items = json!({"items": [{"path": "b", "title": "Animals", "content": "The okapi eats leaves."}]});
    daemon.operator().put("/api/knowledge/sources/app:zoo", items).expect(200);
    assert_eq!(all(&search(&daemon, "q=okapi"), "source_url"), ["b"]);
    for gone in ["zebra", "grass", "crossing", "street"] {
        assert_eq!(search(&daemon, &format!("q={gone}")), json!([]), "{gone}");
    }
    daemon.operator().delete("/api/knowledge/sources/app:zoo").expect(204);
    assert_eq!(search(&daemon, "q=okapi"), json!([]));
}

#[test]
fn items_are_listed_by_filter_and_page() {
    let daemon = daemon();
    let list = |query: &str| daemon.operator().get(&format!("/api/knowledge/items?{query}")).expect(200);
    assert_eq!(all(&list("category=road").json(), "source_url"), ["a", "b"]);
    assert_eq!(all(&list("source_type=guide").json(), "source_url"), ["a", "b", "c"]);
    assert_eq!(list("source_type=agent-docs&category=zoo").json(), json!([]));
    let (mut next, mut paths) = (Some("source_id=app:zoo&limit=1".to_owned()), Vec::new());
    while let Some(query) = next {
        let page = list(&query);
        paths.extend(all(&page.json(), "source_url"));
        next = page.header("link").map(|l| l.split(['?', '>']).nth(1).unwrap().to_owned());
    }
    assert_eq!(paths, ["a", "b", "c"]);
    daemon.operator().get("/api/knowledge/items?cursor=x").expect_error(400, "invalid_cursor");
}
