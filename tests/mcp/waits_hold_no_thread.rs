//! A tool that waits holds no thread. It ends with what it waited for, or when its time is over.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Asks, agent};
use crate::support::Daemon;

#[test]
fn many_wait_at_once_and_all_hear_of_one_message() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "2")]);
    let robot = agent(&daemon, "robot");
    let first = robot.done("messages_send", json!({"content": "first"}))["message"]["id"].clone();
    std::thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..20).map(|_| scope.spawn(|| robot.done("messages_list", json!({"after": first, "wait": 20})))).collect();
        std::thread::sleep(Duration::from_millis(400));
        let asked = Instant::now();
        robot.done("messages_send", json!({"content": "second"}));
        assert!(asked.elapsed() < Duration::from_secs(5));
        for one in waiting {
            let told = one.join().expect("an answer");
            assert_eq!(told["messages"][0]["content"], "second");
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    });
}

#[test]
fn a_wait_without_news_ends_at_its_time() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let asked = Instant::now();
    let told = robot.done("messages_list", json!({"wait": 1}));
    assert_eq!(told["count"], 0);
    assert!(asked.elapsed() >= Duration::from_secs(1) && asked.elapsed() < Duration::from_secs(6));
    let told = robot.done("tasks_next", json!({"wait": 1}));
    assert!(told["task"].is_null());
}
