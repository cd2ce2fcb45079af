//! A mounted folder has been replaced by a link since it was requested. The daemon does not follow the link, neither
//! when it makes the container nor at a later start. A root is only open to the users and agents it names.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use taosd::containers::Status;

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::TempDir;
use crate::test_runtime::soon;

/// Replaces a folder by a link to `/etc`. [`unswap`] puts the folder back.
fn swap(source: &Path) {
    fs::rename(source, source.with_extension("away")).expect("away");
    symlink("/etc", source).expect("a link");
}

fn unswap(source: &Path) {
    fs::remove_file(source).expect("the link");
    fs::rename(source.with_extension("away"), source).expect("back");
}

on_both! { a_start_does_not_follow_it }

fn a_start_does_not_follow_it(host: Host) {
    let source = host.mounts.path().join("shared");
    fs::create_dir(&source).expect("a folder");
    let name = host.name("late");
    let mounts = json!([{"source": source.to_str().expect("UTF-8"), "target": "/srv/shared"}]);
    host.deploy_with(&name, json!({"mounts": mounts})).expect(200);
    let stopped = || {
        let state = host.test_runtime.driver.get(&host.container(&name), soon()).expect("a container");
        assert_eq!(state.status, Status::Stopped);
        assert_eq!(state.mounts, std::slice::from_ref(&source));
    };
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    swap(&source);
    for how in ["start", "restart"] {
        let reply = host.act(&format!("/api/agents/{name}/{how}")).expect_error(502, "container_failed");
        assert!(reply.text().contains("without following a link"), "{}", reply.text());
        stopped();
    }
    unswap(&source);
    host.act(&format!("/api/agents/{name}/start")).expect(200);
    host.archive(&name);
}

/// The owner of a root swaps a folder back and forth, to hit the moment between the daemon's check and the start.
#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn nobody_but_root_can_swap_it_there_and_back_during_a_start() {
    let host = Host::rest();
    let root = host.mounts.path().to_owned();
    let source = root.join("shared");
    fs::create_dir(&source).expect("a folder");
    let name = host.name("quick");
    let mounts = json!([{"source": source.to_str().expect("UTF-8"), "target": "/srv/shared"}]);
    host.deploy_with(&name, json!({"mounts": mounts})).expect(200);
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    // From now on the root belongs to a user who can swap it, so the daemon refuses the start before the runtime looks
    // at it.
    chown(&root, Some(12345), None).expect("tests with containers run as root");
    let (go, done) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while go.load(Ordering::Relaxed) {
                swap(&source);
                std::thread::sleep(Duration::from_millis(1));
                unswap(&source);
                std::thread::sleep(Duration::from_millis(20));
            }
            done.store(true, Ordering::Relaxed);
        });
        for _ in 0..3 {
            let reply = host.act(&format!("/api/agents/{name}/start")).expect_error(502, "container_failed");
            let state = host.test_runtime.driver.get(&host.container(&name), soon()).expect("a container");
            assert_eq!(state.status, Status::Stopped, "{}", reply.text());
        }
        go.store(false, Ordering::Relaxed);
    });
    assert!(done.into_inner());
    let reply = host.act(&format!("/api/agents/{name}/start")).expect_error(502, "container_failed");
    assert!(reply.text().contains("others may write"), "{}", reply.text());
    chown(&root, Some(0), None).expect("root's again");
    host.act(&format!("/api/agents/{name}/start")).expect(200);
    host.archive(&name);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_does_not_follow_it() {
    let host = Host::rest();
    let source = host.mounts.path().join("shared");
    fs::create_dir(&source).expect("a folder");
    let mounts = json!([{"source": source.to_str().expect("UTF-8"), "target": "/srv/shared"}]);
    let name = host.name("early");
    host.gate().rule(|request| if request.starts_with("GET /1.0/images/") { Fate::Hold } else { Fate::Pass });
    let body = json!({"name": name, "mounts": mounts});
    let promised = host.daemon.operator().post("/api/agents/deploy", body).expect(202).json();
    host.gate().wait_for(Fate::Hold);
    swap(&source);
    host.gate().open();
    let ended = host.ended(promised["operation_id"].as_str().expect("an id"));
    assert_eq!((&ended["status"], &ended["error"]["error"]), (&json!("failed"), &json!("container_failed")), "{ended}");
    assert!(!host.containers().contains(&host.container(&name).to_string()), "it was taken back");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_root_is_for_those_it_names() {
    let roots = TempDir::new();
    let made = |name: &str| {
        let path = roots.path().join(name).join("in");
        fs::create_dir_all(&path).expect("a folder");
        path
    };
    let (admins, anns, kepler) = (made("admins"), made("anns"), made("kepler"));
    let at = |name: &str| roots.path().join(name).display().to_string();
    let list = format!(
        "\"{}\", {{ path = \"{}\", users = [\"ann\"] }}, {{ path = \"{}\", users = [\"*\"], agents = [\"kepler\"] }}",
        at("admins"),
        at("anns"),
        at("kepler")
    );
    let host = Host::rest_with_roots(&list);
    let ann = host.daemon.member("ann", &["*"]);
    host.daemon.grant("user:ann", "*", "creator");
    let bob = host.daemon.member("bob", &["*"]);
    host.daemon.grant("user:bob", "*", "creator");
    // The image does not exist: an allowed request gets that far, and nothing is made.
    let body = |name: &str, source: &Path| json!({"name": name, "image": "no-such-image", "mounts": [{"source": source, "target": "/x"}]});
    for (who, client, name, source, allowed) in [
        ("ann", &ann, "a1", &admins, false),
        ("ann", &ann, "a2", &anns, true),
        ("ann", &ann, "a3", &kepler, false),
        ("bob", &bob, "b1", &anns, false),
        ("bob", &bob, "kepler", &kepler, true),
        ("operator", &host.daemon.operator(), "o1", &admins, true),
        ("operator", &host.daemon.operator(), "o2", &anns, true),
        ("operator", &host.daemon.operator(), "o3", &kepler, false),
    ] {
        let reply = client.post("/api/agents/deploy", body(name, source));
        if allowed {
            assert_eq!(reply.status, 202, "{who} {name}: {}", reply.text());
        } else {
            assert!(reply.clone().expect_error(422, "validation_error").text().contains("not open"), "{who} {name}");
        }
    }
}
