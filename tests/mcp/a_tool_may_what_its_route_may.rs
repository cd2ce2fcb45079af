//! A tool call succeeds exactly if its route does. For random scopes and memberships, the same credential tries both on
//! the same things (MCP contract, section 8).

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::harness::Asks;
use crate::support::{Client, Daemon};

const SCOPES: &[&str] = &[
    "messages.*",
    "messages.list",
    "messages.read",
    "messages.send",
    "messages.search",
    "messages.mark",
    "tasks.*",
    "tasks.list",
    "tasks.read",
    "tasks.create",
    "tasks.update",
    "context.*",
    "context.list",
    "context.read",
    "context.write",
    "context.delete",
    "spaces.list",
    "agents.list",
    "agents.read",
    "knowledge.read",
    "ui.notify",
];

/// The things for the tries, in another user's space.
struct Things {
    space: String,
    message: String,
    task: String,
}

/// A call of a tool, and the same call of its route.
struct Pair {
    tool: &'static str,
    arguments: Value,
    method: &'static str,
    path: String,
    body: Option<Value>,
}

fn pairs(things: &Things) -> Vec<Pair> {
    let Things { space, message, task } = things;
    let pair = |tool, arguments, method, path: String, body| Pair { tool, arguments, method, path, body };
    let text = json!({"content": "x", "space_id": space});
    let new = json!({"title": "t", "space_id": space});
    let set = json!({"key": "k", "value": "v", "space_id": space});
    vec![
        pair("spaces_list", json!({}), "GET", "/api/v1/spaces".into(), None),
        pair("agents_list", json!({}), "GET", "/api/agents".into(), None),
        pair("agents_get", json!({"name": "other"}), "GET", "/api/agents/other".into(), None),
        pair("knowledge_search", json!({"q": "x"}), "GET", "/api/knowledge/search?q=x".into(), None),
        pair("messages_list", json!({"space_id": space}), "GET", format!("/api/v1/messages?space_id={space}"), None),
        pair("messages_get", json!({"message_id": message}), "GET", format!("/api/v1/messages/{message}/thread"), None),
        pair("messages_send", text.clone(), "POST", "/api/v1/messages".into(), Some(text)),
        pair(
            "messages_mark_read",
            json!({"message_ids": [message]}),
            "POST",
            "/api/v1/messages/mark-read".into(),
            Some(json!({"message_ids": [message]})),
        ),
        pair(
            "messages_search",
            json!({"query": "x", "space_id": space}),
            "POST",
            "/api/v1/search/messages".into(),
            Some(json!({"query": "x", "space_id": space})),
        ),
        pair("tasks_list", json!({"space_id": space}), "GET", format!("/api/v1/tasks?space_id={space}"), None),
        pair("tasks_get", json!({"task_id": task}), "GET", format!("/api/v1/tasks/{task}"), None),
        pair("tasks_create", new.clone(), "POST", "/api/v1/tasks".into(), Some(new)),
        pair(
            "tasks_update",
            json!({"task_id": task, "priority": "high"}),
            "PATCH",
            format!("/api/v1/tasks/{task}"),
            Some(json!({"priority": "high"})),
        ),
        pair("context_set", set.clone(), "POST", "/api/v1/context".into(), Some(set)),
        pair("context_list", json!({"space_id": space}), "GET", format!("/api/v1/context?space_id={space}"), None),
        pair(
            "context_get",
            json!({"key": "k", "space_id": space}),
            "GET",
            format!("/api/v1/context/k?space_id={space}"),
            None,
        ),
    ]
}

/// The status and code of a route's reply, with the code that a tool uses.
fn by_route(client: &Client, pair: &Pair) -> (u64, String) {
    let reply = client.call(pair.method, &pair.path, pair.body.as_ref());
    if reply.status < 300 {
        return (200, String::new());
    }
    let body = reply.json();
    let code = body["detail"]["error"].as_str().or(body["error"].as_str()).expect("a code");
    // The aX dialect has another code for a missing scope.
    let code = if code == "insufficient_scope" { "scope_denied" } else { code };
    (u64::from(reply.status), code.to_owned())
}

fn by_tool(client: &Client, pair: &Pair) -> (u64, String) {
    let result = client.tool(pair.tool, pair.arguments.clone());
    if result["isError"] == false {
        return (200, String::new());
    }
    let told: Value = serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON");
    (told["status"].as_u64().expect("a status"), told["error"].as_str().expect("a code").to_owned())
}

#[test]
fn a_tool_succeeds_exactly_where_its_route_does() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let (operator, ann) = (daemon.operator(), daemon.member("ann", &["*"]));
    daemon.agent("robot");
    daemon.agent("other");
    let space = ann.get("/auth/me").expect(200).json()["space_id"].as_str().unwrap().to_owned();
    let sent = ann.post("/api/v1/messages", json!({"content": "x"})).expect(200).json();
    let made = ann.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json();
    ann.post("/api/v1/context", json!({"key": "k", "value": "v"})).expect(200);
    let things = Things {
        message: sent["message"]["id"].as_str().unwrap().to_owned(),
        task: made["id"].as_str().unwrap().to_owned(),
        space: space.clone(),
    };
    let strategy = (
        prop::sample::subsequence(SCOPES, 0..=SCOPES.len()),
        prop::sample::select(&[None, Some("viewer"), Some("editor"), Some("owner")][..]),
    );
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let members = format!("/api/v1/spaces/{space}/members");
    let checked = runner.run(&strategy, |(scopes, role)| {
        let robot = daemon.agent_token("robot", &scopes);
        let id = daemon.record("robot")["id"].as_str().unwrap().to_owned();
        operator.delete(&format!("{members}/{id}"));
        if let Some(role) = role {
            let let_in = operator.post(&members, json!({"agent": "robot", "role": role}));
            prop_assert!(let_in.status < 300, "{}", let_in.text());
        }
        let offered = robot.tools();
        for pair in pairs(&things) {
            let (route, tool) = (by_route(&robot, &pair), by_tool(&robot, &pair));
            prop_assert_eq!(&route, &tool, "{} with {:?} as {:?}", pair.tool, scopes, role);
            let is_offered = offered.iter().any(|name| name == pair.tool);
            prop_assert_eq!(is_offered, tool.1 != "scope_denied", "{} with {:?}", pair.tool, scopes);
        }
        Ok(())
    });
    checked.expect("tools and routes agree");
}
