//! Classic LXC under the installed unit: the containers have none of the daemon's limits, outlive the daemon, and start
//! again with the box.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::{Machine, setting};

/// Mounts control groups that LXC needs. On some kernels a container gets them by name only.
const CONTROL_GROUPS: &str = "
    mountpoint -q /sys/fs/cgroup/cpuacct || ! grep -q :cpuacct: /proc/self/cgroup || {
        mount -o remount,rw /sys/fs/cgroup
        for group in cpu cpuacct; do
            rm -rf /sys/fs/cgroup/$group
            mkdir /sys/fs/cgroup/$group
            mount -t cgroup -o $group cgroup /sys/fs/cgroup/$group
        done
    }";
/// Prints the PID of the only container's first process, as the box sees it.
const INIT: &str = "lxc-info -n taos-agent-atlas -p -H";

/// A box with LXC's tools, an image, the drop-in, and one deployed container.
fn machine() -> Machine {
    let packages = setting("TAOSD_TEST_LXC_DEBS").map(PathBuf::from);
    let image = setting("TAOSD_TEST_LXC_IMAGES").map(|images| Path::new(&images).join("bb"));
    let machine = Machine::boot_privileged();
    for package in packages.expect("LXC's packages").read_dir().expect("a folder").flatten() {
        machine.push(&package.path(), &format!("/root/{}", package.file_name().to_str().expect("UTF-8")));
    }
    // The packages that a network needs are left out: nothing here has a network.
    machine.good("DEBIAN_FRONTEND=noninteractive dpkg --force-depends --install /root/*lxc*.deb 2>&1");
    machine.push_folder(&image.expect("an image"), "/var/lib/lxc/.images");
    machine.good(CONTROL_GROUPS);
    machine.install();
    machine.good(
        "mkdir -p /etc/systemd/system/taosd.service.d
        cp /usr/share/doc/taosd/examples/classic-lxc.conf /etc/systemd/system/taosd.service.d/
        systemctl daemon-reload && systemctl restart taosd
        taosctl agents deploy --name atlas --image bb",
    );
    machine
}

fn runs(machine: &Machine) -> bool {
    machine.run("lxc-info -n taos-agent-atlas -s -H").1.trim() == "RUNNING"
}

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn a_container_has_its_own_limits_outlives_the_daemon_and_comes_back_with_the_box() {
    let machine = machine();
    let status = machine.good(&format!("cat /proc/$({INIT})/status"));
    let daemon = machine.good("cat /proc/$(systemctl show taosd --property MainPID --value)/status");
    let line = |status: &str, name: &str| status.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    assert_eq!(line(&status, "Umask:").as_deref(), Some("Umask:\t0022"));
    let filters = |status: &str| {
        line(status, "Seccomp_filters:").and_then(|line| line.split_whitespace().last()?.parse::<u32>().ok())
    };
    assert!(filters(&status) <= Some(1), "at most LXC's own: {status}");
    assert!(filters(&daemon) > filters(&status), "{daemon}");
    let files = machine.good(&format!("grep 'Max open files' /proc/$({INIT})/limits"));
    assert!(!files.contains(" 4096 "), "{files}");
    assert!(!machine.good(&format!("cat /proc/$({INIT})/cgroup")).contains("taosd.service"));
    assert!(machine.good("systemctl list-units --no-legend 'taosd-lxc-taos-agent-atlas-*'").contains("running"));

    let init = machine.good(INIT);
    machine.good("systemctl kill --signal KILL taosd");
    machine.good("systemctl restart taosd");
    assert_eq!(machine.good(INIT), init, "it has not noticed");

    machine.reboot();
    machine.good(CONTROL_GROUPS);
    // On a real machine the groups exist before the daemon starts. Here it must start again.
    machine.good("systemctl restart taosd");
    machine.wait_until("the container is back", Duration::from_secs(20), runs);
    let whoami = format!(
        "T=$(tr '\\0' '\\n' </proc/$({INIT})/environ | sed -n s/^TAOS_TOKEN=//p)
        lxc-attach -n taos-agent-atlas -- wget -q -O - --header \"Authorization: Bearer $T\" \
            http://127.0.0.1:6969/api/auth/whoami"
    );
    // The daemon enters the container's network once the container has one.
    machine.wait_until("its token works", Duration::from_secs(5), |m| {
        m.run(&whoami).1.contains("\"agent_name\":\"atlas\"")
    });

    machine.good("taosctl agents stop atlas");
    machine.good("systemctl restart taosd");
    assert!(!runs(&machine), "what was stopped stays so");
}
