//! Lists: numbered pages, an exact reverse order, and nothing that the caller may not see.

use serde_json::{Value, json};

use crate::agentex::harness::{built, creator, share};
use crate::support::{Client, Daemon, text};

#[track_caller]
fn names(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/agents?{query}")).expect(200).json();
    list.as_array().expect("a list").iter().map(|agent| text(agent, "name")).collect()
}

#[test]
fn pages_follow_the_order_and_ascending_reverses_descending() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    for name in ["c", "a", "e", "b", "d"] {
        built(&ann, name);
    }
    // Rows with the same time are ordered by id.
    daemon.execute("UPDATE agents SET created_at = 5, updated_at = 7 WHERE slug IN ('a', 'b', 'c')", []);
    for by in ["created_at", "updated_at", "registered_at", "name", "id"] {
        let mut up = names(&ann, &format!("order_by={by}&order_direction=ASC"));
        let paged: Vec<String> = (1..=4)
            .flat_map(|page| names(&ann, &format!("order_by={by}&order_direction=asc&limit=2&page_number={page}")))
            .collect();
        assert_eq!(paged, up, "{by}");
        up.reverse();
        assert_eq!(up, names(&ann, &format!("order_by={by}&order_direction=Desc")), "{by}");
    }
    assert_eq!(names(&ann, "order_by=name&order_direction=asc"), ["a", "b", "c", "d", "e"]);
    assert_eq!(names(&ann, "page_number=9223372036854775807&limit=500"), Vec::<String>::new());
    assert_eq!(names(&ann, "task_id=x"), Vec::<String>::new());
    for bad in [
        "limit=0",
        "limit=501",
        "limit=x",
        "page_number=0",
        "order_by=slug",
        "order_direction=up",
        "agent_card_metadata=[]",
        "agent_card_metadata=x",
        &format!("agent_card_metadata={}", "a".repeat(4097)),
    ] {
        ann.get(&format!("/agents?{bad}")).expect_agentex(422, "validation_error");
    }
}

#[test]
fn what_may_not_be_read_takes_no_place_on_a_page() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    for number in 0..6 {
        let id = built(&ann, &format!("n{number}"));
        if number % 2 == 0 {
            share(&daemon, "bob", &id, "viewer");
        }
    }
    assert_eq!(names(&bob, "order_by=name&order_direction=asc&limit=2&page_number=2"), ["n4"]);
    ann.delete("/agents/name/n4").expect(200);
    assert_eq!(names(&bob, "order_by=name&order_direction=asc"), ["n0", "n2"]);
    assert_eq!(names(&daemon.operator(), "").len(), 5);
    assert_eq!(names(&daemon.agent_token("n1", &["*"]), ""), ["n1"]);
}

#[test]
fn a_card_filter_finds_what_contains_it_among_what_may_be_read() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    for (name, card) in [("x", json!({"t": ["a", "b"], "n": {"k": 1}})), ("y", json!({"t": ["b"]}))] {
        let said = json!({"agent_card": {"metadata": card}});
        let body = json!({"name": name, "description": "", "registration_metadata": said});
        ann.post("/agents/register-build", body).expect(200);
    }
    built(&ann, "plain");
    let encoded = |card: Value| card.to_string().bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let filter = |card: Value| format!("order_by=name&order_direction=asc&agent_card_metadata={}", encoded(card));
    assert_eq!(names(&ann, &filter(json!({"t":["b"]}))), ["x", "y"]);
    assert_eq!(names(&ann, &filter(json!({"n":{"k":1}}))), ["x"]);
    assert_eq!(names(&ann, &filter(json!({}))), ["x", "y"]);
    assert_eq!(names(&bob, &filter(json!({}))), Vec::<String>::new());
}
