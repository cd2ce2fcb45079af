//! What an agent or an admin began while it had a space ends with the space: bodies under way, waits and streams.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::held::{Held, hold};
use crate::support::{AxReply, Client, Daemon, wait_until};
use crate::workspace::harness::{Actor, agent, member};

/// Ann, and Bob's agent that lives in her space.
fn resident(daemon: &Daemon) -> (Actor, Actor, String) {
    let (ann, bob) = (member(daemon, "ann"), member(daemon, "bob"));
    let robot = agent(daemon, &bob, "robot");
    let members = format!("/api/v1/spaces/{}/members", ann.space);
    ann.client.post(&members, json!({"username": "bob", "role": "editor"})).expect(201);
    bob.client.post("/api/v1/agents/robot/placement", json!({"space_id": ann.space})).expect(200);
    let space = ann.space.clone();
    (ann, robot, space)
}

fn leave(ann: &Actor, robot: &Actor, space: &str) {
    ann.client.delete(&format!("/api/v1/spaces/{space}/members/{}", robot.id)).expect(204);
}

fn held(daemon: &Daemon, client: &Client, path: &str, body: &Value) -> Held {
    hold(daemon, client, "POST", path, body).unwrap_or_else(|reply| panic!("{}", reply.text()))
}

#[test]
fn a_body_that_ends_after_the_removal_writes_and_finds_nothing() {
    let daemon = Daemon::start();
    let (ann, robot, space) = resident(&daemon);
    let said = held(&daemon, &robot.client, "/api/v1/messages", &json!({"content": "late", "space_id": space}));
    let task = held(&daemon, &robot.client, "/api/v1/tasks", &json!({"title": "late", "space_id": space}));
    let asked = held(&daemon, &robot.client, "/api/v1/search/messages", &json!({"query": "later", "space_id": space}));
    leave(&ann, &robot, &space);
    ann.say(&space, "later");
    said.end().expect_ax(403, "space_forbidden");
    task.end().expect_ax(403, "space_forbidden");
    let found = asked.end();
    assert!(!found.text().contains("\"later\""), "{}", found.text());
}

#[test]
fn waits_of_who_was_removed_bring_no_task_and_no_message() {
    let daemon = Daemon::start();
    let (ann, robot, space) = resident(&daemon);
    let (task, messages) = thread::scope(|scope| {
        let task = scope.spawn(|| robot.client.post("/api/v1/tasks/next", json!({"space_id": space, "wait": 3})));
        let messages = scope.spawn(|| robot.client.get(&format!("/api/v1/messages?space_id={space}&wait=3")));
        thread::sleep(Duration::from_millis(700));
        leave(&ann, &robot, &space);
        ann.client.post("/api/v1/tasks", json!({"title": "later", "space_id": space})).expect(201);
        ann.say(&space, "later");
        (task.join().expect("no panic"), messages.join().expect("no panic"))
    });
    for reply in [&task, &messages] {
        assert!(!reply.text().contains("later"), "{}", reply.text());
    }
    let tasks = ann.client.get(&format!("/api/v1/tasks?space_id={space}")).expect(200).text();
    assert!(!tasks.contains("in_progress"), "{tasks}");
}

/// Opens a stream, and returns it once it says that it is connected.
fn listen(daemon: &Daemon, client: &Client, space: &str) -> TcpStream {
    let mut socket = TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!(
        "GET /api/v1/sse/messages?space_id={space} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\n\r\n",
        client.token()
    );
    socket.write_all(head.as_bytes()).expect("the head is sent");
    let (mut raw, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&raw).contains("event: connected") {
        assert!(socket.read(&mut byte).expect("a stream") > 0, "{}", String::from_utf8_lossy(&raw));
        raw.push(byte[0]);
    }
    socket
}

fn rest(mut socket: TcpStream) -> String {
    let mut raw = String::new();
    socket.read_to_string(&mut raw).expect("the stream ends");
    raw
}

#[test]
fn streams_of_who_was_removed_or_demoted_give_nothing_that_was_said_later() {
    let daemon = Daemon::start();
    let (ann, robot, space) = resident(&daemon);
    let eve = daemon.admin("eve");
    let (of_robot, of_eve) = (listen(&daemon, &robot.client, &space), listen(&daemon, &eve, &space));
    ann.say(&space, "before");
    leave(&ann, &robot, &space);
    daemon.operator().patch("/api/users/eve", json!({"role": "member"})).expect(200);
    ann.say(&space, "later");
    wait_until("the demotion shows", || eve.get(&format!("/api/v1/spaces/{space}")).status == 404);
    for stream in [rest(of_robot), rest(of_eve)] {
        assert!(!stream.contains("later"), "{stream}");
    }
}
