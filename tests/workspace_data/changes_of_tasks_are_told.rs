//! Every change of a task is an event on its space's stream, and on no other.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};
use crate::workspace::harness::{agent, member};

/// An open stream of the client's default space.
fn listen(daemon: &Daemon, client: &Client) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&daemon.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let head = format!(
        "GET /api/v1/sse/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        client.token()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let mut reader = BufReader::new(stream);
    // The stream is open once the daemon has sent `connected`.
    while !next_line(&mut reader).starts_with("event: connected") {}
    reader
}

fn next_line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line in time");
    line
}

/// The data of the next event about a task.
fn next_task(reader: &mut BufReader<TcpStream>) -> Value {
    while next_line(reader) != "event: task\n" {}
    let data = next_line(reader);
    serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON")
}

#[test]
fn a_tasks_changes_are_events_of_its_space_alone() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let worker = agent(&daemon, &ann, "worker");
    let (mut heard, mut other) = (listen(&daemon, &ann.client), listen(&daemon, &bob.client));
    let made = ann.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json();
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    worker.client.post(&format!("{path}/claim"), json!({})).expect(200);
    worker.client.post(&format!("{path}/release"), json!({"fence": 1})).expect(200);
    ann.client.patch(&path, json!({"priority": "low"})).expect(200);
    ann.client.patch(&path, json!({"status": "blocked"})).expect(200);
    for action in ["created", "claimed", "released", "updated", "blocked"] {
        let event = next_task(&mut heard);
        assert_eq!((&event["action"], &event["task"]["id"]), (&json!(action), &made["id"]), "{event}");
        assert_eq!(event["task"]["lease"].is_null(), action != "claimed");
    }
    bob.client.post("/api/v1/tasks", json!({"title": "bob's"})).expect(201);
    assert_eq!(next_task(&mut other)["task"]["title"], "bob's", "the first it hears is its own");
}
