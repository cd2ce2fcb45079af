//! Start, stop, restart, pause and resume, for one agent and in bulk. Also logs and the list of containers.

use serde_json::{Value, json};

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::text;

on_both! {
    an_agent_is_stopped_started_paused_and_resumed
    a_bulk_operation_tells_of_each_agent
}

fn an_agent_is_stopped_started_paused_and_resumed(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    let path = |verb: &str| format!("/api/agents/{name}/{verb}");
    let state = || {
        let record = host.daemon.record(&name);
        (text(&record, "status"), record["paused"].as_bool().unwrap())
    };
    host.whoami_inside(&container);
    let steps = [
        ("pause", json!({"status": "paused", "name": name, "paused": true}), ("running", true), "frozen"),
        ("resume", json!({"status": "resumed", "name": name, "paused": false}), ("running", false), "running"),
        ("stop", json!({"status": "stopped", "name": name}), ("stopped", false), "stopped"),
        ("stop", json!({"status": "stopped", "name": name}), ("stopped", false), "stopped"),
        ("start", json!({"status": "started", "name": name}), ("running", false), "running"),
        ("restart", json!({"status": "restarted", "name": name}), ("running", false), "running"),
    ];
    for (verb, result, (status, paused), seen) in steps {
        assert_eq!(host.act(&path(verb)).expect(200).json(), result);
        assert_eq!(state(), (status.to_owned(), paused), "after {verb}");
        let listed = host.daemon.operator().get("/api/agents/containers").expect(200).json();
        let listed = listed.as_array().unwrap().iter().find(|row| row["agent_name"] == json!(name)).cloned().unwrap();
        assert_eq!((&listed["name"], &listed["status"]), (&json!(container.as_str()), &json!(seen)), "after {verb}");
    }
    host.whoami_inside(&container);
    let logs = || host.daemon.operator().get(&format!("{}?lines=5", path("logs"))).expect(200).json();
    host.eventually("its init has said that it runs", || text(&logs(), "logs").contains("bb has booted"));
    let logs = logs();
    assert_eq!(logs["name"], json!(name));
    assert!(logs["lines"].as_u64().unwrap() <= 5);
}

fn a_bulk_operation_tells_of_each_agent(host: Host) {
    let (a, b, record) = (host.name("a"), host.name("b"), host.name("record"));
    host.deploy(&a);
    host.deploy(&b);
    host.daemon.agent(&record);
    for (verb, status) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        let reply = host.act(&format!("/api/agents/bulk/{verb}")).expect(200).json();
        assert_eq!(reply["action"], json!(verb));
        assert_eq!(reply["results"][&a], json!({"success": true}), "{reply}");
        assert_eq!(reply["results"][&b], json!({"success": true}));
        assert_eq!(reply["results"][&record], json!({"success": false, "error": "agent_has_no_container"}));
        assert_eq!(
            (&host.daemon.record(&a)["status"], &host.daemon.record(&b)["status"]),
            (&json!(status), &json!(status))
        );
    }
    // The reply does not name agents that the caller may not edit.
    let member = host.daemon.member("mia", &["*"]);
    let reply = member.send("POST", "/api/agents/bulk/stop", None).expect(200).json();
    assert_eq!(reply, json!({"action": "stop", "results": {}}));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_part_of_a_bulk_operation_that_fails_says_so_and_the_others_go_on() {
    let host = Host::rest();
    let (a, b) = (host.name("a"), host.name("b"));
    host.deploy(&a);
    host.deploy(&b);
    let needle = format!("/{}/state\n", host.container(&a));
    host.gate().rule(move |request| {
        if request.starts_with("PUT ") && request.contains(&needle) { Fate::Error(500) } else { Fate::Pass }
    });
    let reply = host.act("/api/agents/bulk/stop").expect(200).json();
    assert_eq!(reply["results"][&a], json!({"success": false, "error": "container_failed"}));
    assert_eq!(reply["results"][&b], json!({"success": true}));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn slow_work_is_promised_waited_for_and_replayed() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let operator = host.daemon.operator();
    let path = format!("/api/agents/{name}/stop");
    // Without a wait the reply promises an operation. A repeat gets the same reply, even after the end of the
    // operation.
    let keyed = operator.with("Idempotency-Key", "one");
    let promised = keyed.send("POST", &path, None).expect(202);
    let operation = text(&promised.json(), "operation_id");
    assert_eq!(promised.json(), json!({"status": "pending", "operation_id": operation, "name": name}));
    let record = host.ended(&operation);
    assert_eq!(
        (&record["status"], &record["progress"], &record["kind"]),
        (&json!("succeeded"), &json!(100), &json!("stop"))
    );
    assert_eq!(record["result"], json!({"status": "stopped", "name": name}));
    let again = keyed.send("POST", &path, None).expect(202);
    assert_eq!((again.json(), again.header("idempotent-replayed")), (promised.json(), Some("true")));
    // If the wait saw the end, a repeat gets the end too.
    let keyed = operator.with("Idempotency-Key", "two");
    let path = format!("/api/agents/{name}/start?wait=60");
    let done = keyed.send("POST", &path, None).expect(200);
    host.eventually("the end is stored", || keyed.send("POST", &path, None).status == 200);
    let again = keyed.send("POST", &path, None).expect(200);
    assert_eq!((again.json(), again.header("idempotent-replayed")), (done.json(), Some("true")));
    assert_eq!(host.daemon.number("SELECT count(*) FROM operations WHERE kind IN ('start', 'stop')", []), 2);
    // A failure of the runtime is not stored, so a repeat does the work.
    let keyed = operator.with("Idempotency-Key", "three");
    host.gate().rule(|request| if request.starts_with("PUT ") { Fate::Error(500) } else { Fate::Pass });
    let path = format!("/api/agents/{name}/stop?wait=60");
    keyed.send("POST", &path, None).expect_error(502, "container_failed");
    host.gate().open();
    host.eventually("the failure is forgotten", || keyed.send("POST", &path, None).status == 200);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_wait_that_runs_out_is_a_promise_and_the_agent_is_busy_meanwhile() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.gate().rule(|request| if request.starts_with("PUT ") { Fate::Hang } else { Fate::Pass });
    let operator = host.daemon.operator();
    let promised = operator.send("POST", &format!("/api/agents/{name}/stop?wait=1"), None).expect(202).json();
    for path in ["start", "stop", "pause"] {
        let busy = operator.send("POST", &format!("/api/agents/{name}/{path}"), None).expect_error(409, "agent_busy");
        assert_eq!(busy.json()["operation_id"], promised["operation_id"]);
    }
    operator.delete(&format!("/api/agents/{name}")).expect_error(409, "agent_busy");
    let operation = text(&promised, "operation_id");
    let cancel = format!("/api/operations/{operation}/cancel");
    operator.send("POST", &cancel, None).expect_error(409, "not_cancellable");
    let bulk = operator.send("POST", "/api/agents/bulk/stop", None).expect(200).json();
    assert_eq!(bulk["results"][&name], json!({"success": false, "error": "agent_busy"}));
    let record = host.ended(&operation);
    assert_eq!((&record["status"], &record["error"]["error"]), (&json!("failed"), &json!("container_failed")));
    operator.send("POST", &cancel, None).expect_error(409, "operation_finished");
    // Only principals that may read the agent see the operation.
    let stranger = host.daemon.member("mia", &["*"]);
    stranger.get(&format!("/api/operations/{operation}")).expect_error(404, "operation_not_found");
    stranger.send("POST", &cancel, None).expect_error(404, "operation_not_found");
    assert_eq!(stranger.get("/api/operations").expect(200).json(), Value::Array(Vec::new()));
    let listed = operator.get(&format!("/api/operations?agent={name}&kind=stop&status=failed")).expect(200).json();
    assert_eq!(listed[0]["id"], json!(operation));
}
