//! Sending, listing, reading, marking, changing and searching messages.

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{agent, contents, let_in, member};

#[test]
fn a_message_is_what_the_contract_says() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "Robot");
    let sent = robot.send(json!({
        "content": "hello @ann and @ROBOT, not a@ann.example, @nobody",
        "metadata": {"routing": {"mode": "x"}},
        "attachments": [{"id": "1", "filename": "a.md", "size": 3, "unknown": true}],
    }));
    let message = &sent["message"];
    assert_eq!(message["space_id"], json!(ann.space));
    assert_eq!((message["channel"].clone(), message["message_type"].clone()), (json!("main"), json!("text")));
    assert_eq!((message["sender_type"].clone(), message["display_name"].clone()), (json!("agent"), json!("Robot")));
    assert_eq!((message["agent_id"].clone(), message["user_id"].clone()), (json!(robot.id), json!(null)));
    assert_eq!(message["author"], json!({"id": robot.id, "name": "Robot", "type": "agent"}));
    assert_eq!(
        (message["parent_id"].clone(), message["conversation_id"].clone()),
        (json!(null), message["id"].clone())
    );
    assert_eq!(message["mentions"], json!(["ann", "Robot"]));
    assert_eq!(message["attachments"], json!([{"id": "1", "filename": "a.md", "size": 3}]));
    assert_eq!(message["metadata"], json!({"routing": {"mode": "x"}}));
    assert_eq!(message["seq"], json!(1));
    let delivery = json!({"recipients": [{"id": ann.id, "name": "ann", "state": "queued", "listening": false}],
        "nobody_listening": true});
    assert_eq!(sent["delivery"], delivery);
    // The caller is the author, whatever the request claims.
    let claimed = ann.client.with("X-Agent-Name", "Robot").with("X-Agent-Id", &robot.id);
    let body = json!({"content": "me", "agent_id": robot.id, "author": "Robot", "parent_id": message["id"]});
    let reply = claimed.post("/api/v1/messages", body).expect(200).json()["message"].clone();
    assert_eq!((reply["user_id"].clone(), reply["agent_id"].clone()), (json!(ann.id), json!(null)));
    assert_eq!(reply["conversation_id"], message["id"]);
    let path = format!("/api/v1/messages/{}", text(message, "id"));
    assert_eq!(ann.client.get(&path).expect(200).json(), *message);
    assert_eq!(contents(&robot.client.get(&format!("{path}/replies")).expect(200).json()), ["me"]);
}

#[test]
fn lists_are_newest_first_and_unread_is_counted_for_each() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    for n in 1..=5 {
        ann.say(&ann.space, &format!("m{n}"));
    }
    robot.say(&ann.space, "own");
    ann.send(json!({"content": "aside", "channel": "side"}));
    let all = robot.list("limit=10");
    assert_eq!(contents(&all), ["aside", "own", "m5", "m4", "m3", "m2", "m1"]);
    assert_eq!((all["unread_count"].clone(), all["last_seq"].clone()), (json!(6), json!(7)));
    assert_eq!(contents(&robot.list("channel=main&limit=2")), ["own", "m5"]);
    assert_eq!(robot.list("channel=main&limit=2")["more"], json!(true));
    assert_eq!(contents(&robot.list("after_seq=4")), ["m5", "own", "aside"]);
    assert_eq!(contents(&robot.list("before_seq=3")), ["m2", "m1"]);
    assert_eq!(contents(&robot.list("unread_only=true&limit=2")), ["aside", "m5"]);
    let marked = robot.list("unread_only=true&limit=2&mark_read=true");
    assert_eq!((marked["marked_read_count"].clone(), marked["unread_count"].clone()), (json!(2), json!(4)));
    assert_eq!(contents(&robot.list("unread_only=true")), ["m4", "m3", "m2", "m1"]);
    assert_eq!(ann.list("limit=1")["unread_count"], json!(1), "the other's reading is its own");
    let second = text(&robot.list("after_seq=1&limit=1")["messages"][0], "id");
    let read = robot.client.post(&format!("/api/v1/messages/{second}/read"), json!({})).expect(200).json();
    assert_eq!(read, json!({"status": "success", "message_id": second}));
    robot.client.post(&format!("/api/v1/messages/{second}/read"), json!({})).expect(200);
    assert_eq!(robot.list("limit=1")["unread_count"], json!(3));
    // A deleted message counts neither as read nor as unread.
    ann.client.delete(&format!("/api/v1/messages/{second}")).expect(204);
    assert_eq!(robot.list("limit=1")["unread_count"], json!(3));
    let first = text(&robot.list("after_seq=0&limit=1")["messages"][0], "id");
    ann.client.delete(&format!("/api/v1/messages/{first}")).expect(204);
    assert_eq!(robot.list("limit=1")["unread_count"], json!(2));
    let all = robot.client.post("/api/v1/messages/mark-all-read", json!({})).expect(200).json();
    assert_eq!(all, json!({"status": "success", "marked_read": 2}));
    assert_eq!(robot.list("unread_only=true")["count"], json!(0));
    ann.say(&ann.space, "news");
    let news = robot.list("mark_read=true");
    assert_eq!((news["marked_read_count"].clone(), news["unread_count"].clone()), (json!(1), json!(0)));
}

#[test]
fn authors_edit_and_authors_and_owners_delete() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let_in(&ann, json!({"username": "bob", "role": "editor"}));
    let message = bob.say(&ann.space, "first words");
    let path = format!("/api/v1/messages/{}", text(&message, "id"));
    ann.client.patch(&path, json!({"content": "x"})).expect_ax(403, "forbidden");
    let edited = bob.client.patch(&path, json!({"content": "second words for @ann"})).expect(200).json();
    assert_eq!(
        (edited["content"].clone(), edited["mentions"].clone()),
        (json!("second words for @ann"), json!(["ann"]))
    );
    assert_eq!(bob.receipts(&message), [("ann".to_owned(), "queued".to_owned())]);
    let find =
        |query: &str| contents(&ann.client.post("/api/v1/search/messages", json!({"query": query})).expect(200).json());
    assert_eq!(find("second"), ["second words for @ann"]);
    assert_eq!(find("first"), Vec::<String>::new());
    // A viewer may only read. He cannot change even a message of his own.
    let_in(&ann, json!({"username": "bob", "role": "viewer"}));
    bob.client.get(&path).expect(200);
    bob.client.patch(&path, json!({"content": "x"})).expect_ax(403, "forbidden");
    bob.client.delete(&path).expect_ax(403, "forbidden");
    bob.client.post("/api/v1/messages", json!({"content": "x", "space_id": ann.space})).expect_ax(403, "forbidden");
    bob.client.post(&format!("{path}/reactions"), json!({"emoji": "+"})).expect_ax(403, "forbidden");
    let other = ann.say(&ann.space, "mine");
    bob.client.delete(&format!("/api/v1/messages/{}", text(&other, "id"))).expect_ax(403, "forbidden");
    ann.client.delete(&path).expect(204);
    ann.client.get(&path).expect_ax(404, "message_not_found");
    assert_eq!(find("second"), Vec::<String>::new());
}

#[test]
fn reactions_are_counted_once_each() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let message = ann.say(&ann.space, "@robot look");
    let path = format!("/api/v1/messages/{}", text(&message, "id"));
    let react = |who: &crate::workspace::harness::Actor, emoji: &str| {
        who.client.post(&format!("{path}/reactions"), json!({"emoji": emoji}))
    };
    react(&robot, "👍").expect(201);
    react(&robot, "👍").expect(201);
    react(&ann, "👍").expect(201);
    react(&ann, "  ").expect_ax(422, "invalid_request");
    assert_eq!(ann.client.get(&path).json()["reactions"], json!({"👍": 2}));
    assert_eq!(ann.receipts(&message), [("robot".to_owned(), "answered".to_owned())]);
    for n in 0..9 {
        react(&ann, &format!("e{n}")).expect(201);
    }
    react(&ann, "one more").expect_ax(409, "too_many_reactions");
}

#[test]
fn a_search_takes_any_text_and_finds_every_word() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    for text in ["The quick brown fox", "a quick foo-bar", "Grüße an alle", "x y z", "quick again"] {
        ann.say(&ann.space, text);
    }
    let find = |query: &str| {
        contents(&ann.client.post("/api/v1/search/messages", json!({"query": query, "limit": 2})).expect(200).json())
    };
    assert_eq!(find("quick"), ["quick again", "a quick foo-bar"]);
    assert_eq!(find("QUICK fox"), ["The quick brown fox"]);
    assert_eq!(find("gruße"), ["Grüße an alle"]);
    assert_eq!(find("foo-bar"), ["a quick foo-bar"]);
    assert_eq!(find("y"), ["x y z"]);
    for odd in ["\"", "quick\" OR \"x", "scope : a", "NOT quick", "*", "a NEAR b", "", "(", "quick AND", "-x", "^quick"]
    {
        let _: Vec<Value> = find(odd).into_iter().map(Value::from).collect();
    }
    let end = ann.space.rsplit('-').next().unwrap();
    for own in [end.to_owned(), format!("o{end}"), format!("o{end}quick")] {
        assert_eq!(find(&own), Vec::<String>::new(), "what the index keeps words under is none of the text");
    }
}

#[test]
fn what_is_unread_is_found_behind_ones_own_messages_and_behind_the_bytes_of_a_page() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let (one, two) = (agent(&daemon, &ann, "one"), agent(&daemon, &ann, "two"));
    let first = one.say(&ann.space, "please do it");
    let report = "r".repeat(60_000);
    let reports: Vec<Value> = (0..20).map(|_| two.say(&ann.space, &report)).collect();
    let found = two.list("unread_only=true");
    assert_eq!((contents(&found), &found["more"]), (vec!["please do it".to_owned()], &json!(false)));
    // The other has more unread than a page holds, and goes on from the last one.
    let page = one.list("unread_only=true&after_seq=0");
    let last = page["messages"].as_array().expect("messages").last().expect("a message")["seq"].clone();
    let rest = one.list(&format!("unread_only=true&after_seq={last}"));
    let count = |list: &Value| list["count"].as_u64().expect("a number");
    assert_eq!((&page["more"], &rest["more"]), (&json!(true), &json!(false)), "{last}");
    assert_eq!(count(&page) + count(&rest), reports.len() as u64);
    // Replies are cut in the same way.
    for _ in 0..20 {
        two.send(json!({"content": report, "space_id": ann.space, "parent_id": first["id"]}));
    }
    let id = text(&first, "id");
    let replies = ann.client.get(&format!("/api/v1/messages/{id}/replies")).expect(200).json();
    assert_eq!((count(&replies) < 20, &replies["more"]), (true, &json!(true)));
}
