//! A message that is sent twice with one client id is one message, also across a restart.

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon};
use crate::workspace::harness::{agent, contents, member};

#[test]
fn a_client_id_gives_the_first_message_again() {
    let mut daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let body = json!({"content": "once", "client_id": "c1"});
    let first = ann.send(body.clone());
    assert_eq!(first.get("duplicate"), None);
    let again = ann.send(json!({"content": "other words", "client_id": "c1"}));
    assert_eq!((again["duplicate"].clone(), again["message"].clone()), (json!(true), first["message"].clone()));
    daemon.restart();
    let ann_again = crate::workspace::harness::Actor { client: daemon.client(ann.client.token()), ..ann.clone() };
    assert_eq!(ann_again.send(body.clone())["message"], first["message"]);
    assert_eq!(contents(&ann_again.list("")), ["once"]);
    // Each author has its own client ids.
    let robot = agent(&daemon, &ann_again, "robot");
    assert_eq!(robot.send(body)["message"]["seq"], json!(2));
    ann_again
        .client
        .post("/api/v1/messages", json!({"content": "x", "client_id": ""}))
        .expect_ax(422, "invalid_request");
    ann_again
        .client
        .post("/api/v1/messages", json!({"content": "x", "client_id": "c".repeat(65)}))
        .expect_ax(422, "invalid_request");
}

#[test]
fn many_at_once_under_one_name_make_one_message() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let sent: Vec<Value> = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..16).map(|_| scope.spawn(|| ann.send(json!({"content": "x", "client_id": "c"})))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(sent.iter().filter(|one| one.get("duplicate").is_none()).count(), 1);
    assert!(sent.iter().all(|one| one["message"]["id"] == sent[0]["message"]["id"]));
    assert_eq!(ann.list("")["count"], json!(1));
}

#[test]
fn an_idempotency_key_replays_the_reply() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let keyed = ann.client.with("Idempotency-Key", "k1");
    let first = keyed.post("/api/v1/messages", json!({"content": "x"})).expect(200);
    let again = keyed.post("/api/v1/messages", json!({"content": "x"})).expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    assert_eq!(ann.list("")["count"], json!(1));
}
