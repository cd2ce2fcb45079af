//! The watchdog kills a daemon that hangs and starts it again.

use std::time::Duration;

use crate::machine::Machine;

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn a_stopped_process_is_replaced() {
    let machine = Machine::with_taosd();
    machine.write("/etc/systemd/system/taosd.service.d/watchdog.conf", "[Service]\nWatchdogSec=2");
    machine.good("systemctl daemon-reload && systemctl restart taosd");
    let pid = machine.main_pid();
    // A daemon that works is not killed.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(machine.main_pid(), pid);
    machine.good(&format!("kill -STOP {pid}"));
    machine.wait_until("another process serves", Duration::from_secs(20), |m| {
        m.main_pid() != pid && m.request("GET", "/readyz", None).0 == 200
    });
    let log = machine.good("journalctl --unit taosd --no-pager");
    assert!(log.contains("Watchdog timeout"), "{log}");
}
