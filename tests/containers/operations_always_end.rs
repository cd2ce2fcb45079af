//! SIGKILL during every kind of operation. The next start gives each operation a defined end. Also tests cancelling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::text;
use crate::test_runtime::TestRuntime;

/// Sends a request that promises an operation, kills the daemon when a request to the runtime meets this fate, and
/// starts it again. Returns the operation's record once it has ended.
fn killed(host: &mut Host, method: &str, path: &str, body: Option<Value>, at: fn(&str) -> bool, fate: Fate) -> Value {
    host.gate().rule(move |request| if at(request) { fate } else { Fate::Pass });
    let promised = host.daemon.operator().call(method, path, body.as_ref()).expect(202).json();
    host.gate().wait_for(fate);
    host.daemon.kill();
    host.gate().open();
    host.daemon.spawn();
    let record = host.ended(&text(&promised, "operation_id"));
    assert_eq!(host.open_operations(), 0);
    record
}

fn interrupted(record: &Value) {
    assert_eq!((&record["status"], &record["error"]["error"]), (&json!("failed"), &json!("interrupted")), "{record}");
}

fn creates(request: &str) -> bool {
    request.starts_with("POST /1.0/instances\n")
}

fn starts(request: &str) -> bool {
    request.starts_with("PUT ") && request.contains("/state\n") && request.contains("\"start\"")
}

fn deploy_killed(at: fn(&str) -> bool, fate: Fate) {
    let mut host = Host::rest();
    let name = host.name("a");
    let record = killed(&mut host, "POST", "/api/agents/deploy", Some(json!({"name": name})), at, fate);
    interrupted(&record);
    let agent = host.daemon.record(&name);
    assert_eq!((&agent["status"], &agent["container"]), (&json!("failed"), &Value::Null));
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
    let live = "SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL AND state <> 'revoked'";
    assert_eq!(host.daemon.number(live, []), 0);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_killed_before_the_container_was_made_is_taken_back() {
    deploy_killed(creates, Fate::Hang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_killed_while_the_token_is_delivered_is_taken_back() {
    deploy_killed(crate::gate::sets_token, Fate::PassThenHang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_killed_while_it_starts_is_taken_back() {
    deploy_killed(starts, Fate::PassThenHang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_container_that_was_listed_before_its_deployment_was_taken_back_is_not_adopted() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.gate().rule(|request| if crate::gate::sets_token(request) { Fate::PassThenHang } else { Fate::Pass });
    let promised = host.daemon.operator().call("POST", "/api/agents/deploy", Some(&json!({"name": name})));
    let operation = text(&promised.expect(202).json(), "operation_id");
    host.gate().wait_for(Fate::PassThenHang);
    host.daemon.kill();
    let migrated = "every agent with a container has its token";
    let told = host.daemon.log_text().matches(migrated).count();
    // The next start requests the list while the container exists, and gets it after the container is gone.
    let listed = Arc::new(AtomicBool::new(false));
    let is_listed = Arc::clone(&listed);
    host.gate().rule(move |request| {
        if request.starts_with("GET /1.0/instances?") {
            return Fate::Late;
        }
        while request.starts_with("DELETE ") && !is_listed.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Fate::Pass
    });
    host.daemon.spawn();
    host.gate().wait_for(Fate::Late);
    listed.store(true, Ordering::Relaxed);
    interrupted(&host.ended(&operation));
    host.gate().open();
    host.eventually("the start is over", || host.daemon.log_text().matches(migrated).count() > told);
    let agent = host.daemon.record(&name);
    assert_eq!((&agent["status"], &agent["container"]), (&json!("failed"), &Value::Null));
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_start_that_is_killed_ends_with_what_the_container_does() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    for (fate, status) in [(Fate::Hang, "stopped"), (Fate::PassThenHang, "running")] {
        let record = killed(&mut host, "POST", &format!("/api/agents/{name}/start"), None, starts, fate);
        interrupted(&record);
        host.eventually("its status is the container's", || host.daemon.record(&name)["status"] == status);
    }
    assert_eq!(host.whoami_inside(&host.container(&name))["agent_name"], json!(name));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn an_archiving_killed_before_the_rename_is_undone_and_one_past_it_is_finished() {
    let mut host = Host::rest();
    let name = host.name("a");
    let id = host.deploy(&name);
    let path = format!("/api/agents/{name}");
    let snapshots = |request: &str| request.starts_with("POST ") && request.contains("/snapshots\n");
    let record = killed(&mut host, "DELETE", &path, None, snapshots, Fate::Hang);
    interrupted(&record);
    assert_eq!(host.whoami_inside(&host.container(&name))["agent_name"], json!(name), "it runs again");
    host.one_token_and_it_is_inside(&name);

    std::thread::sleep(std::time::Duration::from_millis(1100));
    let renames = |request: &str| {
        request.starts_with("POST /1.0/instances/taos-agent-") && request.contains("\"name\":\"taos-archived-")
    };
    let record = killed(&mut host, "DELETE", &path, None, renames, Fate::PassThenHang);
    if record["status"] == "failed" {
        // The end of the daemon may have interrupted the rename. Then the daemon has undone it.
        interrupted(&record);
        host.archive(&name);
    } else {
        assert_eq!(record["result"]["id"], json!(id));
        assert!(record["result"]["snapshot_name"].as_str().is_some_and(|snapshot| snapshot.starts_with("archived-1")));
    }
    let archived = host.daemon.operator().get("/api/agents/archived").expect(200).json();
    assert_eq!((&archived[0]["id"], &archived[0]["container"]), (&json!(id), &json!(host.containers()[0])));
    assert_eq!(
        host.daemon.number("SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL AND state <> 'revoked'", []),
        0
    );
    assert_eq!(host.sockets(), 0);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_restoring_killed_past_the_rename_is_finished() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let id = host.archive(&name);
    let path = format!("/api/agents/archived/{id}/restore");
    let renames = |request: &str| request.starts_with("POST /1.0/instances/taos-archived-");
    let record = killed(&mut host, "POST", &path, None, renames, Fate::Hang);
    interrupted(&record);
    assert!(host.containers()[0].starts_with("taos-archived-"), "nothing had happened");
    for at in [crate::gate::sets_token as fn(&str) -> bool, starts] {
        let record = killed(&mut host, "POST", &path, None, at, Fate::PassThenHang);
        assert_eq!((&record["status"], &record["result"]["id"]), (&json!("succeeded"), &json!(id)), "{record}");
        host.one_token_and_it_is_inside(&name);
        assert_eq!(host.whoami_inside(&host.container(&name))["agent_id"], json!(id));
        assert_eq!(host.archive(&name), id);
    }
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_purge_that_is_killed_is_finished() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let id = host.archive(&name);
    let deletes = |request: &str| request.starts_with("DELETE ");
    let record = killed(&mut host, "DELETE", &format!("/api/agents/archived/{id}"), None, deletes, Fate::PassThenHang);
    assert_eq!((&record["status"], &record["result"]), (&json!("succeeded"), &json!({"status": "purged", "id": id})));
    assert_eq!(host.containers(), Vec::<String>::new());
    assert_eq!(host.daemon.number("SELECT count(*) FROM agents", []), 0);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_bulk_operation_that_is_killed_ends_with_its_parts() {
    let mut host = Host::rest();
    let names: Vec<String> = (0..6).map(|n| host.name(&n.to_string())).collect();
    for name in &names {
        host.deploy(name);
    }
    let states = |request: &str| request.starts_with("PUT ");
    let record = killed(&mut host, "POST", "/api/agents/bulk/stop", None, states, Fate::Hang);
    assert_eq!(record["status"], "succeeded");
    for name in &names {
        assert_eq!(record["result"]["results"][name], json!({"success": false, "error": "interrupted"}));
    }
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_running_deployment_is_cancelled_and_taken_back() {
    let host = Host::rest();
    let name = host.name("a");
    host.gate().rule(|request| if creates(request) { Fate::Hold } else { Fate::Pass });
    let promised = host.daemon.operator().post("/api/agents/deploy", json!({"name": name})).expect(202).json();
    let operation = text(&promised, "operation_id");
    host.gate().wait_for(Fate::Hold);
    let path = format!("/api/operations/{operation}/cancel");
    let running = host.daemon.operator().send("POST", &path, None).expect(200).json();
    assert_eq!((&running["status"], &running["cancellable"]), (&json!("running"), &json!(true)));
    host.gate().open();
    let record = host.ended(&operation);
    assert_eq!((&record["status"], &record["error"]["error"]), (&json!("cancelled"), &json!("cancelled")));
    let agent = host.daemon.record(&name);
    assert_eq!((&agent["status"], &agent["container"]), (&json!("failed"), &Value::Null));
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
}

/// Cancels a deployment while the runtime gives no reply about the operation that this request began. No reply ever
/// comes.
fn cancelled_within_a_step(begins: fn(&str) -> bool, what: &str) {
    let host = Host::rest();
    let name = host.name("a");
    let silent = Arc::new(AtomicBool::new(false));
    host.gate().rule(move |request| {
        if begins(request) {
            silent.store(true, Ordering::SeqCst);
        } else if request.starts_with("DELETE /1.0/operations/") {
            // The daemon has given up the operation.
            silent.store(false, Ordering::SeqCst);
        } else if silent.load(Ordering::SeqCst) && request.starts_with("GET /1.0/operations/") {
            return Fate::Hold;
        }
        Fate::Pass
    });
    let promised = host.daemon.operator().post("/api/agents/deploy", json!({"name": name})).expect(202).json();
    let operation = text(&promised, "operation_id");
    host.gate().wait_for(Fate::Hold);
    let record = host.daemon.operator().get(&format!("/api/operations/{operation}")).expect(200).json();
    assert_eq!((&record["step"], &record["status"]), (&json!(what), &json!("running")));
    let began = Instant::now();
    host.daemon.operator().send("POST", &format!("/api/operations/{operation}/cancel"), None).expect(200);
    let record = host.ended(&operation);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!((&record["status"], &record["error"]["error"]), (&json!("cancelled"), &json!("cancelled")), "{record}");
    let agent = host.daemon.record(&name);
    assert_eq!((&agent["status"], &agent["container"]), (&json!("failed"), &Value::Null));
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
    let live = "SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL AND state <> 'revoked'";
    assert_eq!(host.daemon.number(live, []), 0);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_is_cancelled_while_its_container_is_made() {
    cancelled_within_a_step(creates, "creating the container");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_is_cancelled_while_its_container_starts() {
    cancelled_within_a_step(starts, "starting");
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_copy_of_a_large_image_is_cancelled_and_nothing_of_it_is_left() {
    let (host, image) = (Host::classic(), TestRuntime::systemd_image());
    let name = host.name("a");
    let body = json!({"name": name, "image": image.as_str()});
    let operation = text(&host.daemon.operator().post("/api/agents/deploy", body).expect(202).json(), "operation_id");
    let path = format!("/api/operations/{operation}");
    let unfinished = TestRuntime::lxc_path().join(format!(".taosd-new-taos-agent-{name}"));
    host.eventually("the copy has begun", || unfinished.join("rootfs").is_dir());
    host.daemon.operator().send("POST", &format!("{path}/cancel"), None).expect(200);
    let record = host.ended(&operation);
    assert_eq!((&record["status"], &record["error"]["error"]), (&json!("cancelled"), &json!("cancelled")), "{record}");
    assert!(!unfinished.exists());
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_copy_of_a_large_image_that_the_end_of_the_daemon_cut_is_taken_away() {
    let (mut host, image) = (Host::classic(), TestRuntime::systemd_image());
    let name = host.name("a");
    let body = json!({"name": name, "image": image.as_str()});
    let operation = text(&host.daemon.operator().post("/api/agents/deploy", body).expect(202).json(), "operation_id");
    let unfinished = TestRuntime::lxc_path().join(format!(".taosd-new-taos-agent-{name}"));
    host.eventually("the copy has begun", || unfinished.join("rootfs").is_dir());
    host.daemon.kill();
    host.daemon.spawn();
    // The copying tool may live a moment longer than the daemon. Then the removal is tried again.
    assert_eq!(host.ended(&operation)["status"], json!("failed"));
    host.eventually("nothing of it is left", || !unfinished.exists());
    assert_eq!((host.containers(), host.sockets()), (Vec::new(), 0));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn deployments_that_run_and_that_wait_can_be_cancelled() {
    let host = Host::rest();
    // Four threads use the runtime, so some of eight deployments wait.
    host.gate().rule(|request| if request.starts_with("GET /1.0/images/") { Fate::Hold } else { Fate::Pass });
    let operator = host.daemon.operator();
    let names: Vec<String> = (0..8).map(|n| host.name(&n.to_string())).collect();
    let operations: Vec<String> = names
        .iter()
        .map(|name| {
            text(&operator.post("/api/agents/deploy", json!({"name": name})).expect(202).json(), "operation_id")
        })
        .collect();
    let mut waiting = 0;
    for operation in &operations {
        let record = operator.send("POST", &format!("/api/operations/{operation}/cancel"), None).expect(200).json();
        if record["status"] == "cancelled" {
            waiting += 1;
        }
    }
    assert!(waiting >= 4, "one that waits ends at once; {waiting} did");
    let again = operator.send("POST", &format!("/api/operations/{}/cancel", operations[7]), None);
    again.expect_error(409, "operation_finished");
    host.gate().open();
    for (name, operation) in names.iter().zip(&operations) {
        assert_eq!(host.ended(operation)["error"]["error"], "cancelled");
        let record = host.daemon.record(name);
        assert_eq!((&record["status"], &record["container"]), (&json!("failed"), &Value::Null));
    }
}
