//! A mistake in `taosd.toml`: a reload reports it and changes nothing, a start reports it in the journal, and dpkg
//! still completes the installation.

use std::time::Duration;

use crate::machine::Machine;

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn reload_start_and_installation_name_the_mistake() {
    let machine = Machine::with_taosd();
    let pid = machine.main_pid();
    machine.good("echo 'requests_per_minute = 1234' >> /etc/taosd/taosd.toml && systemctl reload taosd");
    assert_eq!(machine.main_pid(), pid, "a reload is no restart");
    let log = machine.good("journalctl --unit taosd --no-pager");
    assert!(log.contains("requests_per_minute"), "{log}");

    machine.good("echo 'reqests_per_minute = 1' >> /etc/taosd/taosd.toml");
    assert!(!machine.run("systemctl reload taosd").0, "a reload with a mistake fails");
    let log = machine.good("journalctl --unit taosd --no-pager");
    assert!(log.contains("did you mean requests_per_minute?"), "{log}");
    assert_eq!((machine.main_pid(), machine.request("GET", "/api/auth/whoami", None).0), (pid, 200));

    // An upgrade with the mistake: the package is installed, the service does not start, and dpkg and the journal say
    // why.
    let said = machine.upgrade();
    assert!(said.contains("systemctl status taosd says why"), "{said}");
    assert_eq!(machine.good("dpkg-query -W -f '${db:Status-Status}' taosd"), "installed");
    assert!(machine.good("journalctl --unit taosd --no-pager").contains("did you mean"), "the journal names it");
    machine.good("sed -i '/reqests/d' /etc/taosd/taosd.toml && systemctl restart taosd");
    machine.wait_until("active", Duration::from_secs(5), |m| m.request("GET", "/readyz", None).0 == 200);
}
