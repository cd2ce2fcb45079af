//! Pages, filters and the two orders of the list of notifications.

use serde_json::json;

use crate::notify::harness::{agent, all, notify};
use crate::support::{Client, Daemon};

/// The titles of all pages, by the `Link` of each page.
fn follow(client: &Client, path: &str) -> Vec<String> {
    let (mut next, mut titles) = (Some(path.to_owned()), Vec::new());
    while let Some(path) = next {
        let reply = client.get(&path).expect(200);
        titles.extend(all(&reply.json(), "title"));
        next = reply.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
    }
    titles
}

#[test]
fn every_notification_is_on_one_page_in_both_orders() {
    let daemon = Daemon::start();
    let (owner, atlas) = (daemon.operator(), agent(&daemon, "Atlas"));
    let ids: Vec<String> = (0..7).map(|n| notify(&atlas, &n.to_string())).collect();
    assert_eq!(follow(&owner, "/api/notifications?limit=3"), ["6", "5", "4", "3", "2", "1", "0"]);
    assert_eq!(follow(&atlas, "/api/notifications?limit=2"), ["6", "5", "4", "3", "2", "1", "0"]);
    assert_eq!(follow(&owner, &format!("/api/notifications?limit=2&after={}", ids[1])), ["2", "3", "4", "5", "6"]);
    assert_eq!(follow(&owner, &format!("/api/notifications?after={}", ids[6])), Vec::<String>::new());

    owner.post(&format!("/api/notifications/{}/read", ids[3]), json!({})).expect(200);
    assert_eq!(follow(&owner, "/api/notifications?limit=2&unread_only=true"), ["6", "5", "4", "2", "1", "0"]);
    assert_eq!(follow(&atlas, "/api/notifications?unread_only=true"), ["6", "5", "4", "2", "1", "0"]);
    assert_eq!(owner.get("/api/notifications/count").json(), json!({"unread": 6, "total": 7}));

    // The id of a deleted notification still works as a position.
    owner.delete(&format!("/api/notifications/{}", ids[4])).expect(204);
    assert_eq!(follow(&owner, &format!("/api/notifications?after={}", ids[4])), ["5", "6"]);
    assert_eq!(owner.get("/api/notifications/count").json(), json!({"unread": 5, "total": 6}));
}

#[test]
fn what_comes_and_goes_between_two_pages_skips_and_repeats_nothing() {
    let daemon = Daemon::start();
    let (owner, atlas) = (daemon.operator(), agent(&daemon, "Atlas"));
    let ids: Vec<String> = (0..6).map(|n| notify(&atlas, &n.to_string())).collect();
    let first = owner.get("/api/notifications?limit=2").expect(200);
    let next = first.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    notify(&atlas, "new");
    owner.delete(&format!("/api/notifications/{}", ids[4])).expect(204);
    owner.delete(&format!("/api/notifications/{}", ids[3])).expect(204);
    assert_eq!(follow(&owner, &next), ["2", "1", "0"]);
}

#[test]
fn wrong_queries_are_told() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    for query in ["limit=0", "limit=501", "wait=31", "wait=-1", "unread_only=perhaps", "other=1", "after=x", "after="] {
        owner.get(&format!("/api/notifications?{query}")).expect_error(422, "validation_error");
    }
    owner.get("/api/notifications?cursor=x").expect_error(400, "invalid_cursor");
    owner.get("/api/notifications/stream?after=x").expect_error(422, "validation_error");
    owner.get("/api/notifications/nothing").expect_error(404, "notification_not_found");
}
