//! The page Box: the button that checks the database, and the result.

use serde_json::json;

use crate::site::Site;
use crate::support::Daemon;

const CHECK: &str = "POST /api/database/check?wait=5";

#[test]
fn an_admin_presses_the_button_and_reads_the_result() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let page = site.get("/ui/box").expect(200).text();
    assert!(page.contains("Not checked since the daemon started") && page.contains(CHECK), "{page}");
    let done = site.act(CHECK, &[("_back", "/ui/box#database")]).expect(303);
    let next = done.header("location").expect("a page").replace("#database", "");
    let page = site.get(&next).expect(200).text();
    for shown in ["Database check: the result is below.", "The database is sound.", "foreign keys", "audit chain"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let conn = rusqlite::Connection::open(daemon.database()).expect("the database");
    conn.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO agent_names (agent_id) VALUES ('nobody');")
        .expect("a row");
    drop(conn);
    site.act(CHECK, &[("_back", "/ui/box#database")]).expect(303);
    let page = site.get("/ui/box").expect(200).text();
    assert!(page.contains("The database is damaged.") && page.contains("1 rows point nowhere"), "{page}");
    // A member has no such button.
    daemon.operator().post("/api/users", json!({"username": "ann"})).expect(201);
    let ann = Site::of(&daemon, daemon.user_token("ann", &["*"]).token());
    assert!(!ann.get("/ui/box").expect(200).text().contains("/api/database/check"));
}
