//! Rotation: the old token works until the new one is in the container. After that it works only if the rotation has a
//! grace.

use serde_json::{Value, json};

use crate::gate::{Fate, sets_token};
use crate::harness::Host;

on_both! {
    the_file_has_the_new_token_at_once_and_the_environment_after_a_restart
    a_stopped_container_has_the_new_token_when_it_starts
    twenty_rotations_at_once_all_succeed_and_leave_one_token
    a_revoked_token_leaves_the_container
}

fn issue(name: &str) -> String {
    format!("/api/agents/{name}/token/issue")
}

fn the_file_has_the_new_token_at_once_and_the_environment_after_a_restart(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    let old = host.configured_token(&container).unwrap();
    assert_eq!(host.token_file(&container), old, "the first start writes the file as well");
    let issued = host.daemon.operator().post(&issue(&name), json!({})).expect(200).json();
    assert_eq!((&issued["token"], &issued["token_delivery"]), (&Value::Null, &json!("pending_restart")));
    let new = host.configured_token(&container).unwrap();
    assert_ne!(new, old);
    assert_eq!(host.token_file(&container), new);
    host.daemon.client(&old).get("/api/auth/whoami").expect_error(401, "invalid_token");
    let me = host.daemon.client(&new).get("/api/auth/whoami").expect(200).json();
    assert_eq!(me["credential_id"], issued["credential_id"]);
    assert_eq!(host.daemon.record(&name)["token_delivery"], "pending_restart");
    host.act(&format!("/api/agents/{name}/restart")).expect(200);
    assert_eq!(host.daemon.record(&name)["token_delivery"], "delivered");
    assert_eq!(host.whoami_inside(&container)["credential_id"], issued["credential_id"]);
    host.one_token_and_it_is_inside(&name);
    // A grace keeps the previous token valid.
    let graced = host.daemon.operator().post(&issue(&name), json!({"grace_seconds": 600})).expect(200).json();
    assert!(graced["previous_valid_until"].is_string());
    host.daemon.client(&new).get("/api/auth/whoami").expect(200);
}

fn a_stopped_container_has_the_new_token_when_it_starts(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    let issued = host.daemon.operator().post(&issue(&name), json!({})).expect(200).json();
    assert_eq!(issued["token_delivery"], "delivered");
    host.act(&format!("/api/agents/{name}/start")).expect(200);
    let container = host.container(&name);
    assert_eq!(host.whoami_inside(&container)["credential_id"], issued["credential_id"]);
    assert!(host.token_file(&container).contains("No such file"), "no dead token in a file");
}

fn twenty_rotations_at_once_all_succeed_and_leave_one_token(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| host.daemon.operator().post(&issue(&name), json!({})).expect(200));
        }
    });
    host.one_token_and_it_is_inside(&name);
    let container = host.container(&name);
    assert_eq!(host.token_file(&container), host.configured_token(&container).unwrap());
}

fn a_revoked_token_leaves_the_container(mut host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    let token = host.configured_token(&container).unwrap();
    host.daemon.operator().delete(&format!("/api/agents/{name}/token")).expect(204);
    host.daemon.client(&token).get("/api/auth/whoami").expect_error(401, "invalid_token");
    host.eventually("the container forgets it", || host.configured_token(&container).is_none());
    assert!(host.token_file(&container).contains("No such file"));
    assert_eq!(host.daemon.record(&name)["token_delivery"], "not_injected");
    // An admin removed the token on purpose, so a start delivers no other.
    host.daemon.restart();
    host.daemon.on_socket().get("/readyz").expect(200);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(host.daemon.record(&name)["has_token"], false);
    assert!(host.configured_token(&container).is_none());
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_old_token_works_until_the_new_one_is_delivered() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    let old = host.configured_token(&container).unwrap();
    host.gate().rule(|request| if sets_token(request) { Fate::PassThenHang } else { Fate::Pass });
    std::thread::scope(|scope| {
        let rotation = scope.spawn(|| host.daemon.operator().post(&issue(&name), json!({})));
        host.gate().wait_for(Fate::PassThenHang);
        host.daemon.client(&old).get("/api/auth/whoami").expect(200);
        let new = host.configured_token(&container).unwrap();
        host.daemon.client(&new).get("/api/auth/whoami").expect_error(401, "invalid_token");
        // The runtime's reply never comes, but the container's configuration shows the token.
        rotation.join().unwrap().expect(200);
        host.daemon.client(&old).get("/api/auth/whoami").expect_error(401, "invalid_token");
        host.daemon.client(&new).get("/api/auth/whoami").expect(200);
    });
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_restart_by_somebody_else_is_noticed() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    host.daemon.operator().post(&issue(&name), json!({})).expect(200);
    let container = host.container(&name);
    host.test_runtime.driver.restart(&container, std::time::Duration::ZERO, true, crate::test_runtime::soon()).unwrap();
    host.eventually("the record says delivered", || host.daemon.record(&name)["token_delivery"] == "delivered");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_scope_narrowed_while_a_delivery_runs_wins() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let permissions = format!("/api/agents/{name}/permissions");
    host.gate().rule(|request| if sets_token(request) { Fate::Hold } else { Fate::Pass });
    std::thread::scope(|scope| {
        let issuing = scope.spawn(|| host.daemon.operator().post(&issue(&name), json!({})).expect(200).json());
        host.gate().wait_for(Fate::Hold);
        host.daemon.operator().put(&permissions, json!({"scope": ["agents.read"]})).expect(200);
        host.gate().open();
        assert_eq!(issuing.join().unwrap()["scope"], json!(["agents.read"]));
    });
    let token = host.configured_token(&host.container(&name)).unwrap();
    let me = host.daemon.client(&token).get("/api/auth/whoami").expect(200).json();
    assert_eq!(me["scope"], json!(["agents.read"]));
    // The scope of the stored credential is the narrow one, so a later wider scope does not widen it.
    let stored =
        host.daemon.text("SELECT scopes FROM credentials WHERE id = ?1", [me["credential_id"].as_str().unwrap()]);
    assert_eq!(stored, r#"["agents.read"]"#);
}
