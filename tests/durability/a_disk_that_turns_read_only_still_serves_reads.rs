//! A failing SD card: the kernel makes the file system read-only under the running daemon.

use serde_json::json;

use crate::mounts::Mount;
use crate::support::{Daemon, TempDir};

#[test]
#[ignore = "needs root: it mounts file systems"]
fn writes_are_refused_reads_go_on_and_the_daemon_says_it_is_not_ready() {
    let disk = Mount::ext4();
    let data = disk.path().join("d");
    let mut daemon = Daemon::prepared(Some(&data), &[], &[]);
    daemon.spawn();
    let operator = daemon.operator();
    operator.post("/api/agents", json!({"name": "atlas"})).expect(200);
    disk.break_down();
    for _ in 0..2 {
        operator.post("/api/agents", json!({"name": "bert"})).expect_error(503, "storage_read_only");
        operator.get("/api/agents/atlas").expect(200);
    }
    let not_ready = daemon.anonymous().get("/readyz").expect_error(503, "not_ready").json();
    assert!(not_ready["checks"]["disk"].as_str().unwrap().contains("read-only"), "{not_ready}");
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
    assert!(!daemon.log_text().contains("panicked"), "{}", daemon.log_text());
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_daemon_started_on_a_read_only_disk_serves_reads() {
    let disk = Mount::ext4();
    let data = disk.path().join("d");
    let runtime = TempDir::new();
    let socket = runtime.path().join("s");
    let mut daemon = Daemon::prepared(Some(&data), &["--socket", socket.to_str().unwrap()], &[]);
    daemon.spawn();
    daemon.operator().post("/api/agents", json!({"name": "atlas"})).expect(200);
    assert_eq!(daemon.stop(), Some(0));
    disk.remount_read_only();
    daemon.spawn();
    let operator = daemon.operator();
    operator.get("/api/agents/atlas").expect(200);
    operator.get("/api/auth/whoami").expect(200);
    operator.post("/api/agents", json!({"name": "bert"})).expect_error(503, "storage_read_only");
    daemon.anonymous().get("/readyz").expect_error(503, "not_ready");
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn a_first_start_on_a_read_only_disk_is_refused() {
    let disk = Mount::ext4();
    disk.remount_read_only();
    let (code, said) = Daemon::prepared(Some(&disk.path().join("d")), &[], &[]).refused_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
}
