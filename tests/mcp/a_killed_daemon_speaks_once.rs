//! The daemon is killed between a call and its reply. There is one message for each `idempotency_key`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Asks, agent, message};
use crate::support::{Client, Daemon};

fn call(client: &Client, n: usize) -> Option<Value> {
    let arguments = json!({"content": format!("message {n}"), "idempotency_key": format!("key-{n}")});
    let body = message("tools/call", &json!({"name": "messages_send", "arguments": arguments})).to_string();
    let reply = client.try_send("POST", "/mcp", Some(body.as_bytes())).ok()?;
    let told: Value = serde_json::from_slice(&reply.body).ok()?;
    (told["result"]["isError"] == false).then(|| told["result"].clone())
}

#[test]
fn a_key_speaks_once_over_a_kill() {
    let mut daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let token = agent(&daemon, "robot").token().to_owned();
    let mut next = 0;
    for round in 0..6_u64 {
        let client = daemon.client(&token);
        let (begun, killed) = std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let mut n = next;
                while call(&client, n).is_some() {
                    n += 1;
                }
                n
            });
            std::thread::sleep(Duration::from_millis(40 + 37 * round));
            daemon.kill();
            (writing.join().expect("the writer"), true)
        });
        assert!(killed);
        daemon.spawn();
        // The call that got no reply, and the last one that did, are sent again.
        let client = daemon.client(&token);
        for n in begun.saturating_sub(1)..=begun {
            assert!(call(&client, n).is_some(), "message {n}");
        }
        next = begun + 1;
    }
    let client = daemon.client(&token);
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = client.done("messages_list", json!({"after_seq": after, "limit": 100}));
        let rows = page["messages"].as_array().unwrap().clone();
        seen.extend(rows.iter().map(|row| row["content"].as_str().unwrap().to_owned()));
        match rows.last() {
            Some(last) => after = last["seq"].as_i64().unwrap(),
            None => break,
        }
    }
    let expected: Vec<String> = (0..next).map(|n| format!("message {n}")).collect();
    assert_eq!(seen, expected);
}
