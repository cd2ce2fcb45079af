//! A source of knowledge is replaced completely or not at all.

use serde_json::{Value, json};

use crate::notify::harness::all;
use crate::support::{Client, Daemon};

fn item(path: &str, content: &str) -> Value {
    json!({"path": path, "content": content})
}

fn put(client: &Client, source: &str, items: &[Value]) -> Value {
    client.put(&format!("/api/knowledge/sources/{source}"), json!({"items": items})).expect(200).json()
}

/// The path and the id of each item of a source.
fn ids(client: &Client, source: &str) -> Vec<(String, String)> {
    let list = client.get(&format!("/api/knowledge/items?source_id={source}")).expect(200).json();
    let (paths, ids) = (all(&list, "source_url"), all(&list, "id"));
    paths.into_iter().zip(ids).collect()
}

#[test]
fn only_what_differs_is_written_and_ids_stay() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    let changes = put(
        &owner,
        "app:store",
        &[item("a.md", "# Alpha\n\nFirst words."), item("b.md", "beta"), item("c.md", "gone")],
    );
    assert_eq!(changes, json!({"source_id": "app:store", "added": 3, "updated": 0, "unchanged": 0, "removed": 0}));
    let before = ids(&owner, "app:store");
    let changes =
        put(&owner, "app:store", &[item("a.md", "# Alpha\n\nOther words."), item("b.md", "beta"), item("d.md", "new")]);
    assert_eq!(changes, json!({"source_id": "app:store", "added": 1, "updated": 1, "unchanged": 1, "removed": 1}));
    let after = ids(&owner, "app:store");
    assert_eq!((&before[0], &before[1]), (&after[0], &after[1]));
    assert_eq!(after[2].0, "d.md");

    let whole = owner.get(&format!("/api/knowledge/items/{}", after[0].1)).expect(200).json();
    assert_eq!(
        whole,
        json!({
            "id": after[0].1, "source_type": "guide", "source_id": "app:store", "source_url": "a.md", "title": "Alpha",
            "author": "user:operator", "summary": "Other words.", "content": "# Alpha\n\nOther words.", "categories": [],
            "status": "ready", "created_at": whole["created_at"], "updated_at": whole["updated_at"],
        })
    );
    assert!(whole["updated_at"].as_str() > whole["created_at"].as_str());
    assert_eq!(owner.get("/api/knowledge/items?source_id=app:store").json()[0].get("content"), None);

    // Writing the same again changes no row and adds no audit row.
    let audited = || owner.get("/api/audit?resource=knowledge:app:store").json().as_array().unwrap().len();
    assert_eq!(audited(), 2);
    let changes =
        put(&owner, "app:store", &[item("a.md", "# Alpha\n\nOther words."), item("b.md", "beta"), item("d.md", "new")]);
    assert_eq!((&changes["unchanged"], audited()), (&json!(3), 2));

    let sources = owner.get("/api/knowledge/sources").expect(200).json();
    let own = sources.as_array().unwrap().iter().find(|one| one["source_id"] == "app:store").unwrap();
    assert_eq!((&own["items"], &own["source_type"]), (&json!(3), &json!("guide")));
    owner.delete("/api/knowledge/sources/app:store").expect(204);
    owner.delete("/api/knowledge/sources/app:store").expect_error(404, "source_not_found");
    owner.get(&format!("/api/knowledge/items/{}", after[0].1)).expect_error(404, "knowledge_item_not_found");
    assert_eq!(put(&owner, "app:store", &[])["removed"], 0);
}

#[test]
fn bounds_hold_and_a_refused_source_is_left_as_it_was() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    put(&owner, "app:x", &[item("a", "kept")]);
    let refused = |body: Value, field: &str| {
        let reply = owner.put("/api/knowledge/sources/app:x", body).expect_error(422, "validation_error").json();
        assert_eq!(reply["fields"][0]["field"], field, "{reply}");
    };
    refused(json!({}), "items");
    refused(json!({"items": [item("a", "x"), item("a", "y")]}), "items[1].path");
    refused(json!({"items": [item("", "x")]}), "items[0].path");
    refused(json!({"items": [item("a\nb", "x")]}), "items[0].path");
    refused(json!({"items": [{"path": "a"}]}), "items[0].content");
    refused(json!({"items": [item("a", &"ü".repeat(32_769))]}), "items[0].content");
    refused(
        json!({"items": [{"path": "a", "content": "x", "categories": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}]}),
        "items[0].categories",
    );
    refused(json!({"items": [{"path": "a", "content": "x", "author": "taosd"}]}), "items[0].author");
    refused(json!({"items": [], "source_type": "Bad Type"}), "source_type");
    let many: Vec<Value> = (0..501).map(|n| item(&n.to_string(), "x")).collect();
    refused(json!({"items": many}), "items");
    for source in ["App", "-x", "a%20b", &"x".repeat(65)] {
        let path = format!("/api/knowledge/sources/{source}");
        owner.put(&path, json!({"items": []})).expect_error(422, "validation_error");
    }
    assert_eq!(ids(&owner, "app:x").len(), 1);
    put(&owner, "app:x", &many[..500]);
    put(&owner, "app:x", &[item("a", &"x".repeat(65_536))]);
}

#[test]
fn the_daemons_own_source_is_its_own() {
    let daemon = Daemon::start();
    for client in [daemon.operator(), daemon.user_token("operator", &["knowledge.*"]), daemon.on_socket()] {
        client.put("/api/knowledge/sources/taos-core", json!({"items": []})).expect_error(403, "source_reserved");
        client.delete("/api/knowledge/sources/taos-core").expect_error(403, "source_reserved");
    }
}

#[test]
fn sources_are_bounded() {
    let daemon = Daemon::start();
    let owner = daemon.operator();
    for n in 0..255 {
        put(&owner, &format!("app:{n}"), &[item("a", "x")]);
    }
    owner
        .put("/api/knowledge/sources/app:more", json!({"items": [item("a", "x")]}))
        .expect_error(409, "too_many_sources");
    assert_eq!(put(&owner, "app:7", &[item("a", "y")])["updated"], 1);
}
