//! Agents that sleep: news starts or thaws their containers, once for any number of news. Nothing wakes a held agent.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::{Client, text};

on_both! {
    a_storm_of_mentions_starts_a_stopped_agent_once
    one_that_is_idle_is_frozen_and_a_task_thaws_it
    news_that_came_during_a_freeze_wakes_it_at_the_thaw
}

/// The first request of an agent after its start: it asks who it is, with its own token, over its own socket.
const FIRST_CALL: &str = "busybox wget -q -O - --header \"Authorization: Bearer $T\" $U/api/auth/whoami";

fn set(host: &Host, name: &str, body: Value) -> Value {
    host.daemon.operator().patch(&format!("/api/agents/{name}/wake"), body).expect(200).json()
}

fn presence(host: &Host, id: &str) -> String {
    text(&host.daemon.operator().get(&format!("/api/v1/agents/{id}/presence")).expect(200).json(), "presence")
}

fn operations(host: &Host, kind: &str) -> i64 {
    host.daemon.number("SELECT count(*) FROM operations WHERE kind = ?1", [kind])
}

fn ended(host: &Host, kind: &str) -> i64 {
    host.daemon.number("SELECT count(*) FROM operations WHERE kind = ?1 AND status = 'succeeded'", [kind])
}

#[track_caller]
fn mention(by: &Client, name: &str) -> Value {
    by.post("/api/v1/messages", json!({"content": format!("@{name} wake up")})).expect(200).json()
}

/// Waits until the agent's first request of this run succeeds, sent from inside.
fn wait_for_first_call(host: &Host, name: &str, since: Instant) -> Duration {
    let container = host.container(name);
    let end = Instant::now() + Duration::from_secs(60);
    while !host.inside(&container, FIRST_CALL).contains("agent_id") {
        assert!(Instant::now() < end, "no call within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    since.elapsed()
}

fn a_storm_of_mentions_starts_a_stopped_agent_once(host: Host) {
    let (name, operator) = (host.name("a"), host.daemon.operator());
    let id = host.deploy(&name);
    assert_eq!(set(&host, &name, json!({"wake": "start"}))["sleeping"], json!(false));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    assert_eq!((host.daemon.record(&name)["sleeping"].clone(), presence(&host, &id)), (json!(true), "sleeping".into()));

    let begun = Instant::now();
    let first = mention(&operator, &name);
    assert_eq!(first["delivery"]["recipients"][0]["listening"], json!("sleeping"), "{first}");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let client = host.daemon.operator();
            let name = &name;
            scope.spawn(move || (0..25).for_each(|_| drop(mention(&client, name))));
        }
    });
    host.eventually("it runs", || ended(&host, "wake") == 1);
    let took = wait_for_first_call(&host, &name, begun);
    println!("from a mention to the first call: {took:?} ({})", host.test_runtime.driver.runtime().as_str());
    // Messages that came meanwhile were news for a running agent.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(operations(&host, "wake"), 1, "once");
    assert_eq!(host.daemon.record(&name)["status"], json!("running"));
    let rows = host.daemon.operator().get("/api/audit?action=agents.wake").expect(200).json();
    let rows = rows.as_array().or(rows["items"].as_array()).cloned().unwrap_or_default();
    assert!(
        rows.iter().any(|row| row["resource"] == json!(format!("agent:{id}")) && row["actor"] == json!("system")),
        "{rows:?}"
    );
    let receipts = format!("/api/v1/messages/{}/receipts", text(&first["message"], "id"));
    let receipts = operator.get(&receipts).expect(200).json();
    assert_eq!(receipts["receipts"][0]["listening"], json!(false), "it runs now, and does not listen: {receipts}");

    // The inbox file has the number of news.
    let count =
        || host.inside(&host.container(&name), "busybox cat /run/taos/inbox").trim().parse::<u64>().unwrap_or(0);
    host.eventually("all are counted", || count() == 101);
    mention(&operator, &name);
    host.eventually("one more is", || count() == 102);

    // A paused agent is held. An agent with the wake mode `none` stays stopped.
    host.act(&format!("/api/agents/{name}/pause")).expect(200);
    mention(&operator, &name);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((operations(&host, "wake"), presence(&host, &id) == "sleeping"), (1, false), "paused");
    host.act(&format!("/api/agents/{name}/resume")).expect(200);
    set(&host, &name, json!({"wake": "none"}));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    let told = mention(&operator, &name);
    assert_eq!(told["delivery"]["recipients"][0]["listening"], json!(false));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(operations(&host, "wake"), 1, "it is not to be woken");
}

fn one_that_is_idle_is_frozen_and_a_task_thaws_it(mut host: Host) {
    let (name, operator) = (host.name("a"), host.daemon.operator());
    let id = host.deploy(&name);
    set(&host, &name, json!({"wake": "resume", "idle_stop_minutes": 1}));
    let begun = Instant::now();
    while ended(&host, "sleep") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not fall asleep");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(begun.elapsed() > Duration::from_secs(50), "a minute had to go by");
    let record = host.daemon.record(&name);
    assert_eq!(
        (&record["sleeping"], &record["paused"], &record["status"]),
        (&json!(true), &json!(false), &json!("running"))
    );
    // After a run of the reconciler, and after a start that follows a crash, the agent still sleeps and is not paused.
    host.daemon.kill();
    host.daemon.spawn();
    std::thread::sleep(Duration::from_secs(12));
    let record = host.daemon.record(&name);
    assert_eq!((&record["sleeping"], &record["paused"]), (&json!(true), &json!(false)), "{record}");
    assert_eq!(presence(&host, &id), "sleeping");

    let asked = Instant::now();
    host.daemon.operator().post("/api/v1/tasks", json!({"title": "Sweep", "assignee_id": id})).expect(201);
    let took = wait_for_first_call(&host, &name, asked);
    println!(
        "from a task to the first call of a frozen one: {took:?} ({})",
        host.test_runtime.driver.runtime().as_str()
    );
    host.eventually("the wake has ended", || ended(&host, "wake") == 1);
    assert_eq!(host.daemon.record(&name)["sleeping"], json!(false));
    drop(operator);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn news_that_was_written_before_a_crash_wakes_and_a_runtime_that_fails_is_tried_again() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    set(&host, &name, json!({"wake": "start"}));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    // The runtime refuses to start the agent, and then the daemon dies.
    let fails = |request: &str| {
        if request.contains("/state") && request.contains("start") { Fate::Error(500) } else { Fate::Pass }
    };
    host.gate().rule(fails);
    mention(&host.daemon.operator(), &name);
    let failed = "SELECT count(*) FROM operations WHERE kind = 'wake' AND status = 'failed'";
    host.eventually("the wake failed", || host.daemon.number(failed, []) == 1);
    host.daemon.kill();
    host.gate().open();
    host.daemon.spawn();
    host.eventually("it is woken all the same", || ended(&host, "wake") == 1);
    assert_eq!(host.daemon.record(&name)["status"], json!("running"));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn six_wakes_an_hour_and_then_its_owner_is_told_once() {
    let host = Host::rest();
    let (name, operator) = (host.name("a"), host.daemon.operator());
    let id = host.deploy(&name);
    set(&host, &name, json!({"wake": "start"}));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    // The agent had five wakes before, the last one a minute ago.
    host.daemon.execute(
        "INSERT INTO agent_news (agent_id, count, woken)
        SELECT ?1, 5, json_array(n - 3000000000, n - 2000000000, n - 1000000000, n - 500000000, n - 60000000)
        FROM (SELECT CAST(strftime('%s') AS INTEGER) * 1000000 AS n)",
        [&id],
    );
    mention(&operator, &name);
    host.eventually("the sixth", || ended(&host, "wake") == 1);
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    std::thread::sleep(Duration::from_secs(21));
    for _ in 0..3 {
        mention(&operator, &name);
    }
    let told = || {
        let sql = "SELECT count(*) FROM notifications WHERE title LIKE '%was woken 6 times%'";
        host.daemon.number(sql, [])
    };
    host.eventually("its owner is told", || told() == 1);
    mention(&operator, &name);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((told(), operations(&host, "wake")), (1, 1), "once, and it was not woken");
    assert_eq!(host.daemon.record(&name)["status"], json!("stopped"));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_decision_on_its_request_wakes_who_asked() {
    let host = Host::rest();
    let (name, operator) = (host.name("a"), host.daemon.operator());
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    set(&host, &name, json!({"wake": "start"}));
    let ask = "busybox wget -q -O - --header \"Authorization: Bearer $T\" --header 'Content-Type: application/json' \
        --post-data '{\"kind\": \"confirm\", \"question\": \"May I?\", \"reason\": \"r\"}' $U/api/requests";
    let asked: Value = serde_json::from_str(&host.inside(&container, ask)).expect("a request");
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(operations(&host, "wake"), 0, "to ask is no news");
    operator.post(&format!("/api/requests/{}/approve", text(&asked, "id")), json!({})).expect(200);
    host.eventually("it is woken", || ended(&host, "wake") == 1);
}

fn news_that_came_during_a_freeze_wakes_it_at_the_thaw(host: Host) {
    let (name, operator) = (host.name("a"), host.daemon.operator());
    host.deploy(&name);
    set(&host, &name, json!({"wake": "start"}));
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    let path = |verb: &str| format!("/api/agents/{name}/{verb}?wait=60");
    operator.post(&path("freeze"), json!({"reason": "alarm"})).expect(200);
    let sent = mention(&operator, &name);
    assert_eq!(sent["delivery"]["recipients"][0]["listening"], json!(false), "nobody wakes it: {sent}");
    host.eventually("the news waits", || {
        host.daemon.number("SELECT count(*) FROM agent_news WHERE waits_since IS NOT NULL", []) == 1
    });
    assert_eq!(operations(&host, "wake"), 0);
    operator.post(&path("thaw"), json!({})).expect(200);
    host.eventually("it runs", || ended(&host, "wake") == 1);
    assert_eq!(host.daemon.record(&name)["status"], json!("running"));
}
