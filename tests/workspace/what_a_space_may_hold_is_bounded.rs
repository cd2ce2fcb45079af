//! Bounds: spaces of a user, members of a space, pinned messages, mentions, the agents' daily allowance. The daemon
//! deletes old and surplus messages, but not pinned ones.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{Actor, agent, contents, member};

/// SQL for the numbers from 1 to `count`, for statements that fill tables.
fn numbers(count: u32) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
}

#[test]
fn surplus_messages_go_in_the_background_and_pinned_ones_stay() {
    let env = [
        ("TAOSD_WORKSPACE_MESSAGES_PER_SPACE", "100"),
        ("TAOSD_REQUESTS_PER_MINUTE", "0"),
        ("TAOSD_SWEEP_INTERVAL", "1"),
    ];
    let daemon = Daemon::with(&[], &env);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let pinned = ann.say(&ann.space, "pinned");
    ann.client.patch(&format!("/api/v1/messages/{}", text(&pinned, "id")), json!({"pinned": true})).expect(200);
    for n in 0..450 {
        ann.say(&ann.space, &format!("number {n}"));
    }
    let usage = || ann.client.get(&format!("/api/v1/spaces/{}/usage", ann.space)).expect(200).json();
    let end = Instant::now() + Duration::from_secs(20);
    while usage()["messages"]["held"] != json!(100) {
        assert!(Instant::now() < end, "{}", usage());
        std::thread::sleep(Duration::from_millis(50));
    }
    let all = robot.list("after_seq=0&limit=500");
    assert_eq!((contents(&all).len(), contents(&all)[0].clone()), (100, "pinned".to_owned()));
    assert_eq!((all["unread_count"].clone(), all["last_seq"].clone()), (json!(100), json!(451)));
    let find =
        |query: &str| ann.client.post("/api/v1/search/messages", json!({"query": query})).json()["count"].clone();
    assert_eq!((find("\"number 3\""), find("pinned"), find("449")), (json!(0), json!(1), json!(1)));
    assert!(ann.client.get("/metrics").expect(200).text().contains("taosd_messages_removed_total 351"));
    robot.client.post("/api/v1/messages/mark-all-read", json!({})).expect(200);
    assert_eq!(robot.list("limit=1")["unread_count"], json!(0));
    // Messages that are too old are deleted as well.
    daemon.execute("UPDATE messages SET created_at = created_at - 366 * 86400000000 WHERE seq < 441", []);
    let end = Instant::now() + Duration::from_secs(20);
    while usage()["messages"]["held"] != json!(12) {
        assert!(Instant::now() < end, "{}", usage());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(robot.list("limit=1")["unread_count"], json!(0));
}

#[test]
fn the_thread_of_a_task_stays_as_long_as_the_task() {
    let env = [
        ("TAOSD_WORKSPACE_MESSAGES_PER_SPACE", "100"),
        ("TAOSD_REQUESTS_PER_MINUTE", "0"),
        ("TAOSD_SWEEP_INTERVAL", "1"),
    ];
    let daemon = Daemon::with(&[], &env);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let task_of = |who: &Actor| text(&who.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json(), "id");
    let (task, foreign) = (task_of(&ann), task_of(&bob));
    let about = |task: &str| {
        let body = json!({"content": "about it", "metadata": {"task_id": task}});
        text(&ann.client.post("/api/v1/messages", body).expect(200).json()["message"], "id")
    };
    let root = about(&task);
    let lost = [about(&foreign), about("none")];
    let reply = json!({"content": "a reply", "parent_id": root});
    let reply = text(&ann.client.post("/api/v1/messages", reply).expect(200).json()["message"], "id");
    let status = |id: &str| ann.client.get(&format!("/api/v1/messages/{id}")).status;
    let say = || (0..320).for_each(|n| drop(ann.say(&ann.space, &format!("number {n}"))));
    say();
    eventually("the others go", || lost.iter().all(|id| status(id) == 404));
    assert_eq!((status(&root), status(&reply)), (200, 200));
    daemon.execute("DELETE FROM tasks WHERE id = ?1", [&task]);
    say();
    eventually("the thread goes with its task", || status(&root) == 404 && status(&reply) == 404);
}

#[test]
fn what_is_kept_pushes_no_new_message_out() {
    let env = [("TAOSD_WORKSPACE_MESSAGE_BYTES_PER_SPACE", "262144"), ("TAOSD_SWEEP_INTERVAL", "1")];
    let daemon = Daemon::with(&[], &env);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let task = text(&ann.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json(), "id");
    let long = "x".repeat(60_000);
    let others: Vec<_> = (0..3).map(|_| text(&robot.say(&ann.space, &long), "id")).collect();
    for _ in 0..5 {
        robot.send(json!({"content": long, "metadata": {"task_id": task}}));
    }
    let important = json!({"content": "@ann important", "client_id": "c", "expects_reply_by": 3600});
    let sent = robot.send(important.clone())["message"].clone();
    let status = |id: &str| ann.client.get(&format!("/api/v1/messages/{id}")).status;
    eventually("the oldest goes", || status(&others[0]) == 404);
    assert_eq!([&others[1], &others[2], &text(&sent, "id")].map(|id| status(id)), [200; 3]);
    assert_eq!(robot.receipts(&sent).len(), 1);
    assert_eq!(robot.send(important)["duplicate"], json!(true));
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_a_space_held_goes_with_it() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let ann = member(&daemon, "ann");
    for n in 0..5 {
        ann.say(&ann.space, &format!("message {n} for @ann"));
    }
    ann.list("mark_read=true");
    daemon.operator().delete("/api/users/ann").expect(204);
    let rows = |table: &str| -> i64 { daemon.number(&format!("SELECT count(*) FROM {table}"), []) };
    let end = Instant::now() + Duration::from_secs(20);
    let tables = ["messages", "message_counts", "message_readers", "message_read_bits", "message_receipts"];
    while tables.iter().any(|table| rows(table) > 0) {
        assert!(Instant::now() < end, "something is left");
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.check();
}

#[test]
fn an_agent_adds_so_much_a_day() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "3")]);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let message = robot.say(&ann.space, "one");
    robot.say(&ann.space, "two");
    robot.client.patch(&format!("/api/v1/messages/{}", text(&message, "id")), json!({"content": "one!"})).expect(200);
    let refused = robot.client.post("/api/v1/messages", json!({"content": "three"}));
    assert!(refused.header("retry-after").is_some());
    let detail = refused.expect_ax(429, "allowance_used");
    assert!(detail["opens_at"].is_string(), "{detail}");
    // A refused message adds nothing. People have no such allowance.
    assert_eq!(ann.list("")["count"], json!(2));
    ann.say(&ann.space, "three");
}

#[test]
fn counts_have_their_bounds() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let spaces = format!(
        "{} INSERT INTO spaces (id, slug, name, visibility, owner_user_id, created_at)
            SELECT 's' || i, 's' || i, 's' || i, 'private', ?1, 0 FROM n",
        numbers(63)
    );
    daemon.execute(&spaces, [&ann.id]);
    ann.client.post("/api/spaces/create", json!({"name": "one more"})).expect_ax(409, "limit_reached");
    assert_eq!(ann.client.get("/api/v1/spaces").expect(200).json()["spaces"].as_array().unwrap().len(), 64);
    let message = ann.say(&ann.space, "first");
    ann.say(&ann.space, "second");
    let pinned = format!(
        "{} INSERT INTO messages (id, space_id, seq, channel, message_type, conversation_id, author, author_name, content,
            mentions, attachments, metadata, bytes, pinned, created_at, updated_at)
            SELECT 'm' || i, ?1, 1000 + i, 'main', 'text', 'm' || i, 'user:x', 'x', 'x', '[]', '[]', '{{}}', 1, 1, 0, 0 FROM n",
        numbers(1000)
    );
    daemon.execute(&pinned, [&ann.space]);
    let path = format!("/api/v1/messages/{}", text(&message, "id"));
    ann.client.patch(&path, json!({"pinned": true})).expect_ax(409, "too_many_pinned");
    ann.client.patch(&path, json!({})).expect_ax(422, "invalid_request");
}

#[test]
fn mentions_by_the_thousand_reach_nobody_twice() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    for n in 0..66 {
        agent(&daemon, &ann, &format!("a{n}"));
    }
    let many: String = (0..64).map(|n| format!("@a{n} @A{n} ")).collect();
    let sent = ann.send(json!({"content": many}));
    assert_eq!(sent["delivery"]["recipients"].as_array().unwrap().len(), 64);
    let too_many: String = (0..66).map(|n| format!("@a{n} ")).collect();
    ann.client.post("/api/v1/messages", json!({"content": too_many})).expect_ax(422, "invalid_request");
    let nobody: String = (0..6000).map(|n| format!("@zz{n} ")).collect();
    assert_eq!(ann.send(json!({"content": nobody}))["message"]["mentions"], json!([]));
    ann.client.post("/api/v1/messages", json!({"content": "@a1 ".repeat(20_000)})).expect_ax(422, "invalid_request");
    assert_eq!(ann.list("limit=1")["last_seq"], json!(2), "what is refused takes no place");
    for (field, value) in [
        ("content", json!("")),
        ("metadata", json!({"x": "y".repeat(70_000)})),
        ("attachments", json!(vec![json!({"id": "x"}); 11])),
        ("attachments", json!([1])),
        ("message_type", json!("a b")),
        ("channel", json!("a\nb")),
        ("parent_id", json!(7)),
        ("content", json!("ü".repeat(40_000))),
    ] {
        let mut body = json!({"content": "x"});
        body[field] = value;
        ann.client.post("/api/v1/messages", body).expect_ax(422, "invalid_request");
    }
    assert_eq!(ann.list("limit=1")["last_seq"], json!(2));
}
