//! The life of a package: installation, the README's commands, a kill and the restart, an upgrade that keeps data and
//! sessions, the score of the sandbox, removal and purge.

use std::time::Duration;

use crate::machine::{Machine, field};

/// The README's first requests, with the token file of the service.
fn readme_lines() -> String {
    let readme = include_str!("../../README.md");
    let block = readme.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    assert!(block.contains("operator.token"), "{block}");
    block.replace("~/.local/state/taosd", "/var/lib/taosd")
}

#[test]
#[ignore = "needs LXD and the packages: bash .ci/lxd deb12; bash .ci/deb"]
fn from_install_to_purge() {
    let machine = Machine::boot();
    let before = machine.good("find / -xdev -path /proc -prune -o -path /sys -prune -o -iname '*taosd*' -print");
    assert_eq!(before, "");
    let said = machine.install();
    let took = machine.wait_until("active", Duration::from_secs(5), |m| m.run("systemctl is-active taosd").0);
    println!("active {took:?} after dpkg had ended");
    let starting = machine.good(
        "eval $(systemctl show taosd --property=InactiveExitTimestampMonotonic --property=ActiveEnterTimestampMonotonic)
        echo $(((ActiveEnterTimestampMonotonic - InactiveExitTimestampMonotonic) / 1000))",
    );
    println!("from the start of the service to its readiness: {starting} ms");
    assert!(starting.parse::<u64>().expect("a number") < 5000, "{said}");
    assert_eq!(machine.good("systemctl is-enabled taosd"), "enabled");
    let shown = machine.good(&readme_lines());
    assert!(shown.contains("\"principal\":\"user\"") && shown.contains("taos_agent_"), "{shown}");
    assert_eq!(machine.good("taosctl agents list --json | grep -c hermes"), "1", "over the operator's socket");
    assert_eq!(machine.good("stat -c '%a %U' /var/lib/taosd /run/taosd/taosd.sock"), "700 taosd\n660 taosd");
    machine.good("man -w taosd taosctl-agents-create || test -s /usr/share/man/man8/taosd.8.gz");
    // 1B39 is 6969 in hexadecimal. The daemon listens on the loopback address only.
    let listens = machine.good("cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == \"0A\" && $2 ~ /:1B39$/ { print $2 }'");
    assert_eq!(listens, "0100007F:1B39");
    machine.good("grep -q '\"purl\": \"pkg:cargo/rusqlite@' /usr/share/doc/taosd/taosd.cdx.json");

    let (status, session) = machine.request("POST", "/api/sessions", None);
    assert_eq!(status, 422, "{session}");
    let cookie = machine.good(
        "curl -sS -o /dev/null -D - --json \"{\\\"token\\\": \\\"$(cat /var/lib/taosd/operator.token)\\\"}\" \\
            http://127.0.0.1:6969/api/sessions | sed -n 's/^[Ss]et-[Cc]ookie: \\([^;]*\\);.*/\\1/p'",
    );
    assert!(cookie.starts_with("taos_session="), "{cookie}");
    let key = field(&machine.request("POST", "/api/v1/keys", Some(r#"{"name": "k"}"#)).1, "token");
    let exchanged = machine.request_as(&format!("Authorization: Bearer {key}"), "POST", "/auth/exchange", Some("{}")).1;
    let jwt = field(&exchanged, "access_token");
    let all_is_there = |machine: &Machine| {
        for header in [format!("Cookie: {cookie}"), format!("Authorization: Bearer {jwt}")] {
            let (status, body) = machine.request_as(&header, "GET", "/api/auth/whoami", None);
            assert_eq!(status, 200, "{header}: {body}");
        }
        let (status, body) = machine.request("GET", "/api/agents/hermes", None);
        assert_eq!(status, 200, "{body}");
    };
    all_is_there(&machine);

    let pid = machine.main_pid();
    machine.good("systemctl kill --signal KILL taosd");
    let back = machine.wait_until("back after a kill", Duration::from_secs(3), |m| {
        m.request("GET", "/api/agents/hermes", None).0 == 200
    });
    println!("back {back:?} after SIGKILL");
    assert_ne!(machine.main_pid(), pid);
    all_is_there(&machine);

    let version = machine.good("taosd --version");
    machine.upgrade();
    assert_ne!(machine.good("taosd --version"), version);
    machine.wait_until("active", Duration::from_secs(5), |m| m.run("systemctl is-active taosd").0);
    let running = field(&machine.request("GET", "/healthz", None).1, "version");
    assert!(machine.good("taosd --version").ends_with(&running), "the new one runs: {running}");
    all_is_there(&machine);
    assert_eq!(machine.good("systemctl show taosd --property NeedDaemonReload --value"), "no", "the new unit counts");
    let limit = format!("grep 'Max open files' /proc/{}/limits", machine.main_pid());
    assert!(machine.good(&limit).contains(" 4000 "), "its limits are the new unit's");

    let mark = machine.good("systemd-analyze security taosd --no-pager | tail -n 1");
    println!("{mark}");
    let level = mark.split_whitespace().find_map(|word| word.parse::<f64>().ok()).expect("a level");
    assert!(level <= 2.0, "{mark}");

    // An upgrade does not start a service that the administrator has stopped.
    machine.good("systemctl stop taosd");
    machine.upgrade();
    assert!(!machine.run("systemctl is-active taosd").0);
    machine.good("systemctl start taosd");

    machine.good("dpkg --remove taosd 2>&1");
    assert!(!machine.run("systemctl is-active taosd").0);
    assert_eq!(
        machine.good("ls /var/lib/taosd/taosd.db /etc/taosd/taosd.toml | wc -l"),
        "2",
        "a removal keeps the data"
    );
    machine.upgrade();
    machine.wait_until("active", Duration::from_secs(5), |m| m.run("systemctl is-active taosd").0);
    assert_eq!(machine.request("GET", "/api/agents/hermes", None).0, 200, "installed again on its data");
    // The administrator may have enabled the sockets as well.
    machine.good("systemctl enable taosd.socket 2>&1");
    machine.good("dpkg --purge taosd 2>&1; rm /root/taosd.deb");
    let left = machine.good("find / -xdev -path /proc -prune -o -path /sys -prune -o -iname '*taosd*' -print");
    assert_eq!(left, "", "a purge leaves nothing");
    assert_eq!(machine.run("getent passwd taosd; getent group taosd").1, "");
    assert!(machine.run("systemctl list-unit-files | grep taosd").1.is_empty());
}
