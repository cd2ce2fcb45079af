//! A runtime refuses a token, fails, hangs or replies with garbage. The agent keeps its old token, or has none. Other
//! agents are served meanwhile, the daemon replies, and the next start tries again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gate::{Fate, sets_token};
use crate::harness::Host;
use crate::support::{SOON, text};
use crate::test_runtime::soon;

/// Requests `/healthz` until `stop` is set. Returns the longest time that a reply took.
fn probe(host: &Host, stop: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        host.daemon.anonymous().get("/healthz").expect(200);
        longest = longest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}

fn a_rotation_meets(fate: Fate) {
    let host = Host::rest();
    let (name, other) = (host.name("a"), host.name("b"));
    host.deploy(&name);
    host.deploy(&other);
    let container = host.container(&name);
    let (old, file) = (host.configured_token(&container).unwrap(), host.token_file(&container));
    let needle = container.to_string();
    host.gate().rule(move |request| if sets_token(request) && request.contains(&needle) { fate } else { Fate::Pass });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let health = scope.spawn(|| probe(&host, &stop));
        let failing = scope.spawn(|| {
            let reply = host.daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({}));
            reply.expect_error(502, "delivery_failed");
        });
        host.gate().wait_for(fate);
        let served = host.daemon.operator().post(&format!("/api/agents/{other}/token/issue"), json!({})).expect(200);
        assert_eq!(served.json()["token_delivery"], "pending_restart");
        failing.join().unwrap();
        stop.store(true, Ordering::Relaxed);
        let longest = health.join().unwrap();
        assert!(longest < SOON, "/healthz took {longest:?}");
    });
    host.daemon.client(&old).get("/api/auth/whoami").expect(200);
    host.one_token_and_it_is_inside(&name);
    assert_eq!(host.token_file(&container), file, "the file goes on with the token that goes on");
    let record = host.daemon.record(&name);
    assert_eq!(record["token_delivery"], "failed");
    let (error, log) = (text(&record, "token_delivery_error"), host.daemon.log_text());
    assert!(!error.is_empty());
    assert!(!error.contains("taos_agent_") && !log.contains("taos_agent_"), "no secret in an error or the log");
    host.gate().open();
    host.daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200);
    host.one_token_and_it_is_inside(&name);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_refused_delivery_keeps_the_old_token() {
    a_rotation_meets(Fate::Error(403));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_failing_delivery_keeps_the_old_token() {
    a_rotation_meets(Fate::Error(500));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_delivery_answered_with_garbage_keeps_the_old_token() {
    a_rotation_meets(Fate::Garbage);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_delivery_that_hangs_past_its_deadline_keeps_the_old_token() {
    a_rotation_meets(Fate::Hang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_garbled_answer_to_a_delivery_that_was_done_is_seen_through() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.gate().rule(|request| if sets_token(request) { Fate::PassThenGarbage } else { Fate::Pass });
    host.daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200);
    host.one_token_and_it_is_inside(&name);
    let container = host.container(&name);
    assert_eq!(host.token_file(&container), host.configured_token(&container).unwrap());
}

/// At the start, the delivery to one of two agents fails. The next start delivers to it.
fn a_first_delivery_meets(fate: Fate) {
    let mut host = Host::rest();
    let (name, other) = (host.name("a"), host.name("b"));
    for name in [&name, &other] {
        let id = host.daemon.agent(name);
        let container = host.foreign_container(name, Some(&id));
        host.test_runtime.driver.start(&container, soon().into()).unwrap();
    }
    let needle = host.container(&name).to_string();
    host.gate().rule(move |request| if sets_token(request) && request.contains(&needle) { fate } else { Fate::Pass });
    host.daemon.restart();
    host.gate().wait_for(fate);
    let began = Instant::now();
    host.daemon.anonymous().get("/healthz").expect(200);
    assert!(began.elapsed() < SOON);
    host.wait_until_record(&other, "pending_restart");
    host.one_token_and_it_is_inside(&other);
    host.wait_until_record(&name, "failed");
    assert_eq!(host.daemon.record(&name)["has_token"], json!(false));
    assert_eq!(host.daemon.number("SELECT count(*) FROM credentials WHERE state = 'pending'", []), 0);
    host.eventually("the migration ends", || host.open_operations() == 0);
    let migration = host.daemon.operator().get("/api/operations?kind=migrate").expect(200).json();
    let results: &Value = &migration[0]["result"]["results"];
    assert_eq!(results[&name], json!({"success": false, "error": "delivery_failed"}));
    assert_eq!(results[&other]["success"], json!(true));
    host.gate().open();
    host.daemon.restart();
    host.wait_until_record(&name, "pending_restart");
    host.one_token_and_it_is_inside(&name);
    host.one_token_and_it_is_inside(&other);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_refused_first_delivery_is_tried_again_at_the_next_start() {
    a_first_delivery_meets(Fate::Error(500));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_first_delivery_that_hangs_is_tried_again_at_the_next_start() {
    a_first_delivery_meets(Fate::Hang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_runtime_that_comes_up_after_the_daemon_is_waited_for() {
    let mut host = Host::rest();
    let name = host.name("a");
    let id = host.daemon.agent(&name);
    host.foreign_container(&name, Some(&id));
    host.gate().rule(|_| Fate::Error(500));
    host.daemon.restart();
    host.eventually("the first try fails", || host.daemon.log_text().contains("the start-up migration could not ask"));
    host.daemon.operator().get("/api/agents/containers").expect_error(502, "container_failed");
    host.gate().open();
    host.wait_until_delivered(&name);
    host.one_token_and_it_is_inside(&name);
}
