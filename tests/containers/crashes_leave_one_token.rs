//! SIGKILL before the delivery, between delivery and activation, and right after the activation. After the next start
//! there is exactly one live token, the one inside the container.

use std::time::Duration;

use serde_json::json;

use crate::gate::{Fate, sets_token};
use crate::harness::Host;
use crate::test_runtime::soon;

/// Kills the daemon when the request with a rotation's token has met this fate, and starts it again.
fn killed_in_a_rotation(fate: Fate, running: bool) {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    if !running {
        host.act(&format!("/api/agents/{name}/stop")).expect(200);
    }
    let container = host.container(&name);
    let old = host.configured_token(&container).unwrap();
    host.gate().rule(move |request| if sets_token(request) { fate } else { Fate::Pass });
    let path = format!("/api/agents/{name}/token/issue");
    std::thread::scope(|scope| {
        let operator = host.daemon.operator();
        let rotation = scope.spawn(move || operator.try_send("POST", &path, Some(b"{}")));
        host.gate().wait_for(fate);
        let pending = host.daemon.number("SELECT count(*) FROM credentials WHERE state = 'pending'", []);
        assert_eq!(pending, 1, "it is on disk before the container has it");
        kill(&host);
        assert!(rotation.join().unwrap().is_err(), "nobody was told that it worked");
    });
    host.daemon.kill();
    host.gate().open();
    host.daemon.spawn();
    host.wait_until_delivered(&name);
    host.eventually("one token, the one inside", || {
        host.configured_token(&container)
            .is_some_and(|token| host.daemon.client(&token).get("/api/auth/whoami").status == 200)
    });
    host.one_token_and_it_is_inside(&name);
    let now = host.configured_token(&container).unwrap();
    if fate == Fate::Hang {
        assert_eq!(now, old, "nothing had happened");
    } else {
        host.daemon.client(&old).get("/api/auth/whoami").expect_error(401, "invalid_token");
    }
    if running {
        assert_eq!(host.token_file(&container), now);
        host.act(&format!("/api/agents/{name}/restart")).expect(200);
    } else {
        host.act(&format!("/api/agents/{name}/start")).expect(200);
        // This image has `/run` on its root disk. A token file from before the stop must not have a dead token.
        let file = host.inside(&container, "busybox cat /run/taos/token 2>/dev/null || true");
        assert!(file.is_empty() || file == now, "the token file has a token of before");
    }
    assert_eq!(host.whoami_inside(&container)["agent_name"], json!(name));
}

fn kill(host: &Host) {
    let pid = host.daemon.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_before_the_delivery_to_a_running_container() {
    killed_in_a_rotation(Fate::Hang, true);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_before_the_delivery_to_a_stopped_container() {
    killed_in_a_rotation(Fate::Hang, false);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_between_delivery_and_activation_in_a_running_container() {
    killed_in_a_rotation(Fate::PassThenHang, true);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_between_delivery_and_activation_in_a_stopped_container() {
    killed_in_a_rotation(Fate::PassThenHang, false);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_right_after_the_activation() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let issued = host.daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    host.daemon.kill();
    host.daemon.spawn();
    host.wait_until_delivered(&name);
    host.one_token_and_it_is_inside(&name);
    let token = host.configured_token(&host.container(&name)).unwrap();
    let me = host.daemon.client(&token).get("/api/auth/whoami").expect(200).json();
    assert_eq!(me["credential_id"], issued["credential_id"], "what was acknowledged is kept");
}

/// If `/run` is on the root disk, a power cut may bring back the old token file. The next start removes it.
#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_token_file_that_came_back_from_before_is_removed() {
    let mut host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    let old = host.token_file(&container);
    host.daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200);
    let now = host.token_file(&container);
    host.daemon.kill();
    host.daemon.spawn();
    host.wait_until_delivered(&name);
    assert_eq!(host.token_file(&container), now, "the right one stays");
    host.daemon.kill();
    host.inside(&container, &format!("printf %s {old} >/run/taos/token"));
    host.test_runtime.driver.restart(&container, Duration::ZERO, true, soon()).unwrap();
    host.daemon.spawn();
    let there = || host.inside(&container, "busybox ls /run/taos");
    host.eventually("the old one goes", || !there().contains("token"));
    host.one_token_and_it_is_inside(&name);
    assert_eq!(host.whoami_inside(&container)["agent_name"], json!(name));
}

/// Like [`killed_in_a_rotation`], for the first token of an existing container.
fn killed_in_the_first_delivery(fate: Fate) {
    let mut host = Host::rest();
    let name = host.name("old");
    let id = host.daemon.agent(&name);
    let container = host.foreign_container(&name, Some(&id));
    host.test_runtime.driver.start(&container, soon().into()).unwrap();
    host.gate().rule(move |request| if sets_token(request) { fate } else { Fate::Pass });
    host.daemon.restart();
    host.gate().wait_for(fate);
    host.daemon.kill();
    host.gate().open();
    host.daemon.spawn();
    host.wait_until_delivered(&name);
    host.one_token_and_it_is_inside(&name);
    assert_eq!(host.token_file(&container), host.configured_token(&container).unwrap());
    assert_eq!(host.open_operations(), 0);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_before_the_first_delivery() {
    killed_in_the_first_delivery(Fate::Hang);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn killed_between_the_first_delivery_and_its_activation() {
    killed_in_the_first_delivery(Fate::PassThenHang);
}
