//! Change notices on the reply of `subscriptions/listen` (MCP contract, section 6).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::events::Events;
use crate::harness::{Asks, NOW, agent, code, message, modern};
use crate::support::{Client, Daemon};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

pub fn listen(daemon: &Daemon, client: &Client, wanted: Value) -> Events {
    let body = message("subscriptions/listen", &modern(json!({"notifications": wanted}))).to_string();
    let headers = [
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", NOW),
        ("Mcp-Method", "subscriptions/listen"),
    ];
    Events::ask("POST", &daemon.address, client.token(), "/mcp", &headers, &body)
}

pub fn next(stream: &mut Events) -> Value {
    let event = stream.next().expect("an event");
    assert_eq!(event.event, "message");
    let told: Value = serde_json::from_str(&event.data).expect("JSON");
    let meta = if told.get("result").is_some() { &told["result"]["_meta"] } else { &told["params"]["_meta"] };
    assert_eq!(meta[ID], 1, "{told}");
    told
}

fn space(client: &Client) -> String {
    client.done("spaces_list", json!({}))["spaces"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn who_listens_is_awake_as_with_every_other_stream() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let ann = daemon.operator();
    let expected = || {
        let state = ann.get("/api/v1/agents/robot/state").expect(200).json();
        state["agent_state"]["expected_response"].clone()
    };
    assert_eq!(expected(), "unknown");
    let mut stream = listen(&daemon, &robot, json!({"resourcesListChanged": true}));
    next(&mut stream);
    assert_eq!(expected(), "immediate");
}

#[test]
fn changes_of_what_the_caller_may_read_are_told_and_nothing_else() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let ann = daemon.member("ann", &["*"]);
    let (own, foreign) = (space(&robot), space(&ann));
    let uri = |space: &str, what: &str| format!("taos://spaces/{space}/{what}");
    let all = json!([
        uri(&own, "messages"),
        uri(&own, "tasks"),
        uri(&own, "context/a%2Fb"),
        uri(&foreign, "messages"),
        "file:///x",
    ]);
    let mut stream = listen(
        &daemon,
        &robot,
        json!({"resourceSubscriptions": all, "resourcesListChanged": true, "toolsListChanged": true}),
    );
    assert_eq!(stream.status, 200);
    assert!(stream.head.to_lowercase().contains("x-accel-buffering: no") && stream.head.contains("text/event-stream"));
    let first = next(&mut stream);
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        first["params"]["notifications"],
        json!({"resourcesListChanged": true, "resourceSubscriptions": [uri(&own, "messages"), uri(&own, "tasks"), uri(&own, "context/a%2Fb")]})
    );
    let mut told = |expected: &[Value]| {
        let mut seen: Vec<Value> = expected.iter().map(|_| next(&mut stream)).collect();
        seen.iter_mut().for_each(|one| drop(one["params"].as_object_mut().unwrap().remove("_meta")));
        for one in expected {
            assert!(
                seen.iter().any(|seen| (&seen["method"], &seen["params"]) == (&one["method"], &one["params"])),
                "{one} is none of {seen:?}"
            );
        }
    };
    let updated = |uri: String| json!({"method": "notifications/resources/updated", "params": {"uri": uri}});
    let changed = json!({"method": "notifications/resources/list_changed", "params": {}});
    ann.done("messages_send", json!({"content": "not for the robot"}));
    let asked = Instant::now();
    daemon.operator().done("messages_send", json!({"content": "news", "space_id": own}));
    told(&[updated(uri(&own, "messages"))]);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    robot.done("tasks_create", json!({"title": "t"}));
    told(&[updated(uri(&own, "tasks"))]);
    robot.done("context_set", json!({"key": "other", "value": "v"}));
    told(std::slice::from_ref(&changed));
    std::thread::sleep(Duration::from_millis(1100));
    robot.done("context_set", json!({"key": "a/b", "value": "v"}));
    told(&[updated(uri(&own, "context/a%2Fb")), changed]);
}

#[test]
fn many_changes_are_one_notice_a_second_and_the_last_is_never_lost() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let robot = agent(&daemon, "robot");
    let uri = format!("taos://spaces/{}/messages", space(&robot));
    let mut stream = listen(&daemon, &robot, json!({"resourceSubscriptions": [uri]}));
    next(&mut stream);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        daemon.operator().done("messages_send", json!({"content": "x", "space_id": space(&robot)}));
    }
    daemon.operator().delete("/api/agents/robot/token").expect(204);
    let mut notices = 0;
    let last = loop {
        let told = next(&mut stream);
        if told.get("result").is_some() {
            break told;
        }
        notices += 1;
    };
    // The stream ended with its token, by the result of its request.
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")));
    assert!((2..=6).contains(&notices), "{notices}");
    assert!(stream.next().is_none());
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}

#[test]
fn what_is_asked_for_must_be_in_order() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let many: Vec<String> = (0..65).map(|n| format!("taos://knowledge/{n}")).collect();
    for wanted in [json!({"notifications": {"resourceSubscriptions": many}}), json!({}), json!({"notifications": 7})] {
        assert_eq!(code(&robot.ask_now("subscriptions/listen", wanted.clone())), (200, -32602), "{wanted}");
    }
    let narrow = robot.with("Accept", "application/json");
    let reply = narrow.ask_now("subscriptions/listen", json!({"notifications": {}}));
    assert_eq!((reply.status, &reply.json()["error"]["data"]["error"]), (406, &json!("not_acceptable")));
    let open: Vec<Events> = (0..8).map(|_| listen(&daemon, &robot, json!({}))).collect();
    assert!(open.iter().all(|stream| stream.status == 200));
    assert_eq!(listen(&daemon, &robot, json!({})).status, 429);
}

#[test]
fn items_of_knowledge_are_watched_and_pages_are_honoured() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let operator = daemon.operator();
    let put = |content: &str| {
        let items =
            json!([{"path": "a", "title": "A", "content": content}, {"path": "b", "title": "B", "content": "b"}]);
        operator.put("/api/knowledge/sources/app:notes", json!({"items": items})).expect(200);
    };
    put("first");
    let items = operator.get("/api/knowledge/items?source_id=app:notes").expect(200).json();
    let uri = |title: &str| {
        let item = items.as_array().expect("a list").iter().find(|item| item["title"] == title).expect("the item");
        format!("taos://knowledge/{}", item["id"].as_str().expect("an id"))
    };
    let (page, nothing) = ("taos://docs/agents/README", "taos://knowledge/nothing");
    let wanted = json!({"resourceSubscriptions": [uri("A"), uri("B"), page, nothing, "taos://docs/no-such-page"]});
    let mut stream = listen(&daemon, &robot, wanted.clone());
    let honoured = next(&mut stream)["params"]["notifications"]["resourceSubscriptions"].clone();
    assert_eq!(honoured, json!([uri("A"), uri("B"), page]));
    put("second");
    assert_eq!(next(&mut stream)["params"]["uri"], uri("A"));
    std::thread::sleep(Duration::from_millis(1100));
    operator.delete("/api/knowledge/sources/app:notes").expect(204);
    let gone = [next(&mut stream), next(&mut stream)].map(|told| told["params"]["uri"].as_str().unwrap().to_owned());
    assert_eq!(gone, [uri("A"), uri("B")]);
    // A caller that may not read knowledge gets no notice of it.
    daemon.agent("narrow");
    let narrow = daemon.agent_token("narrow", &["messages.list"]);
    let honoured = next(&mut listen(&daemon, &narrow, wanted))["params"]["notifications"].clone();
    assert_eq!(honoured, json!({"resourceSubscriptions": [page]}));
}

#[test]
fn the_list_changes_with_the_callers_spaces_and_with_what_lies_in_new_ones() {
    let daemon = Daemon::start();
    let (operator, robot) = (daemon.operator(), agent(&daemon, "robot"));
    let mut stream = listen(&daemon, &robot, json!({"resourcesListChanged": true}));
    next(&mut stream);
    let mut is_told = || {
        assert_eq!(next(&mut stream)["method"], "notifications/resources/list_changed");
        std::thread::sleep(Duration::from_millis(1100));
    };
    let space =
        operator.post("/api/spaces/create", json!({"name": "Workshop"})).expect(201).json()["space"]["id"].clone();
    let path = format!("/api/v1/spaces/{}", space.as_str().expect("an id"));
    operator.post(&format!("{path}/members"), json!({"agent": "robot", "role": "editor"})).expect(201);
    is_told();
    operator.done("context_set", json!({"key": "plan", "value": "v", "space_id": space}));
    is_told();
    let id = daemon.record("robot")["id"].as_str().expect("an id").to_owned();
    operator.delete(&format!("{path}/members/{id}")).expect(204);
    is_told();
    // Changes in a space that the agent has left, and a new message, give no notice. Next comes the end of the stream.
    operator.done("context_set", json!({"key": "plan", "value": "w", "space_id": space}));
    robot.done("messages_send", json!({"content": "no change of the list"}));
    std::thread::sleep(Duration::from_millis(1500));
    operator.delete("/api/agents/robot/token").expect(204);
    assert!(next(&mut stream).get("result").is_some());
}
