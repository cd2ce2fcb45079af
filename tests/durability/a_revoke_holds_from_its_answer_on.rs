//! The daemon caches credentials between requests. It still notices each revoke, each rotation and each disabled owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::storm::NO_RATES;
use crate::support::{Client, Daemon};

const WHOAMI: &str = "/api/auth/whoami";

fn issue(operator: &Client) -> String {
    let issued = operator.post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
    issued["token"].as_str().expect("a token").to_owned()
}

#[test]
fn no_request_sent_after_the_answer_is_let_in_however_busy_the_token_is() {
    let daemon = Daemon::with(&[], NO_RATES);
    let operator = daemon.operator();
    operator.post("/api/agents", json!({"name": "atlas"})).expect(200);
    for round in 0..40 {
        let token = issue(&operator);
        let revoked = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let (client, revoked) = (daemon.client(&token), Arc::clone(&revoked));
                std::thread::spawn(move || {
                    for _ in 0..10_000 {
                        // Read before the request is sent. If it is true, the reply must be a refusal.
                        let after = revoked.load(Ordering::SeqCst);
                        let status = client.get(WHOAMI).status;
                        assert!(!after || status == 401, "let in after the revoke was answered");
                        if status == 401 {
                            return;
                        }
                    }
                    panic!("never refused");
                })
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(5));
        if round % 2 == 0 {
            operator.delete("/api/agents/atlas/token").expect(204);
        } else {
            issue(&operator);
        }
        revoked.store(true, Ordering::SeqCst);
        busy.into_iter().for_each(|thread| thread.join().expect("a client"));
    }
}

#[test]
fn new_scopes_and_a_disabled_user_hold_at_once() {
    let daemon = Daemon::with(&[], NO_RATES);
    let operator = daemon.operator();
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    let issued = operator.post("/api/users/ann/tokens", json!({})).expect(201).json();
    let ann = daemon.client(issued["token"].as_str().expect("a token"));
    ann.get(WHOAMI).expect(200);
    operator.patch("/api/users/ann", json!({"disabled": true})).expect(200);
    ann.get(WHOAMI).expect_error(401, "invalid_token");
    operator.patch("/api/users/ann", json!({"disabled": false})).expect(200);
    ann.get(WHOAMI).expect(200);
    operator.delete("/api/users/ann").expect(204);
    ann.get(WHOAMI).expect_error(401, "invalid_token");
}
