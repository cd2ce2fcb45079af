//! Documentation, knowledge, and the contents of the caller's spaces, as resources (MCP contract, section 5).

use serde_json::{Value, json};

use crate::harness::{Asks, agent, code};
use crate::support::{Client, Daemon};

fn all(client: &Client) -> Vec<Value> {
    let (mut found, mut params) = (Vec::new(), json!({}));
    loop {
        let page = client.result("resources/list", params);
        let rows = page["resources"].as_array().expect("a list");
        assert!((1..=100).contains(&rows.len()), "{}", rows.len());
        found.extend(rows.iter().cloned());
        match page.get("nextCursor") {
            None => return found,
            Some(cursor) => params = json!({"cursor": cursor}),
        }
    }
}

fn read(client: &Client, uri: &str) -> Value {
    let told = client.result("resources/read", json!({"uri": uri}));
    assert_eq!(told["contents"][0]["uri"], uri);
    told["contents"][0].clone()
}

#[test]
fn every_resource_that_is_listed_can_be_read() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    robot.done("messages_send", json!({"content": "hello"}));
    robot.done("tasks_create", json!({"title": "a task"}));
    for n in 0..230 {
        robot.done("context_set", json!({"key": format!("k/{n:03} ü"), "value": n.to_string()}));
    }
    let list = all(&robot);
    let uris: Vec<&str> = list.iter().map(|row| row["uri"].as_str().unwrap()).collect();
    let unique: std::collections::BTreeSet<_> = uris.iter().collect();
    assert_eq!(unique.len(), uris.len());
    assert_eq!(uris.iter().filter(|uri| uri.contains("/context/")).count(), 230);
    assert!(uris[0].starts_with("taos://docs/"));
    for row in &list {
        let uri = row["uri"].as_str().unwrap();
        let got = read(&robot, uri);
        assert_eq!(got["mimeType"], row["mimeType"], "{uri}");
        assert!(got["text"].as_str().is_some_and(|text| !text.is_empty()), "{uri}");
        let name = row["name"].as_str().unwrap();
        assert!(name.chars().count() <= 120 && !name.contains(char::is_control), "{name}");
    }
    let space = robot.done("spaces_list", json!({}))["spaces"][0]["id"].as_str().unwrap().to_owned();
    let messages: Value =
        serde_json::from_str(read(&robot, &format!("taos://spaces/{space}/messages"))["text"].as_str().unwrap())
            .unwrap();
    assert_eq!(messages["messages"][0]["content"], "hello");
    let tasks: Value =
        serde_json::from_str(read(&robot, &format!("taos://spaces/{space}/tasks"))["text"].as_str().unwrap()).unwrap();
    assert_eq!(tasks["tasks"][0]["title"], "a task");
    assert_eq!(read(&robot, &format!("taos://spaces/{space}/context/k%2F007%20%C3%BC"))["text"], "7");
    let found = robot.done("knowledge_search", json!({"q": "token"}))["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(read(&robot, &format!("taos://knowledge/{found}"))["text"].is_string());
    let docs = robot.result_now("resources/read", json!({"uri": "taos://docs/agents/README"}));
    assert_eq!(docs["ttlMs"], 3_600_000);
    let live = robot.result_now("resources/read", json!({"uri": format!("taos://spaces/{space}/tasks")}));
    assert_eq!(live["ttlMs"], 0);
}

#[test]
fn what_is_not_there_and_what_is_not_ones_own_look_alike() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let ann = daemon.member("ann", &["*"]);
    let space = ann.done("spaces_list", json!({}))["spaces"][0]["id"].as_str().unwrap().to_owned();
    ann.done("context_set", json!({"key": "secret", "value": "v"}));
    let foreign = format!("taos://spaces/{space}/context/secret");
    let nowhere = "taos://spaces/01900000-0000-7000-8000-000000000000/context/secret".to_owned();
    let others = [
        format!("taos://spaces/{space}/tasks"),
        format!("taos://spaces/{space}/messages"),
        "taos://docs/agents/nothing".to_owned(),
        "taos://docs/../../schema.sql".to_owned(),
        "taos://knowledge/nothing".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://{}/docs", daemon.address),
        "x".repeat(10_000),
    ];
    let same = |uri: &str| robot.ask("resources/read", json!({"uri": uri})).text().replace(uri, "URI");
    assert_eq!(same(&foreign), same(&nowhere));
    for uri in [&foreign, &nowhere].into_iter().chain(&others) {
        let reply = robot.ask("resources/read", json!({"uri": uri}));
        assert_eq!(code(&reply), (200, -32002), "{uri}");
        assert_eq!(reply.json()["error"]["data"]["uri"], **uri);
        assert_eq!(code(&robot.ask_now("resources/read", json!({"uri": uri}))), (200, -32602), "{uri}");
    }
    assert!(all(&robot).iter().all(|row| !row["uri"].as_str().unwrap().contains(&space)));
    // The list leaves out what the credential does not cover.
    daemon.agent("narrow");
    let narrow = daemon.agent_token("narrow", &["messages.list"]);
    let uris: Vec<String> = all(&narrow).iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect();
    assert!(uris.iter().any(|uri| uri.ends_with("/messages")) && !uris.iter().any(|uri| uri.ends_with("/tasks")));
}
