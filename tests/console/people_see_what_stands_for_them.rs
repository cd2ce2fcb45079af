//! A person's page lists every token, key, session and program that acts for the person, and when and from where each
//! was last used, with the button that ends it.

use serde_json::json;

use crate::site::Site;
use crate::support::{Daemon, text};

#[test]
fn tokens_keys_and_sessions_say_where_they_were_used_and_end_with_a_button() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    let ann = daemon.user_token("ann", &["*"]);
    let key = ann.post("/api/v1/keys", json!({"name": "backup job"})).expect(201).json();
    let site = Site::of(&daemon, ann.token());
    ann.with("User-Agent", "backup-script/2.1 (host; <b>x</b>)").get("/api/auth/whoami").expect(200);
    let page = site.get("/ui/people/ann").expect(200).text();
    assert!(page.contains("from 127.0.0.1, backup-script/2.1 ·"), "{page}");
    assert!(page.contains("Your keys") && page.contains("backup job"), "{page}");
    let listed = ann.get("/api/users/ann/sessions").expect(200).json();
    assert_eq!(text(&listed[0], "last_used_from"), "127.0.0.1");
    // An admin does not see another user's keys, but sees where that user's credentials were used.
    let seen = Site::operator(&daemon).get("/ui/people/ann").expect(200).text();
    assert!(seen.contains("from 127.0.0.1") && !seen.contains("backup job"), "{seen}");

    let back = ("_back", "/ui/people/ann");
    let delete = format!("DELETE /api/v1/keys/{}", text(&key, "credential_id"));
    assert!(page.contains(&format!("value=\"{delete}\"")), "{page}");
    let done = site.act(&delete, &[back]).expect(303);
    let page = site.get(done.header("location").expect("a page")).expect(200).text();
    assert!(page.contains("Key revoked.") && !page.contains("backup job"), "{page}");
}
