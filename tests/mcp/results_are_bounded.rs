//! A result has at most 256 KiB. A list ends before that and returns a cursor. A longer single thing is refused.

use serde_json::json;

use crate::harness::{Asks, agent};
use crate::support::Daemon;

#[test]
fn a_long_list_ends_early_and_goes_on_at_its_cursor() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let text = "x".repeat(60_000);
    for n in 0..8 {
        robot.done("messages_send", json!({"content": format!("{n} {text}")}));
        robot.done("tasks_create", json!({"title": n.to_string(), "description": text}));
    }
    let list = robot.done("messages_list", json!({"limit": 100}));
    assert!(list.to_string().len() <= 256 * 1024, "{}", list.to_string().len());
    assert_eq!(list["more"], true);
    let mut seen = Vec::new();
    let mut cursor = None;
    for _ in 0..8 {
        let mut arguments = json!({"limit": 100});
        if let Some(cursor) = cursor {
            arguments["cursor"] = cursor;
        }
        let page = robot.done("tasks_list", arguments);
        assert!(page.to_string().len() <= 256 * 1024);
        seen.extend(page["tasks"].as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()));
        cursor = page.get("next_cursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["7", "6", "5", "4", "3", "2", "1", "0"]);
}

#[test]
fn what_is_too_long_by_itself_is_refused() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    robot.done("context_set", json!({"key": "long", "value": "x".repeat(300_000)}));
    assert_eq!(robot.refused("context_get", json!({"key": "long"}))["error"], "payload_too_large");
    assert_eq!(robot.done("context_list", json!({}))["items"][0]["size"], 300_000);
}
