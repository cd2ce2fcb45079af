//! The disk fills up while the daemon runs, and gets room again.

use std::fs;

use serde_json::json;

use crate::mounts::Mount;
use crate::storm::NO_RATES;
use crate::support::{Daemon, Reply};

/// No rate limits, and `/readyz` accepts little room, because the file system of the test is tiny.
fn settings() -> Vec<(&'static str, &'static str)> {
    [NO_RATES, &[("TAOSD_MIN_FREE_BYTES", "65536")]].concat()
}

fn create(daemon: &Daemon, n: usize) -> Reply {
    daemon.operator().post("/api/agents", json!({"name": format!("agent{n}")}))
}

/// Creates agents, starting with number `first`, until the disk is full. Returns the number of agents then.
fn fill_up(daemon: &Daemon, first: usize) -> usize {
    for n in first..10_000 {
        let reply = create(daemon, n);
        if reply.status != 200 {
            reply.expect_error(503, "storage_full");
            return n;
        }
    }
    panic!("the disk never filled up");
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn writes_are_refused_reads_go_on_and_nothing_acknowledged_is_lost() {
    let disk = Mount::tmpfs(8 * 1024);
    let data = disk.path().join("d");
    let mut daemon = Daemon::prepared(Some(&data), &[], &settings());
    daemon.spawn();
    daemon.operator().get("/readyz").expect(200);
    for n in 0..20 {
        create(&daemon, n).expect(200);
    }
    disk.fill();
    let made = fill_up(&daemon, 20);
    disk.fill();

    let refused = create(&daemon, made).expect_error(503, "storage_full");
    assert!(refused.header("retry-after").is_some());
    assert!(!refused.text().contains("taosd.db"), "{}", refused.text());
    create(&daemon, made + 1).expect_error(503, "storage_full");
    for n in 0..made {
        daemon.operator().get(&format!("/api/agents/agent{n}")).expect(200);
    }
    daemon.operator().get(&format!("/api/agents/agent{made}")).expect_error(404, "agent_not_found");
    let not_ready = daemon.anonymous().get("/readyz").expect_error(503, "not_ready").json();
    assert_eq!(not_ready["status"], "not_ready");
    assert!(not_ready["checks"]["disk"].as_str().unwrap().contains("free"), "{not_ready}");

    disk.make_room();
    create(&daemon, made).expect(200);
    daemon.operator().get("/readyz").expect(200);
    daemon.kill();
    daemon.check();
    daemon.spawn();
    for n in 0..=made {
        daemon.operator().get(&format!("/api/agents/agent{n}")).expect(200);
    }
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_keyed_request_refused_for_want_of_room_may_be_repeated() {
    let disk = Mount::tmpfs(8 * 1024);
    let data = disk.path().join("d");
    let mut daemon = Daemon::prepared(Some(&data), &[], &settings());
    daemon.spawn();
    disk.fill();
    fill_up(&daemon, 0);
    disk.fill();
    let keyed = daemon.operator().with("Idempotency-Key", "k1");
    let body = json!({"name": "late"});
    keyed.post("/api/agents", body.clone()).expect_error(503, "storage_full");
    disk.make_room();
    let made = keyed.post("/api/agents", body.clone()).expect(200);
    assert!(made.header("idempotent-replayed").is_none());
    let again = keyed.post("/api/agents", body).expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(made.json()["id"], again.json()["id"]);
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_stop_on_a_full_disk_is_clean_and_loses_nothing() {
    let disk = Mount::tmpfs(8 * 1024);
    let data = disk.path().join("d");
    let mut daemon = Daemon::prepared(Some(&data), &[], &settings());
    daemon.spawn();
    disk.fill();
    let made = fill_up(&daemon, 0);
    disk.fill();
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
    disk.make_room();
    daemon.spawn();
    for n in 0..made {
        daemon.operator().get(&format!("/api/agents/agent{n}")).expect(200);
    }
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_start_on_a_full_disk_says_so_and_touches_nothing() {
    let disk = Mount::tmpfs(8 * 1024);
    let data = disk.path().join("d");
    let mut daemon = Daemon::prepared(Some(&data), &[], &settings());
    // A first start has no room for the registry.
    fs::create_dir(&data).unwrap();
    disk.fill();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("full") || said.contains("No space left"), "{said}");
    disk.make_room();
    daemon.spawn();
    create(&daemon, 0).expect(200);
    assert_eq!(daemon.stop(), Some(0));
    // A later start needs room for its index of the WAL.
    disk.fill();
    let (code, said) = daemon.refused_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("full"), "{said}");
    disk.make_room();
    daemon.spawn();
    daemon.operator().get("/api/agents/agent0").expect(200);
}
