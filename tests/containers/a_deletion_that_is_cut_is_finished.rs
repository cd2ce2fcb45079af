//! A client of the aX dialect deletes an agent, and the daemon is killed while its container is put away. The next start
//! finishes that, also if the snapshot was taken already.

use crate::pretend::Pretend;
use crate::support::wait_until;

#[test]
fn a_kill_between_snapshot_and_rename_leaves_no_container_behind() {
    let mut shop = Pretend::start();
    let id = shop.agent("r1", "Running");
    shop.state().holds = Some("/snapshots");
    shop.daemon.operator().delete("/api/v1/agents/manage/r1").expect(200);
    wait_until("the snapshot is taken", || shop.state().snapshots.len() == 1);
    shop.daemon.kill();
    shop.state().holds = None;
    shop.daemon.spawn();
    let ended = |status: &str| {
        shop.daemon.number("SELECT count(*) FROM operations WHERE kind = 'archive' AND status = ?1", [status])
    };
    wait_until("the operation has ended", || ended("running") == 0);
    assert_eq!((ended("succeeded"), ended("failed")), (1, 0));
    let archived = format!("taos-archived-{}", &id.replace('-', "")[20..]);
    assert_eq!(shop.status(&archived.to_lowercase()), "Stopped");
}
