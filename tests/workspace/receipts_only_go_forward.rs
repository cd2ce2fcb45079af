//! Receipts go from queued to fetched, read and answered, and never backwards. An overdue reply is reported once.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::support::{AxReply, Daemon, text};
use crate::workspace::events::Events;
use crate::workspace::harness::{Actor, agent, let_in, member};

fn states(author: &Actor, message: &serde_json::Value) -> Vec<String> {
    author.receipts(message).into_iter().map(|(_, state)| state).collect()
}

#[test]
fn a_receipt_tells_what_became_of_a_message() {
    let mut daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let_in(&ann, json!({"username": "bob", "role": "editor"}));
    let robot = agent(&daemon, &ann, "robot");
    let message = ann.say(&ann.space, "@robot and @bob");
    let path = format!("/api/v1/messages/{}", text(&message, "id"));
    assert_eq!(states(&ann, &message), ["queued", "queued"]);
    robot.client.get(&path).expect(200);
    let of_robot = |author: &Actor| author.receipts(&message).into_iter().find(|(name, _)| name == "robot").unwrap().1;
    assert_eq!(of_robot(&ann), "fetched", "told at once, though not on disk yet");
    robot.client.get(&format!("{path}/receipts")).expect_ax(403, "forbidden");
    // A clean stop writes the receipts that were only in memory.
    assert_eq!(daemon.stop(), Some(0));
    let on_disk: String = Connection::open(daemon.database())
        .unwrap()
        .query_row("SELECT state FROM message_receipts WHERE name = 'robot'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(on_disk, "fetched");
    daemon.spawn();
    let again = |who: &Actor| Actor { client: daemon.client(who.client.token()), ..who.clone() };
    let (ann, bob, robot) = (again(&ann), again(&bob), again(&robot));
    robot.client.post(&format!("{path}/read"), json!({})).expect(200);
    assert_eq!(of_robot(&ann), "read");
    robot.client.get(&path).expect(200);
    assert_eq!(of_robot(&ann), "read", "never backwards");
    robot.send(json!({"content": "done", "parent_id": message["id"]}));
    assert_eq!(of_robot(&ann), "answered");
    // Marking all as read also changes its receipt.
    bob.client.post("/api/v1/messages/mark-all-read", json!({"space_id": ann.space})).expect(200);
    let mut all = states(&ann, &message);
    all.sort();
    assert_eq!(all, ["answered", "read"]);
    // The author of the parent is a recipient of the reply.
    let reply = robot.list("limit=1")["messages"][0].clone();
    assert_eq!(robot.receipts(&reply), [("ann".to_owned(), "queued".to_owned())]);
}

#[test]
fn a_read_writes_nothing_by_itself_and_is_on_disk_a_moment_later() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let message = ann.say(&ann.space, "@robot one");
    robot.list("");
    let conn = Connection::open(daemon.database()).unwrap();
    let state = || -> String { conn.query_row("SELECT state FROM message_receipts", [], |row| row.get(0)).unwrap() };
    let end = Instant::now() + Duration::from_secs(10);
    while state() != "fetched" {
        assert!(Instant::now() < end, "the fetch is never written");
        assert_eq!(states(&ann, &message), ["fetched"], "told before, during and after the write");
    }
    assert_eq!(states(&ann, &message), ["fetched"]);
    // Once the receipt is written, another read writes nothing.
    let size = || std::fs::metadata(daemon.data.join("taosd.db-wal")).map(|meta| meta.len()).unwrap_or(0);
    let changes = || -> i64 { conn.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = (size(), changes());
    (0..50).for_each(|_| {
        robot.list("");
    });
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!((size(), changes()), before);
}

#[test]
fn a_reply_that_does_not_come_is_told_once() {
    let mut daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let (asker, robot) = (agent(&daemon, &ann, "asker"), agent(&daemon, &ann, "robot"));
    let mut events = Events::open(&daemon.address, asker.client.token(), "/api/v1/sse/messages", &[]);
    let mut others = Events::open(&daemon.address, robot.client.token(), "/api/v1/sse/messages", &[]);
    for bad in [json!(0), json!(30 * 86_400 + 1), json!("yesterday"), json!("2020-01-01T00:00:00Z"), json!(true)] {
        let body = json!({"content": "x", "expects_reply_by": bad});
        asker.client.post("/api/v1/messages", body).expect_ax(422, "invalid_request");
    }
    let answered = asker.send(json!({"content": "@robot a?", "expects_reply_by": 2}))["message"].clone();
    robot.send(json!({"content": "yes", "parent_id": answered["id"]}));
    let waiting = asker.send(json!({"content": "@robot b?", "expects_reply_by": 1}))["message"].clone();
    // The asker's own second message is no reply.
    asker.send(json!({"content": "well?", "parent_id": waiting["id"]}));
    let overdue = std::iter::from_fn(|| events.next()).find(|event| event.event == "message_overdue").unwrap();
    assert!(overdue.data.contains(&text(&waiting, "id")), "{overdue:?}");
    let notices = || {
        let all = ann.client.with("X", "y").get("/api/notifications").expect(200).json();
        all.as_array().unwrap().iter().filter(|one| text(one, "title").contains("asker")).count()
    };
    assert_eq!(notices(), 1);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(notices(), 1, "the answered one is not overdue, and the other is told once");
    asker.say(&ann.space, "last");
    let told: Vec<_> =
        std::iter::from_fn(|| others.next()).take_while(|event| !event.data.contains("\"last\"")).collect();
    assert!(told.iter().all(|event| event.event != "message_overdue"), "it is the sender's alone: {told:?}");
    // A reply that becomes overdue while the daemon is stopped is reported at the next start.
    asker.send(json!({"content": "@robot c?", "expects_reply_by": 1}));
    assert_eq!(daemon.stop(), Some(0));
    std::thread::sleep(Duration::from_millis(1200));
    daemon.spawn();
    let ann = Actor { client: daemon.client(ann.client.token()), ..ann };
    let end = Instant::now() + Duration::from_secs(10);
    while ann.client.get("/api/notifications/count").json()["total"] != json!(2) {
        assert!(Instant::now() < end, "it is never told");
        std::thread::sleep(Duration::from_millis(50));
    }
}
