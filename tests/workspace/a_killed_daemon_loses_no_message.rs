//! The daemon is killed while messages are sent. Every acknowledged message is stored once, the space's order has no
//! gap, and a follower gets each message once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text, wait_until};
use crate::workspace::harness::{Actor, agent, member};

const ROUNDS: usize = 5;
const WRITERS: usize = 4;

/// Sends messages, each with its own client id, until the daemon dies. Records the acknowledged ones.
fn write(client: &Client, writer: usize, round: usize, until: &AtomicBool, acknowledged: &Mutex<Vec<String>>) {
    for n in 0.. {
        if until.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{round}-{writer}-{n}");
        let body = json!({"content": format!("@robot {name}"), "client_id": name}).to_string();
        match client.try_send("POST", "/api/v1/messages", Some(body.as_bytes())) {
            Ok(reply) if reply.status == 200 => acknowledged.lock().unwrap().push(name),
            _ => return,
        }
    }
}

#[test]
fn what_was_acknowledged_is_there_once() {
    let mut daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let acknowledged = Mutex::new(Vec::new());
    let mut followed: Vec<(i64, String)> = Vec::new();
    for round in 0..ROUNDS {
        let until = AtomicBool::new(false);
        let client = daemon.client(ann.client.token());
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (client, until, acknowledged) = (&client, &until, &acknowledged);
                scope.spawn(move || write(client, writer, round, until, acknowledged));
            }
            std::thread::sleep(Duration::from_millis(150 + 90 * round as u64));
            wait_until("a message in each round", || acknowledged.lock().unwrap().len() > round + 1);
            daemon.kill();
            until.store(true, Ordering::Relaxed);
        });
        daemon.spawn();
        // The reader goes on after the last message that it got.
        let reader = Actor { client: daemon.client(robot.client.token()), ..robot.clone() };
        loop {
            let after = followed.last().map_or(0, |(seq, _)| *seq);
            let list = reader.list(&format!("after_seq={after}&limit=500"));
            let rows: Vec<Value> = list["messages"].as_array().unwrap().clone();
            followed.extend(rows.iter().map(|row| (row["seq"].as_i64().unwrap(), text(row, "content"))));
            if rows.is_empty() {
                break;
            }
        }
    }
    let seqs: Vec<i64> = followed.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "no hole, and nothing twice");
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > ROUNDS, "{}", acknowledged.len());
    for name in &acknowledged {
        let times = followed.iter().filter(|(_, content)| *content == format!("@robot {name}")).count();
        assert_eq!(times, 1, "{name}");
        // The retry below, after the crash, stores no second message.
    }
    let last = acknowledged.last().unwrap();
    let again = daemon.client(ann.client.token());
    let body = json!({"content": "x", "client_id": last});
    let retried = again.post("/api/v1/messages", body).expect(200).json();
    assert_eq!(retried["duplicate"], json!(true));
    let reader = Actor { client: daemon.client(robot.client.token()), ..robot.clone() };
    assert_eq!(reader.list("limit=1")["unread_count"], json!(seqs.len()));
    // Every message has a receipt: at least fetched, or still queued if the crash came before the receipt was written.
    let known: i64 = daemon.number("SELECT count(*) FROM message_receipts", []);
    assert_eq!(known, seqs.len() as i64);
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}
