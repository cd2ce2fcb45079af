//! What only LXD and Incus have: devices that others added, a size for the root disk, a systemd box.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use taosd::containers::{Error, FileSpec, Status};

use super::bed::{Bed, client, path, rest, soon};

fn tool(arguments: &[&str]) -> String {
    let output = Command::new(client()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn devices_of_others_survive_ours() {
    let bed = Bed::rest();
    let guard = bed.stopped();
    let name = guard.name.as_str();
    let devices = || {
        let mut names: Vec<String> = tool(&["config", "device", "list", name]).lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    tool(&["config", "device", "add", name, "theirs", "disk", "source=/usr/share", "path=/mnt/theirs"]);
    bed.driver.ensure_proxy(&guard.name, Path::new("/run/taosd-test.sock"), soon()).unwrap();
    assert_eq!(devices(), ["taosd-proxy", "theirs"]);
    assert_eq!(tool(&["config", "device", "get", name, "taosd-proxy", "connect"]), "unix:/run/taosd-test.sock\n");
    bed.driver.remove_proxy(&guard.name, soon()).unwrap();
    assert_eq!(devices(), ["theirs"]);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_root_disk_has_the_size_asked_for() {
    let bed = Bed::rest();
    let guard = bed.name();
    let mut spec = bed.spec();
    spec.root_bytes = Some(64 << 20);
    bed.driver.create(&guard.name, &spec, soon().into()).unwrap();
    assert_eq!(tool(&["config", "device", "get", guard.name.as_str(), "root", "size"]), "67108864B\n");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_container_that_restarts_itself_is_another_run() {
    let bed = Bed::rest();
    let guard = bed.running();
    bed.says(&guard.name, &["ip", "link"]);
    let first = guard.state().boot;
    bed.exec(&guard.name, &["kill", "-TERM", "1"]);
    for _ in 0..200 {
        // Incus fails to tell of a container whose first process ends at that moment.
        let state = bed.driver.get(&guard.name, soon());
        if state.is_ok_and(|state| state.status == Status::Running && state.boot != first) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not come back as another run");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn one_that_will_not_stop_is_killed_only_if_asked() {
    let bed = Bed::rest();
    let guard = bed.stopped();
    tool(&["config", "set", guard.name.as_str(), "raw.lxc", "lxc.signal.halt=SIGWINCH"]);
    bed.driver.start(&guard.name, soon().into()).unwrap();
    let second = Duration::from_secs(1);
    let result = bed.driver.stop(&guard.name, second, false, soon());
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    let began = Instant::now();
    let late = bed.driver.stop(&guard.name, 30 * second, false, began + second / 2);
    assert_eq!(late, Err(Error::Deadline(rest())));
    assert!(began.elapsed() < 2 * second);
    assert_eq!(guard.state().status, Status::Running);
    bed.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
}

#[test]
#[ignore = "needs Incus or LXD and a systemd image: bash .ci/lxd deb12"]
fn a_secret_under_run_reaches_a_systemd_box() {
    let mut bed = Bed::rest();
    let image = Bed::systemd_image();
    bed.image = image;
    let guard = bed.running();
    let (end, mut state) = (soon(), String::new());
    while !state.starts_with("running") && !state.starts_with("degraded") {
        // In its first moments it says that it is offline.
        assert!(Instant::now() < end, "{state}");
        state = bed.says(&guard.name, &["systemctl", "is-system-running", "--wait"]);
    }
    bed.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/token"), b"token"), soon()).unwrap();
    assert_eq!(fs::read(guard.inside("/run/taos/token")).unwrap(), b"token");
    bed.driver.stop(&guard.name, Duration::from_secs(30), false, soon()).unwrap();
    bed.driver.start(&guard.name, soon().into()).unwrap();
    assert!(!guard.inside("/run/taos/token").exists(), "it lay in memory alone");
}
