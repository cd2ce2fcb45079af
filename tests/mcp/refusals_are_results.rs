//! A handler's refusal, wrong arguments and a missing scope are results that a model can read and act on. A repeat with
//! the same key gets the first result and is not done again (MCP contract, section 4).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Asks, agent};
use crate::support::{Client, Daemon};

/// Uploads a file and returns its id.
#[track_caller]
pub fn upload(client: &Client, name: &str, kind: &str, bytes: &[u8]) -> Value {
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let client = client.with("Content-Type", "multipart/form-data; boundary=b");
    client.send("POST", "/api/v1/uploads/", Some(&body)).expect(201).json()["attachment_id"].clone()
}

#[test]
fn a_refusal_says_what_to_do() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let told = robot.refused("tasks_get", json!({"task_id": "nothing"}));
    assert_eq!((&told["status"], &told["error"]), (&json!(404), &json!("task_not_found")));
    let told = robot.refused("messages_send", json!({"content": 7, "colour": "red"}));
    assert_eq!((&told["status"], &told["error"]), (&json!(422), &json!("validation_error")));
    let fields: Vec<&Value> = told["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    assert_eq!(fields, [&json!("content"), &json!("colour")]);
    // An error that only the handler finds has the same code.
    let told = robot.refused("messages_send", json!({"content": "x", "channel": "dm:nobody"}));
    assert_eq!((&told["status"], &told["error"]), (&json!(422), &json!("validation_error")));
    assert_eq!(robot.refused("messages_get", json!({}))["error"], "validation_error");
    assert_eq!(robot.refused("messages_list", json!({"wait": 26}))["error"], "validation_error");
    assert_eq!(robot.refused("messages_list", json!({"mark_read": true}))["error"], "validation_error");
}

#[test]
fn a_missing_scope_is_a_result_and_the_tool_is_not_listed() {
    let daemon = Daemon::start();
    daemon.agent("robot");
    let robot = daemon.agent_token("robot", &["messages.list", "agents.*"]);
    assert_eq!(robot.tools(), ["agents_get", "agents_list", "auth_whoami", "messages_list"]);
    let told = robot.refused("messages_send", json!({"content": "x"}));
    assert_eq!((&told["status"], &told["error"]), (&json!(403), &json!("scope_denied")));
    assert_eq!(told["action"], "messages.send");
    let end = Instant::now() + Duration::from_secs(10);
    let is_audited = || {
        let rows = daemon.operator().get("/api/audit?limit=500").expect(200).json();
        rows.as_array().unwrap().iter().any(|row| row["action"] == "messages.send" && row["outcome"] == "denied")
    };
    while !is_audited() {
        assert!(Instant::now() < end, "the denial is not in the audit");
    }
}

#[test]
fn a_repeat_under_one_key_is_answered_not_done_again() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let arguments = json!({"content": "once", "idempotency_key": "k-1"});
    let first = robot.tool("messages_send", arguments.clone());
    assert!(first.get("_meta").is_none());
    let again = robot.tool("messages_send", arguments);
    assert_eq!(again["_meta"]["taosd/replayed"], true);
    assert_eq!(again["structuredContent"], first["structuredContent"]);
    // The order of the arguments does not matter.
    let turned = robot.tool("messages_send", json!({"idempotency_key": "k-1", "content": "once"}));
    assert_eq!(turned["structuredContent"], first["structuredContent"]);
    assert_eq!(robot.done("messages_list", json!({}))["count"], 1);
    let told = robot.refused("messages_send", json!({"content": "twice", "idempotency_key": "k-1"}));
    assert_eq!(told["error"], "idempotency_key_reused");
    // A key is bound to its tool and its principal, and must have a valid form.
    robot.done("context_set", json!({"key": "a", "value": "b", "idempotency_key": "k-1"}));
    daemon.operator().done("messages_send", json!({"content": "mine", "idempotency_key": "k-1"}));
    assert_eq!(
        robot.refused("messages_send", json!({"content": "x", "idempotency_key": "a b"}))["error"],
        "invalid_idempotency_key"
    );
    // A refusal is stored for repeats as well.
    let bad = json!({"content": "x", "parent_id": "nothing", "idempotency_key": "k-2"});
    assert_eq!(robot.refused("messages_send", bad.clone())["error"], "message_not_found");
    assert_eq!(robot.tool("messages_send", bad)["_meta"]["taosd/replayed"], true);
}

#[test]
fn files_come_by_their_kind() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let png = b"\x89PNG\r\n\x1a\nnot much of a picture";
    let image = upload(&robot, "a.png", "image/png", png);
    let told = robot.tool("uploads_read", json!({"attachment_id": image}));
    assert_eq!((&told["content"][0]["type"], &told["content"][0]["mimeType"]), (&json!("image"), &json!("image/png")));
    assert_eq!(told["content"][0]["data"], data_encoding::BASE64.encode(png));
    let pdf = upload(&robot, "a.pdf", "application/pdf", b"%PDF-1.7 x");
    let told = robot.tool("uploads_read", json!({"attachment_id": pdf}));
    assert_eq!(told["content"][0]["resource"]["blob"], data_encoding::BASE64.encode(b"%PDF-1.7 x"));
    let long = upload(&robot, "long.txt", "text/plain", &vec![b'x'; 1024 * 1024 + 1]);
    assert_eq!(robot.refused("uploads_read", json!({"attachment_id": long}))["error"], "payload_too_large");
    let most = upload(&robot, "most.txt", "text/plain", &vec![b'x'; 1024 * 1024]);
    let told = robot.tool("uploads_read", json!({"attachment_id": most}));
    assert_eq!(told["content"][0]["text"].as_str().map(str::len), Some(1024 * 1024));
}
