//! Socket activation: systemd holds the sockets, the first connection starts the daemon, and a stop leaves them there.

use crate::machine::Machine;

#[test]
fn the_first_connection_starts_it() {
    let Some(machine) = Machine::with_taosd() else { return };
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
