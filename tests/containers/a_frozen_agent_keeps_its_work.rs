//! A frozen agent's container stops and continues its work after the thaw, even if the daemon is killed in between.

use serde_json::json;

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::text;

on_both! {
    it_stands_still_and_goes_on
    a_killed_daemon_finishes_the_freeze_and_the_thaw
}

/// Starts a program that counts and writes its count to a file.
const COUNT: &str = "busybox sh -c 'i=0; while true; do i=$((i+1)); echo $i > /tmp/count; busybox sleep 0.1; done' \
                     >/dev/null 2>&1 </dev/null & echo started";

fn count(host: &Host, name: &str) -> u64 {
    // Read from outside, because no command runs inside a frozen container.
    let state = host.test_runtime.driver.get(&host.container(name), crate::test_runtime::soon()).expect("a container");
    let pid = state.boot.expect("it runs").split('@').next().expect("a process").to_owned();
    std::fs::read_to_string(format!("/proc/{pid}/root/tmp/count")).unwrap_or_default().trim().parse().unwrap_or(0)
}

fn state(host: &Host, name: &str) -> String {
    let listed = host.daemon.operator().get("/api/agents/containers").expect(200).json();
    let row = listed.as_array().unwrap().iter().find(|row| row["agent_name"] == json!(name)).cloned();
    row.map(|row| text(&row, "status")).unwrap_or_default()
}

fn it_stands_still_and_goes_on(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let token = host.configured_token(&container).expect("a token");
    let operator = host.daemon.operator();
    let path = |verb: &str| format!("/api/agents/{name}/{verb}?wait=60");
    let reply = operator.post(&path("freeze"), json!({"reason": "alarm"})).expect(200).json();
    assert_eq!(reply["containers"][&name], json!({"success": true}), "{reply}");
    assert_eq!(state(&host, &name), "frozen");
    host.daemon.client(&token).get("/api/auth/whoami").expect_error(401, "agent_frozen");
    let record = host.daemon.record(&name);
    assert_eq!(
        (&record["frozen"], &record["paused"], &record["status"]),
        (&json!(true), &json!(false), &json!("running"))
    );
    for verb in ["start", "restart", "resume", "pause", "stop"] {
        operator.send("POST", &path(verb), None).expect_error(409, "agent_frozen");
    }
    let reply = operator.post(&path("thaw"), json!({})).expect(200).json();
    assert_eq!(reply["containers"][&name], json!({"success": true}), "{reply}");
    assert_eq!(state(&host, &name), "running");
    assert_eq!(host.configured_token(&container).expect("a token"), token, "nothing new was issued");
    assert_eq!(host.whoami_inside(&container)["agent_name"], json!(name));
    host.one_token_and_it_is_inside(&name);
    // An agent that its owner had paused before stays paused.
    host.act(&format!("/api/agents/{name}/pause")).expect(200);
    operator.post(&path("freeze"), json!({"reason": "alarm"})).expect(200);
    operator.post(&path("thaw"), json!({})).expect(200);
    assert_eq!((state(&host, &name).as_str(), &host.daemon.record(&name)["paused"]), ("frozen", &json!(true)));
}

fn a_killed_daemon_finishes_the_freeze_and_the_thaw(mut host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    for (verb, wanted) in [("freeze", "frozen"), ("thaw", "running")] {
        // The daemon is killed right after its reply, whatever the container does then.
        let path = format!("/api/agents/{name}/{verb}");
        let reply = host.daemon.operator().post(&path, json!({"reason": "alarm"})).expect(202).json();
        host.daemon.kill();
        host.daemon.spawn();
        host.eventually(wanted, || state(&host, &name) == wanted);
        let operation = host.ended(&text(&reply, "operation_id"));
        assert_eq!(operation["status"], json!("succeeded"), "{operation}");
    }
    assert_eq!(host.whoami_inside(&container)["agent_name"], json!(name));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn what_runs_inside_stops_and_goes_on() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.whoami_inside(&host.container(&name));
    assert_eq!(host.inside(&host.container(&name), COUNT).trim(), "started");
    host.eventually("it counts", || count(&host, &name) > 3);
    host.daemon.operator().post(&format!("/api/agents/{name}/freeze?wait=60"), json!({"reason": "a"})).expect(200);
    let stood = count(&host, &name);
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(count(&host, &name), stood, "it went on while it was frozen");
    host.daemon.operator().post(&format!("/api/agents/{name}/thaw?wait=60"), json!({})).expect(200);
    host.eventually("it goes on where it stood", || count(&host, &name) > stood);
    assert!(count(&host, &name) < stood + 200, "it began again");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_container_that_somebody_starts_is_frozen_again_and_a_runtime_that_fails_is_asked_again() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.gate().rule(|request| if request.starts_with("PUT ") { Fate::Error(500) } else { Fate::Pass });
    let path = format!("/api/agents/{name}/freeze?wait=60");
    let reply = host.daemon.operator().post(&path, json!({"reason": "a"})).expect(200).json();
    assert_eq!(reply["containers"][&name], json!({"success": false, "error": "container_failed"}));
    assert_eq!(host.daemon.record(&name)["frozen"], json!(true));
    assert_eq!(state(&host, &name), "running");
    host.gate().open();
    host.eventually("it is frozen in the end", || state(&host, &name) == "frozen");
    host.test_runtime
        .driver
        .unfreeze(&host.container(&name), crate::test_runtime::soon())
        .expect("somebody unfreezes it");
    host.eventually("it is frozen again", || state(&host, &name) == "frozen");
}
