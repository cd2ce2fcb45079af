//! A direct message belongs to its author and its addressee. Nobody else reads, counts, finds or follows it.

use serde_json::json;

use crate::support::{AxReply, Daemon, text};
use crate::workspace::events::Events;
use crate::workspace::harness::{Actor, agent, contents, let_in, member};

#[test]
fn nobody_else_learns_of_it() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let_in(&ann, json!({"username": "bob", "role": "owner"}));
    let (one, two) = (agent(&daemon, &ann, "one"), agent(&daemon, &ann, "two"));
    let two = Actor { client: daemon.agent_token("two", &["messages.*", "agents.processing"]), ..two };
    let mut events =
        Events::open(&daemon.address, bob.client.token(), &format!("/api/v1/sse/messages?space_id={}", ann.space), &[]);
    let sent = one.send(json!({"content": "secret plan for @two and @bob", "channel": "dm:TWO"}));
    let message = sent["message"].clone();
    assert_eq!((message["channel"].clone(), message["mentions"].clone()), (json!("dm:two"), json!(["two"])));
    assert_eq!(sent["delivery"]["recipients"].as_array().unwrap().len(), 1);
    let id = text(&message, "id");
    two.client.get(&format!("/api/v1/messages/{id}")).expect(200);
    // The owner of the space and the operator do not see it either.
    for other in [&bob, &ann, &crate::workspace::harness::operator(&daemon)] {
        let missing = other.client.get("/api/v1/messages/00000000-0000-7000-8000-000000000000").expect(404);
        for path in ["", "/replies", "/receipts"] {
            let reply = other.client.get(&format!("/api/v1/messages/{id}{path}")).expect(404);
            assert_eq!(reply.body, missing.body);
        }
        for (method, path) in [("POST", "/read"), ("POST", "/reactions"), ("PATCH", ""), ("DELETE", "")] {
            let body = json!({"content": "x", "emoji": "x"});
            let reply = other.client.call(method, &format!("/api/v1/messages/{id}{path}"), Some(&body));
            assert_eq!(reply.expect(404).body, missing.body);
        }
        let space = format!("space_id={}", ann.space);
        assert_eq!(other.list(&space)["count"], json!(0));
        assert_eq!(other.list(&space)["unread_count"], json!(0));
        assert_eq!(other.list(&format!("{space}&channel=dm:two"))["count"], json!(0));
        let query = json!({"query": "secret", "space_id": ann.space});
        assert_eq!(other.client.post("/api/v1/search/messages", query).expect(200).json()["count"], json!(0));
        let reply = json!({"content": "x", "space_id": ann.space, "parent_id": id});
        other.client.post("/api/v1/messages", reply).expect_ax(404, "message_not_found");
    }
    // The reply stays between the two as well, although the client names the main channel.
    let answer = two.send(json!({"content": "secret answer", "parent_id": id, "channel": "main"}))["message"].clone();
    assert_eq!(answer["channel"], json!("dm:one"));
    assert_eq!(contents(&one.list("")), ["secret answer", "secret plan for @two and @bob"]);
    assert_eq!(one.list("")["unread_count"], json!(1));
    assert_eq!(contents(&one.list("channel=dm:one")), ["secret answer"]);
    assert_eq!(contents(&two.list("addressed=true")), ["secret plan for @two and @bob"]);
    let found = two.client.post("/api/v1/search/messages", json!({"query": "secret"})).expect(200).json();
    assert_eq!(contents(&found), ["secret answer", "secret plan for @two and @bob"]);
    two.client.post(&format!("/api/v1/messages/{id}/reactions"), json!({"emoji": "👍"})).expect(201);
    let status = json!({"message_id": id, "status": "working", "activity": "secret work"});
    two.client.post("/api/v1/agents/processing-status", status).expect(202);
    one.client.patch(&format!("/api/v1/messages/{id}"), json!({"content": "secret change"})).expect(200);
    ann.say(&ann.space, "the end");
    let told: Vec<_> =
        std::iter::from_fn(|| events.next()).take_while(|event| !event.data.contains("the end")).collect();
    assert!(told.iter().all(|event| event.event == "connected"), "{told:?}");
    // The space numbers every message, but a reader does not see the numbers of messages that it may not read.
    assert_eq!(ann.list("")["messages"][0]["seq"], json!(3));
    one.client
        .post("/api/v1/messages", json!({"content": "x", "channel": "dm:nobody"}))
        .expect_ax(422, "invalid_request");
}

#[test]
fn any_spelling_of_the_channel_is_direct() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let (one, two) = (agent(&daemon, &ann, "one"), agent(&daemon, &ann, "Two"));
    for channel in ["DM:two", " dm:two", "Dm: TWO "] {
        let sent = one.send(json!({"content": "secret", "channel": channel}));
        assert_eq!(sent["message"]["channel"], json!("dm:Two"), "{channel}");
    }
    assert_eq!(ann.list("")["count"], json!(0));
    for channel in ["dm:Two", "dm:two", "DM:TWO", "%20dm:two"] {
        assert_eq!(two.list(&format!("channel={channel}"))["count"], json!(3), "{channel}");
    }
    let nobody = json!({"content": "x", "channel": "DM:nobody"});
    one.client.post("/api/v1/messages", nobody).expect_ax(422, "invalid_request");
}

#[test]
fn a_name_of_two_members_is_refused_and_an_id_is_not() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let (one, twin) = (agent(&daemon, &ann, "one"), agent(&daemon, &ann, "ann"));
    let direct = |to: &str| json!({"content": "secret", "channel": format!("dm:{to}")});
    one.client.post("/api/v1/messages", direct("ann")).expect_ax(422, "invalid_request");
    one.send(direct(&twin.id));
    assert_eq!((twin.list("")["count"].clone(), ann.list("")["count"].clone()), (json!(1), json!(0)));
    assert_eq!(twin.list(&format!("channel=dm:{}", twin.id))["count"], json!(1));
    one.send(direct(&ann.id));
    assert_eq!((twin.list("")["count"].clone(), ann.list("")["count"].clone()), (json!(1), json!(1)));
}

#[test]
fn reading_goes_on_past_what_others_write_to_each_other() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let (one, two) = (agent(&daemon, &ann, "one"), agent(&daemon, &ann, "two"));
    for n in 0..30 {
        ann.say(&ann.space, &format!("open {n}"));
        one.send(json!({"content": "direct", "channel": "dm:two"}));
    }
    assert_eq!(ann.list("after_seq=0")["count"], json!(30));
    assert_eq!(two.list("limit=1")["unread_count"], json!(60));
    assert_eq!(one.list("limit=1")["unread_count"], json!(30));
    let marked = one.list("after_seq=0&limit=40&mark_read=true");
    assert_eq!(marked["marked_read_count"], json!(20));
    assert_eq!(one.list("unread_only=true")["count"], json!(10));
    two.list("limit=500&mark_read=true");
    assert_eq!(two.list("limit=1")["unread_count"], json!(0));
}
