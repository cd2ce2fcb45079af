//! The source `taos-core`: the documentation in the binary, brought up to date at every start.

use rusqlite::Connection;
use serde_json::json;

use crate::notify::harness::all;
use crate::support::Daemon;

#[test]
fn a_start_with_the_same_documentation_writes_nothing() {
    let mut daemon = Daemon::start();
    let list = |daemon: &Daemon| daemon.operator().get("/api/knowledge/items?source_id=taos-core").expect(200).json();
    let before = list(&daemon);
    assert_eq!(before.as_array().unwrap().len(), taosd::docs::PAGES.len());
    let readme = before.as_array().unwrap().iter().find(|one| one["source_url"] == "/docs/agents/README").unwrap();
    assert_eq!((&readme["source_type"], &readme["categories"]), (&json!("agent-docs"), &json!(["agent-docs"])));
    for path in all(&before, "source_url") {
        daemon.anonymous().get(&path).expect(200);
    }
    assert_eq!(daemon.stop(), Some(0));
    let bytes = std::fs::read(daemon.database()).unwrap();
    daemon.spawn();
    assert_eq!(list(&daemon), before);
    assert_eq!(daemon.stop(), Some(0));
    // The restart wrote nothing except the last use of the token of this test.
    let db = Connection::open(daemon.database()).unwrap();
    let audited: i64 = db.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap();
    assert_eq!(audited, 2);
    assert_eq!(bytes.len(), std::fs::read(daemon.database()).unwrap().len());
}

/// The database is as a daemon with other documentation would have left it: one page has other words, one no longer
/// exists, one was not there yet.
#[test]
fn an_edited_page_changes_alone_and_ids_stay() {
    let mut daemon = Daemon::start();
    let list = |daemon: &Daemon| daemon.operator().get("/api/knowledge/items?source_id=taos-core").json();
    let before = list(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    let db = Connection::open(daemon.database()).unwrap();
    db.execute_batch(
        "UPDATE knowledge_items SET title = 'Oldtitle', content = '# Oldtitle quagga', content_hash = zeroblob(32), updated_at = 1
            WHERE path = '/docs/agents/getting-started';
        UPDATE knowledge_items SET path = '/docs/agents/vanished', content = 'dodo', content_hash = zeroblob(32)
            WHERE path = '/docs/agents/errors';",
    )
    .unwrap();
    drop(db);
    daemon.spawn();
    let after = list(&daemon);
    let id = |list: &serde_json::Value, path: &str| {
        list.as_array().unwrap().iter().find(|one| one["source_url"] == path).map(|one| one["id"].clone())
    };
    for (path, _) in taosd::docs::PAGES.iter().filter(|(path, _)| *path != "agents/errors") {
        let path = format!("/docs/{path}");
        assert_eq!(id(&before, &path), id(&after, &path), "{path}");
    }
    assert!(id(&after, "/docs/agents/vanished").is_none());
    assert!(id(&after, "/docs/agents/errors").is_some());
    let changed: Vec<_> =
        after.as_array().unwrap().iter().filter(|one| !before.as_array().unwrap().contains(one)).collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
    for gone in ["quagga", "dodo", "Oldtitle"] {
        assert_eq!(daemon.operator().get(&format!("/api/knowledge/search?q={gone}")).json(), json!([]), "{gone}");
    }
    let log = daemon.log_text();
    assert!(log.contains("1 pages new, 1 changed") && log.contains("1 removed"), "{log}");
}
