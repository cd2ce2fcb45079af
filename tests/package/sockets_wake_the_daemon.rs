//! Socket activation: systemd holds the sockets, the first connection starts the daemon, and the sockets outlive a stop
//! of the daemon.

use crate::machine::Machine;

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn with_both_enabled_the_service_starts_at_boot_on_the_sockets_of_systemd() {
    let machine = Machine::with_taosd();
    machine.good("systemctl stop taosd.service && systemctl enable --now taosd.socket");
    // The same as a boot.
    machine.good("systemctl isolate multi-user.target");
    machine.good("systemctl start multi-user.target");
    machine.wait_until("it runs", std::time::Duration::from_secs(10), |m| m.run("systemctl is-active taosd.service").0);
    assert_eq!(machine.good("systemctl is-enabled taosd.service taosd.socket"), "enabled\nenabled");
    assert_eq!(machine.good("stat -c '%F %a %G' /run/taosd/taosd.sock"), "socket 660 taosd", "it is systemd's");
    let order = machine.good("systemctl show taosd.service --property Before --value");
    for runtime in ["incus.service", "lxd.service", "lxc.service"] {
        assert!(order.split_whitespace().any(|unit| unit == runtime), "{runtime} in {order}");
    }
}

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn the_first_connection_starts_it() {
    let machine = Machine::with_taosd();
    machine.good("systemctl disable --now taosd.service && systemctl enable --now taosd.socket");
    assert!(!machine.run("systemctl is-active taosd.service").0);
    assert_eq!(machine.request("GET", "/api/auth/whoami", None).0, 200, "over TCP");
    assert!(machine.run("systemctl is-active taosd.service").0);
    machine.good("systemctl stop taosd.service");
    assert_eq!(machine.good("stat -c '%F %a %G' /run/taosd/taosd.sock"), "socket 660 taosd", "it is systemd's");
    let who = machine.good("taosctl whoami --json");
    assert!(who.contains("\"username\":\"operator\""), "over the operator's socket: {who}");
    assert!(machine.run("systemctl is-active taosd.service").0);
    machine.good("systemctl kill --signal KILL taosd.service");
    assert_eq!(machine.request("GET", "/healthz", None).0, 200, "a connection waits for the next process");
}
