//! Ownership of a source of knowledge: no stranger writes it, and no single agent uses up all sources.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

const WRITE: &[&str] = &["knowledge.*"];

fn items(content: &str) -> Value {
    json!({"items": [{"path": "a", "content": content}]})
}

fn put(client: &Client, source: &str, body: Value) -> crate::support::Reply {
    client.put(&format!("/api/knowledge/sources/{source}"), body)
}

#[test]
fn an_agents_source_is_written_by_it_its_editors_and_admins_alone() {
    let daemon = Daemon::start();
    let id = daemon.agent("Author");
    daemon.agent("Other");
    let (author, other) = (daemon.agent_token("author", WRITE), daemon.agent_token("other", WRITE));
    put(&author, "app:mine", items("one")).expect(200);
    put(&other, "app:mine", items("stolen")).expect_error(403, "source_forbidden");
    other.delete("/api/knowledge/sources/app:mine").expect_error(403, "source_forbidden");
    put(&author, "app:mine", items("quagga")).expect(200);
    let found = other.get("/api/knowledge/search?q=quagga").expect(200).json();
    assert_eq!(found[0]["author"], "agent:author");

    let (viewer, editor) = (daemon.member("vic", WRITE), daemon.member("eve", WRITE));
    daemon.grant("user:vic", &id, "viewer");
    daemon.grant("user:eve", &id, "editor");
    put(&viewer, "app:mine", items("no")).expect_error(403, "source_forbidden");
    put(&editor, "app:mine", items("edited")).expect(200);
    put(&daemon.admin("root2"), "app:mine", items("by an admin")).expect(200);
    // The source stays the agent's, although others wrote it too.
    put(&author, "app:mine", items("three")).expect(200);
    author.delete("/api/knowledge/sources/app:mine").expect(204);
    // Anybody may make a source again that was deleted.
    put(&other, "app:mine", items("mine now")).expect(200);
    put(&author, "app:mine", items("no more")).expect_error(403, "source_forbidden");
}

#[test]
fn a_members_source_is_its_own_and_one_without_an_owner_is_the_admins() {
    let daemon = Daemon::start();
    let (ann, bob) = (daemon.member("ann", WRITE), daemon.member("bob", WRITE));
    put(&ann, "app:ann", items("hers")).expect(200);
    put(&bob, "app:ann", items("his")).expect_error(403, "source_forbidden");
    daemon.operator().delete("/api/users/ann").expect(204);
    put(&bob, "app:ann", items("his")).expect_error(403, "source_forbidden");
    bob.delete("/api/knowledge/sources/app:ann").expect_error(403, "source_forbidden");
    put(&daemon.operator(), "app:ann", items("the operator's")).expect(200);
    // A source from before the daemon stored owners.
    put(&bob, "app:old", items("old")).expect(200);
    daemon.execute("DELETE FROM knowledge_sources WHERE source_id = 'app:old'", []);
    put(&bob, "app:old", items("again")).expect_error(403, "source_forbidden");
    daemon.operator().delete("/api/knowledge/sources/app:old").expect(204);
    put(&bob, "app:old", items("anew")).expect(200);
}

#[test]
fn one_agent_never_takes_the_places_of_others() {
    let daemon = Daemon::start();
    daemon.agent("Greedy");
    let greedy = daemon.agent_token("greedy", WRITE);
    for n in 0..16 {
        put(&greedy, &format!("app:{n}"), items("x")).expect(200);
    }
    let refused = put(&greedy, "app:16", items("x")).expect_error(409, "too_many_sources").json();
    assert!(text(&refused, "detail").contains("16 sources"), "{refused}");
    put(&greedy, "app:3", items("changed")).expect(200);
    // An empty source does not count.
    put(&greedy, "app:3", json!({"items": []})).expect(200);
    put(&greedy, "app:16", items("x")).expect(200);
    put(&daemon.member("ann", WRITE), "app:hers", items("x")).expect(200);
    // The limit in bytes counts all sources of the agent.
    daemon.execute("UPDATE knowledge_sources SET bytes = 16 * 1024 * 1024 - 8 WHERE source_id = 'app:1'", []);
    put(&greedy, "app:2", items(&"y".repeat(100))).expect_error(409, "too_many_sources");
}
