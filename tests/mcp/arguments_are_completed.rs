//! The arguments of prompts and templates are completed with what the caller may see, and nothing else (MCP contract,
//! section 3).

use serde_json::{Value, json};

use crate::harness::{Asks, agent, code};
use crate::support::{Client, Daemon};

fn template(uri: &str, name: &str, value: &str) -> Value {
    json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": name, "value": value}})
}

fn prompt(of: &str, name: &str, value: &str) -> Value {
    json!({"ref": {"type": "ref/prompt", "name": of}, "argument": {"name": name, "value": value}})
}

/// The values, and whether there are more.
#[track_caller]
fn values(client: &Client, params: &Value) -> (Vec<String>, bool) {
    let told = client.result("completion/complete", params.clone());
    assert_eq!(client.result_now("completion/complete", params.clone())["completion"], told["completion"]);
    let completion = &told["completion"];
    let values = completion["values"].as_array().expect("a list").iter().map(|one| one.as_str().unwrap().to_owned());
    (values.collect(), completion["hasMore"].as_bool().expect("a flag"))
}

const KEYS: &str = "taos://spaces/{space_id}/context/{key}";

#[test]
fn pages_spaces_keys_and_sources_are_completed() {
    let daemon = Daemon::start();
    let (operator, robot) = (daemon.operator(), agent(&daemon, "robot"));
    let found = robot.result_now("server/discover", json!({}));
    assert_eq!(found["capabilities"]["completions"], json!({}));
    let (pages, _) = values(&robot, &template("taos://docs/{+path}", "path", "agents/recipes/mc"));
    assert_eq!(pages, ["agents/recipes/mcp"]);
    let space = robot.done("spaces_list", json!({}))["spaces"][0]["id"].as_str().unwrap().to_owned();
    let spaces = [space.clone()];
    assert_eq!(values(&robot, &prompt("catch-up", "space_id", &space[..4])).0, spaces);
    assert_eq!(values(&robot, &template("taos://spaces/{space_id}/tasks", "space_id", "")).0, spaces);
    assert!(values(&robot, &prompt("catch-up", "space_id", "zz")).0.is_empty());
    for n in 0..120 {
        robot.done("context_set", json!({"key": format!("plan/{n:03}"), "value": "x"}));
    }
    robot.done("context_set", json!({"key": "other", "value": "x"}));
    let mut keys = template(KEYS, "key", "plan/");
    keys["context"] = json!({"arguments": {"space_id": space}});
    let (found, more) = values(&robot, &keys);
    assert_eq!((found.len(), found[0].as_str(), more), (100, "plan/000", true));
    keys["argument"]["value"] = json!("plan/11");
    assert_eq!(values(&robot, &keys).0.len(), 10);
    // A key typed in full is offered as well.
    keys["argument"]["value"] = json!("plan/110");
    assert_eq!(values(&robot, &keys).0, ["plan/110"]);
    // Without a space no key is offered.
    assert!(values(&robot, &template(KEYS, "key", "")).0.is_empty());
    let items = json!({"items": [{"path": "one.md", "title": "One", "content": "# One"}]});
    operator.call("PUT", "/api/knowledge/sources/handbook", Some(&items)).expect(200);
    assert_eq!(values(&robot, &prompt("system-prompt", "source_id", "hand")).0, ["handbook"]);
    assert!(values(&robot, &prompt("system-prompt", "max_bytes", "1")).0.is_empty());
}

#[test]
fn nothing_is_completed_from_what_the_caller_may_not_see() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    ann.post("/api/v1/context", json!({"key": "secret-plan", "value": "v"})).expect(200);
    let hers = ann.get("/auth/me").expect(200).json()["space_id"].clone();
    let robot = agent(&daemon, "robot");
    let mut keys = template(KEYS, "key", "");
    keys["context"] = json!({"arguments": {"space_id": hers}});
    assert!(values(&robot, &keys).0.is_empty());
    assert!(!values(&robot, &prompt("catch-up", "space_id", "")).0.iter().any(|id| *id == hers));
    let narrow = daemon.agent_token("robot", &["messages.list"]);
    let space = daemon.operator().get("/auth/me").expect(200).json()["space_id"].clone();
    daemon.operator().post("/api/v1/context", json!({"key": "a", "value": "v"})).expect(200);
    keys["context"]["arguments"]["space_id"] = space;
    assert!(values(&narrow, &keys).0.is_empty());
    assert!(values(&narrow, &prompt("system-prompt", "source_id", "")).0.is_empty());
}

#[test]
fn an_argument_that_there_is_not_is_refused() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    for bad in [
        prompt("nothing", "space_id", ""),
        prompt("catch-up", "nothing", ""),
        prompt("agent-manual", "space_id", ""),
        template("taos://nothing/{x}", "x", ""),
        template("taos://docs/{+path}", "key", ""),
        json!({"ref": {"type": "ref/tool", "name": "x"}, "argument": {"name": "a", "value": ""}}),
        json!({"ref": {"type": "ref/prompt", "name": "catch-up"}, "argument": {"name": "space_id", "value": 7}}),
        json!({}),
    ] {
        assert_eq!(code(&robot.ask("completion/complete", bad.clone())), (200, -32602), "{bad}");
    }
}
