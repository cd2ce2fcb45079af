//! The assembled system prompt.

use rusqlite::Connection;
use serde_json::json;

use crate::notify::harness::all;
use crate::support::Daemon;

const PATH: &str = "/api/knowledge/system-prompt";

#[test]
fn whole_documents_only_the_daemons_first_and_the_rest_is_named() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    let items = json!({"items": [
        {"path": "1", "title": "One", "content": "# One\n\nshort"},
        {"path": "2", "title": "Two", "content": "x".repeat(5000)},
        {"path": "3", "title": "Three", "content": "also short"},
    ]});
    owner.put("/api/knowledge/sources/app:a", items).expect(200);
    let small = owner.get(&format!("{PATH}?source_id=app:a&max_bytes=1024")).expect(200).json();
    assert_eq!(small["prompt"], "# One\n\nshort\n\n---\n\n# Three\n\nalso short");
    assert_eq!(all(&small["items"], "title"), ["One", "Three"]);
    assert_eq!(all(&small["omitted"], "title"), ["Two"]);
    assert_eq!(small["truncated"], true);
    let whole = owner.get(&format!("{PATH}?source_id=app:a")).json();
    assert_eq!((all(&whole["items"], "title").len(), &whole["truncated"]), (3, &json!(false)));

    // The daemon's own pages come first. One that does not fit does not keep out later ones.
    let all_sources = owner.get(&format!("{PATH}?max_bytes=262144")).expect(200).json();
    let core = owner.get("/api/knowledge/items?source_id=taos-core&limit=500").json();
    let (core, pages) = (all(&core, "id"), core.as_array().unwrap().len());
    let ids = all(&all_sources["items"], "id");
    let of_core = ids.iter().take_while(|id| core.contains(id)).count();
    assert_eq!(of_core + all(&all_sources["omitted"], "id").iter().filter(|id| core.contains(id)).count(), pages);
    assert!(of_core > pages / 2, "{of_core} of {pages} pages are in the prompt");
    let others = all(&all_sources["items"], "title")[of_core..].to_vec();
    assert_eq!((others.first().map(String::as_str), others.last().map(String::as_str)), (Some("One"), Some("Three")));

    for bytes in [1024, 2000, 5021, 5022, 32_768] {
        let prompt = owner.get(&format!("{PATH}?max_bytes={bytes}")).json();
        assert!(prompt["prompt"].as_str().unwrap().len() <= bytes);
        let named = all(&prompt["items"], "id").len() + all(&prompt["omitted"], "id").len();
        assert_eq!(named, pages + 3);
    }
    for bad in ["max_bytes=1023", "max_bytes=262145", "max_bytes=x", "other=1"] {
        owner.get(&format!("{PATH}?{bad}")).expect_error(422, "validation_error");
    }
    let text = owner.with("Accept", "text/markdown").get(&format!("{PATH}?source_id=app:a&max_bytes=1024")).expect(200);
    assert_eq!(text.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert_eq!(text.header("vary"), Some("Accept"));
    assert_eq!(text.text(), small["prompt"].as_str().unwrap());
}

#[test]
fn where_nothing_is_known_a_short_text_says_where_to_begin() {
    let daemon = Daemon::start();
    let unknown = daemon.operator().get(&format!("{PATH}?source_id=app:none&max_bytes=1024")).expect(200).json();
    assert!(unknown["prompt"].as_str().unwrap().contains("GET /api"));
    assert_eq!(
        (&unknown["items"], &unknown["omitted"], &unknown["truncated"]),
        (&json!([]), &json!([]), &json!(false))
    );
    Connection::open(daemon.database()).unwrap().execute("DELETE FROM knowledge_items", []).unwrap();
    let empty = daemon.operator().get(PATH).expect(200).json();
    assert_eq!(empty["prompt"], unknown["prompt"]);
}
