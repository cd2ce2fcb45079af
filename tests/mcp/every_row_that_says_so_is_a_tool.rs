//! The list of tools comes from the table of routes: each row that says so is a tool, none with a secret is, and the
//! schemas of input and output have the form that clients need (MCP contract, section 4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::Repeat;

use crate::harness::{Asks, agent};
use crate::support::{Client, Daemon, schema, text};

fn rows() -> impl Iterator<Item = (&'static ApiRoute, &'static str)> {
    let all = routes().iter().flat_map(|table| table.iter());
    all.filter_map(|route| Some((route, route.tool.as_ref()?.name)))
}

fn listed(client: &Client) -> BTreeMap<String, Value> {
    let list = client.result("tools/list", json!({}));
    assert!(list.get("nextCursor").is_none());
    let tools = list["tools"].as_array().expect("a list").iter();
    tools.map(|tool| (tool["name"].as_str().expect("a name").to_owned(), tool.clone())).collect()
}

#[test]
fn every_row_that_says_so_is_a_tool_and_none_with_a_secret() {
    let daemon = Daemon::start();
    let (operator, robot) = (daemon.operator(), agent(&daemon, "robot"));
    let names: BTreeSet<&str> = rows().map(|(_, name)| name).collect();
    assert_eq!(names.len(), rows().count(), "two tools of one name");
    let seen: BTreeSet<String> = listed(&operator).into_keys().chain(listed(&robot).into_keys()).collect();
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), names);
    for (route, name) in rows() {
        assert_ne!(route.repeat, Repeat::Secret, "{name}");
        for secret in ["token", "keys", "credentials", "users", "sessions", "exchange", "oauth"] {
            assert!(!route.path.split('/').any(|segment| segment.contains(secret)), "{name}: {}", route.path);
        }
    }
}

#[test]
fn each_is_described_as_clients_want_it() {
    let daemon = Daemon::start();
    let first = daemon.operator().ask("tools/list", json!({}));
    assert_eq!(first.body, daemon.operator().ask("tools/list", json!({})).body, "two lists differ");
    let form = regex::Regex::new("^[a-z]+(_[a-z]+)+$").unwrap();
    for (name, tool) in listed(&daemon.operator()) {
        assert!(name.len() <= 48 && form.is_match(&name), "{name}");
        assert!(tool["title"].as_str().is_some_and(|title| !title.is_empty()), "{name}");
        let about = tool["description"].as_str().expect("a description");
        assert!((20..=1024).contains(&about.len()) && !about.contains("  "), "{name}: {about}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}");
        }
        assert_eq!(tool["annotations"]["openWorldHint"], false);
        let input = &tool["inputSchema"];
        assert_eq!((&input["type"], &input["additionalProperties"]), (&json!("object"), &json!(false)), "{name}");
        is_bounded(&name, input);
        if name != "uploads_read" {
            assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        }
        for word in ["$ref", "x-mcp-header"] {
            assert!(!tool.to_string().contains(word), "{name}: {word}");
        }
        for property in input["properties"].as_object().expect("properties").values() {
            assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {property}");
        }
    }
}

/// Checks that every text of an input has a maximum length.
fn is_bounded(name: &str, schema: &Value) {
    if schema["type"] == "string" {
        assert!(schema["maxLength"].is_u64() || schema["enum"].is_array(), "{name}: {schema}");
    }
    if schema["type"] == "object" && schema["properties"].is_object() {
        assert_eq!(schema["additionalProperties"], false, "{name}: {schema}");
    }
    match schema {
        Value::Object(all) => all.values().for_each(|value| is_bounded(name, value)),
        Value::Array(all) => all.iter().for_each(|value| is_bounded(name, value)),
        _ => {}
    }
}

#[test]
fn each_does_what_its_route_does_and_its_result_fits_its_schema() {
    let daemon = Daemon::start();
    let (operator, robot) = (daemon.operator(), agent(&daemon, "robot"));
    let schemas = listed(&operator);
    let mut left: BTreeSet<&str> = rows().map(|(_, name)| name).collect();
    let mut call = |client: &Client, name: &'static str, arguments: Value| {
        left.remove(name);
        let told = client.done(name, arguments);
        let schema = &schemas[name]["outputSchema"];
        let problems = schema::problems(schema, schema, &told);
        assert!(problems.is_empty(), "{name}: {problems:?} in {told}");
        told
    };
    assert_eq!(call(&robot, "auth_whoami", json!({}))["agent_name"], "robot");
    assert_eq!(call(&operator, "agents_list", json!({"q": "rob"}))["items"][0]["name"], "robot");
    assert_eq!(call(&operator, "agents_get", json!({"name": "robot"}))["name"], "robot");
    let space = call(&robot, "spaces_list", json!({}))["spaces"][0]["id"].clone();
    let sent = call(&robot, "messages_send", json!({"content": "Hello @operator", "space_id": space}));
    let id = sent["message"]["id"].clone();
    let answer = json!({"content": "Good morning", "parent_id": id, "space_id": space});
    call(&operator, "messages_send", answer);
    let list = call(&robot, "messages_list", json!({"limit": 1}));
    assert_eq!(list["messages"][0]["content"], "Good morning");
    let later = call(&robot, "messages_list", json!({"after": id}));
    assert_eq!(later["messages"].as_array().map(Vec::len), Some(1));
    let thread = call(&robot, "messages_get", json!({"message_id": id}));
    assert_eq!((&thread["message"]["id"], &thread["replies"][0]["content"]), (&id, &json!("Good morning")));
    assert_eq!(call(&robot, "messages_search", json!({"query": "morning"}))["results"][0]["content"], "Good morning");
    assert_eq!(call(&robot, "messages_list", json!({"unread_only": true}))["messages"][0]["content"], "Good morning");
    assert_eq!(call(&robot, "messages_mark_read", json!({"message_ids": [id]}))["marked_read"], 0);
    assert_eq!(call(&robot, "messages_mark_read", json!({}))["marked_read"], 1);
    let task = call(&robot, "tasks_create", json!({"title": "Read the log"}))["id"].clone();
    assert_eq!(call(&robot, "tasks_get", json!({"task_id": task}))["title"], "Read the log");
    assert_eq!(call(&robot, "tasks_list", json!({}))["tasks"][0]["id"], task);
    let claimed = call(&robot, "tasks_next", json!({"lease_seconds": 60}));
    let fence = claimed["lease"]["fence"].clone();
    call(&robot, "tasks_renew", json!({"task_id": task, "fence": fence}));
    call(&robot, "tasks_release", json!({"task_id": task, "fence": fence}));
    let fence = call(&robot, "tasks_claim", json!({"task_id": task}))["lease"]["fence"].clone();
    let done = json!({"task_id": task, "status": "done", "fence": fence});
    assert_eq!(call(&robot, "tasks_update", done)["status"], "done");
    call(&robot, "context_set", json!({"key": "spec/a b", "value": "ready"}));
    let keys = call(&robot, "context_list", json!({"prefix": "spec/"}));
    assert_eq!((&keys["items"][0]["key"], &keys["items"][0]["size"]), (&json!("spec/a b"), &json!(5)));
    assert!(keys["items"][0].get("value").is_none());
    assert_eq!(call(&robot, "context_get", json!({"key": "spec/a b"}))["value"], "ready");
    assert_eq!(call(&robot, "context_delete", json!({"key": "spec/a b"})), json!({"ok": true}));
    let found = call(&robot, "knowledge_search", json!({"q": "token", "limit": 2}));
    let item = call(&robot, "knowledge_get", json!({"id": found["items"][0]["id"]}));
    assert!(item["content"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(call(&robot, "ui_notify", json!({"title": "Done", "body": "All is well"}))["delivered"], true);
    let upload = crate::refusals_are_results::upload(&robot, "note.md", "text/markdown", b"# Note");
    let file = robot.tool("uploads_read", json!({"attachment_id": upload}));
    left.remove("uploads_read");
    assert_eq!(file["content"][0], json!({"type": "text", "text": "# Note"}));
    left.retain(|name| !["user_ask", "user_answer", "access_request", "access_request_get"].contains(name));
    assert!(left.is_empty(), "not called: {left:?}");
}

#[test]
fn an_agent_asks_its_owner_and_gets_the_answer() {
    let daemon = Daemon::start();
    let (operator, robot) = (daemon.operator(), agent(&daemon, "robot"));
    let schemas = listed(&robot);
    let call = |name: &str, arguments: Value| {
        let told = robot.done(name, arguments);
        let schema = &schemas[name]["outputSchema"];
        let problems = schema::problems(schema, schema, &told);
        assert!(problems.is_empty(), "{name}: {problems:?} in {told}");
        told
    };
    let asked = call("user_ask", json!({"question": "Which branch?", "options": ["main", "release"]}));
    assert_eq!(asked["status"], "waiting");
    let id = asked["question_id"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call("user_answer", json!({"question_id": id, "wait": 20})));
        std::thread::sleep(std::time::Duration::from_millis(300));
        operator.post(&format!("/api/requests/{id}/approve"), json!({"option": 1})).expect(200);
        let told = waiting.join().expect("an answer");
        assert_eq!((&told["status"], &told["option"]), (&json!("answered"), &json!(1)));
    });
    assert_eq!(operator.refused("user_answer", json!({"question_id": id}))["error"], "question_not_found");
    let wanted = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "To see why it failed."});
    let request = call("access_request", wanted);
    let seen = call("access_request_get", json!({"request_id": request["id"]}));
    assert_eq!((&seen["id"], &seen["state"]), (&request["id"], &json!("pending")));
    std::thread::scope(|scope| {
        let wanted = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "To see why it failed.", "wait": 20});
        let waiting = scope.spawn(|| call("access_request", wanted));
        std::thread::sleep(std::time::Duration::from_millis(300));
        operator.post(&format!("/api/requests/{}/deny", text(&request, "id")), json!({"note": "no"})).expect(200);
        let told = waiting.join().expect("a decision");
        assert_eq!((&told["id"], &told["state"], &told["note"]), (&request["id"], &json!("denied"), &json!("no")));
    });
}
