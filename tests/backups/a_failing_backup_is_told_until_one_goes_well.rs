//! The disk has room for the database but not for its copy. The daemon notifies the admins once, and `/readyz` and
//! `/metrics` report it. The daemon recovers when there is room again.

use crate::backups::mounts::Mount;
use crate::backups::run::{fresh, wait_until};
use crate::support::{Daemon, Reply};

fn ready(daemon: &Daemon) -> Reply {
    daemon.anonymous().get("/readyz")
}

fn notices(daemon: &Daemon) -> Vec<serde_json::Value> {
    let rows = daemon.operator().get("/api/notifications").expect(200).json();
    let rows = rows.as_array().expect("rows").iter();
    rows.filter(|row| row["source"] == "taosd").cloned().collect()
}

#[test]
#[ignore = "needs root: it mounts file systems"]
fn the_alarm_rings_once_and_ends_by_itself() {
    let disk = Mount::tmpfs(8 * 1024);
    let data = disk.path().join("d");
    let env = [("TAOSD_BACKUP_INTERVAL", "1"), ("TAOSD_MIN_FREE_BYTES", "0")];
    let mut daemon = Daemon::prepared(Some(&data), &[], &env);
    daemon.spawn();
    wait_until("a first copy", || fresh(&daemon).exists());
    let good = std::fs::read(fresh(&daemon)).expect("the copy");
    // Enough for a few writes, too little for a copy.
    disk.fill();
    disk.leave(256 * 1024);
    daemon.agent("atlas");
    wait_until("not ready", || ready(&daemon).status == 503);
    let said = ready(&daemon).expect_error(503, "not_ready").json();
    assert_eq!(said["checks"]["backups"], "the disk is full", "{said}");
    assert_eq!(said["checks"]["database"], "ok", "{said}");
    assert_eq!(std::fs::read(fresh(&daemon)).expect("the copy"), good, "the last good copy is still there");
    let told = notices(&daemon);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0]["level"].as_str(), told[0]["read"].as_bool()), (Some("high"), Some(false)), "{}", told[0]);
    let page = told[0]["action_url"].as_str().expect("a page");
    daemon.anonymous().get(page.split('#').next().expect("a path")).expect(200);
    daemon.agent("bert");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(notices(&daemon).len(), 1, "told once, however often it fails");
    let metrics = daemon.operator().get("/metrics").expect(200).text();
    let failures =
        metrics.lines().find_map(|line| line.strip_prefix("taosd_backup_failures_total ")).expect("a counter");
    assert!(failures.parse::<u64>().expect("a number") >= 1, "{failures}");
    assert!(metrics.contains("taosd_backup_age_seconds "), "{metrics}");

    disk.make_room();
    wait_until("ready again", || ready(&daemon).status == 200);
    assert_ne!(std::fs::read(fresh(&daemon)).expect("the copy"), good);
}
