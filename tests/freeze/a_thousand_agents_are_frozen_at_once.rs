//! A thousand agents keep sending requests while all are frozen. No request that begins after the reply to the freeze
//! is served.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::freeze::harness::{WHOAMI, token};
use crate::support::Daemon;

const AGENTS: usize = 1000;

#[test]
fn the_last_request_is_served_before_the_alarm_is_answered() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let mut tokens = Vec::with_capacity(AGENTS);
    for n in 0..AGENTS {
        let name = format!("a{n}");
        daemon.agent(&name);
        tokens.push(token(&daemon, &name));
    }
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (alarm, answered, last_begun, last_served) = std::thread::scope(|scope| {
        let workers: Vec<_> = tokens
            .chunks(AGENTS / 4)
            .map(|mine| {
                let (stop, served) = (&stop, &served);
                scope.spawn(move || {
                    let mut last = (Instant::now(), Instant::now());
                    while !stop.load(Ordering::Relaxed) {
                        for token in mine {
                            let begun = Instant::now();
                            let reply = token.get(WHOAMI);
                            if reply.status == 200 {
                                last = (begun, Instant::now());
                                served.fetch_add(1, Ordering::Relaxed);
                            } else {
                                reply.expect_error(401, "agent_frozen");
                            }
                        }
                    }
                    last
                })
            })
            .collect();
        while served.load(Ordering::Relaxed) < 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let alarm = Instant::now();
        let reply = daemon.operator().post("/api/freeze", json!({"reason": "all of them"})).expect(200).json();
        let answered = Instant::now();
        assert_eq!(reply["agents"], json!(AGENTS));
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        let last: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("a worker")).collect();
        let (begun, served) = (last.iter().map(|last| last.0).max(), last.iter().map(|last| last.1).max());
        (alarm, answered, begun.expect("workers"), served.expect("workers"))
    });
    let (answer, last) = (answered - alarm, last_served.saturating_duration_since(alarm));
    println!("{AGENTS} agents: the alarm was answered after {answer:?}, the last request served {last:?} after it");
    let late = last_begun.saturating_duration_since(answered);
    assert!(late.is_zero(), "a request was served that began {late:?} after the answer");
    for token in tokens.iter().step_by(97) {
        token.get(WHOAMI).expect_error(401, "agent_frozen");
    }
    assert_eq!(daemon.operator().post("/api/thaw", json!({})).expect(200).json()["agents"], json!(AGENTS));
    for token in tokens.iter().step_by(97) {
        token.get(WHOAMI).expect(200);
    }
}
