//! `packaging/install.sh`: installs, upgrades in place, and purges without a trace.

use std::path::Path;
use std::time::Duration;

use crate::machine::Machine;

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn it_installs_twice_and_purges() {
    let machine = Machine::boot();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["packaging/install.sh", "packaging/taosd.toml", "systemd/taosd.service", "systemd/taosd.socket"] {
        machine.good("mkdir -p /root/tree/packaging /root/tree/systemd");
        machine.push(&root.join(file), &format!("/root/tree/{file}"));
    }
    let script = "bash /root/tree/packaging/install.sh";
    let (good, said) = machine.run(script);
    assert!(!good && said.contains("cargo build --release"), "{said}");
    machine.unpack("/root/tree/target");
    machine.good("mkdir /root/tree/target/release && mv /root/tree/target/usr/bin/* /root/tree/target/release/");
    machine.good(script);
    let is_ready = |machine: &Machine| machine.request("GET", "/api/auth/whoami", None).0 == 200;
    machine.wait_until("ready", Duration::from_secs(5), is_ready);
    machine.good("taosctl agents create --name Atlas && echo 'log = \"warn\"' >> /etc/taosd/taosd.toml");
    machine.good(script);
    machine.wait_until("ready again", Duration::from_secs(5), is_ready);
    assert_eq!(machine.request("GET", "/api/agents/atlas", None).0, 200);
    assert!(machine.good("cat /etc/taosd/taosd.toml").ends_with("log = \"warn\""), "settings are left alone");
    machine.good(&format!("{script} --uninstall && test -e /var/lib/taosd/taosd.db"));
    machine.good(&format!("{script} --purge && rm -r /root/tree"));
    let left = machine.good("find / -xdev -path /proc -prune -o -path /sys -prune -o -iname '*taosd*' -print");
    assert_eq!(left, "");
    assert_eq!(machine.run("getent passwd taosd; getent group taosd").1, "");
}
