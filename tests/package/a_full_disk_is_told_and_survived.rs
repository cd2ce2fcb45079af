//! The disk of the data directory fills up under the installed service: writes are refused, reads go on, `/readyz`
//! fails, nothing is lost, and once there is room again the daemon recovers by itself.

use std::time::Duration;

use crate::machine::Machine;

fn agent(n: usize) -> String {
    format!(r#"{{"name": "agent{n}"}}"#)
}

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn writes_are_refused_until_there_is_room() {
    let machine = Machine::with_taosd();
    machine.good(
        "systemctl stop taosd
        mount -t tmpfs -o size=6m,mode=700,uid=$(id -u taosd),gid=$(id -g taosd) none /var/lib/taosd
        printf 'min_free_bytes = 65536\\nbackup_interval = 1\\n' | cat - /etc/taosd/taosd.toml > /root/toml
        cat /root/toml > /etc/taosd/taosd.toml
        systemctl start taosd",
    );
    assert_eq!(machine.request("POST", "/api/agents", Some(&agent(0))).0, 200);
    machine.good("cat /dev/zero > /var/lib/taosd/ballast 2>/dev/null || true");
    let mut made = 1;
    while machine.request("POST", "/api/agents", Some(&agent(made))).0 == 200 {
        made += 1;
        assert!(made < 2000, "the disk never filled up");
        machine.good("cat /dev/zero >> /var/lib/taosd/ballast 2>/dev/null || true");
    }
    let (status, body) = machine.request("POST", "/api/agents", Some(&agent(made)));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("storage_full"), "{body}");
    assert_eq!(machine.request("GET", "/api/agents/agent0", None).0, 200, "reads go on");
    let (status, ready) = machine.request("GET", "/readyz", None);
    assert_eq!(status, 503, "{ready}");
    assert!(machine.run("systemctl is-active taosd").0, "a full disk ends nothing");

    machine.good("rm /var/lib/taosd/ballast");
    machine.wait_until("ready again", Duration::from_secs(70), |m| m.request("GET", "/readyz", None).0 == 200);
    assert_eq!(machine.request("POST", "/api/agents", Some(&agent(made))).0, 200);
    machine.good("systemctl kill --signal KILL taosd");
    machine.wait_until("back", Duration::from_secs(5), |m| m.request("GET", "/healthz", None).0 == 200);
    for n in 0..=made {
        assert_eq!(machine.request("GET", &format!("/api/agents/agent{n}"), None).0, 200, "agent{n} was acknowledged");
    }
    machine.good("systemctl stop taosd && TAOSD_MIN_FREE_BYTES=0 taosd check --data-dir /var/lib/taosd");
}
