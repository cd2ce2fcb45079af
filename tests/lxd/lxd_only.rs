//! Cases of LXD and Incus alone: devices that others added, a size for the root disk, a container with systemd.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use taosd::containers::{Error, FileSpec, Status};

use super::test_runtime::{TestRuntime, client, path, rest, soon};

fn tool(arguments: &[&str]) -> String {
    let output = Command::new(client()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn devices_of_others_survive_ours() {
    let test_runtime = TestRuntime::rest();
    let guard = test_runtime.stopped();
    let name = guard.name.as_str();
    let devices = || {
        let mut names: Vec<String> = tool(&["config", "device", "list", name]).lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    tool(&["config", "device", "add", name, "theirs", "disk", "source=/usr/share", "path=/mnt/theirs"]);
    test_runtime.driver.ensure_proxy(&guard.name, Path::new("/run/taosd-test.sock"), soon()).unwrap();
    assert_eq!(devices(), ["taosd-proxy", "theirs"]);
    assert_eq!(tool(&["config", "device", "get", name, "taosd-proxy", "connect"]), "unix:/run/taosd-test.sock\n");
    test_runtime.driver.remove_proxy(&guard.name, soon()).unwrap();
    assert_eq!(devices(), ["theirs"]);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_root_disk_has_the_size_asked_for() {
    let test_runtime = TestRuntime::rest();
    let guard = test_runtime.name();
    let mut spec = test_runtime.spec();
    spec.root_bytes = Some(64 << 20);
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();
    assert_eq!(tool(&["config", "device", "get", guard.name.as_str(), "root", "size"]), "67108864B\n");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_container_that_restarts_itself_is_another_run() {
    let test_runtime = TestRuntime::rest();
    let guard = test_runtime.running();
    test_runtime.says(&guard.name, &["ip", "link"]);
    let first = guard.state().boot;
    test_runtime.exec(&guard.name, &["kill", "-TERM", "1"]);
    for _ in 0..200 {
        // Incus returns an error for a container whose first process ends at that moment.
        let state = test_runtime.driver.get(&guard.name, soon());
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
    let test_runtime = TestRuntime::rest();
    let guard = test_runtime.stopped();
    tool(&["config", "set", guard.name.as_str(), "raw.lxc", "lxc.signal.halt=SIGWINCH"]);
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let second = Duration::from_secs(1);
    let result = test_runtime.driver.stop(&guard.name, second, false, soon());
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    let began = Instant::now();
    let late = test_runtime.driver.stop(&guard.name, 30 * second, false, began + second / 2);
    assert_eq!(late, Err(Error::Deadline(rest())));
    assert!(began.elapsed() < 10 * second);
    assert_eq!(guard.state().status, Status::Running);
    test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
}

#[test]
#[ignore = "needs Incus or LXD and a systemd image: bash .ci/lxd deb12"]
fn a_secret_under_run_reaches_a_systemd_box() {
    let mut test_runtime = TestRuntime::rest();
    let image = TestRuntime::systemd_image();
    test_runtime.image = image;
    let guard = test_runtime.running();
    let (end, mut state) = (soon(), String::new());
    while !state.starts_with("running") && !state.starts_with("degraded") {
        // In its first moments systemd says that it is offline.
        assert!(Instant::now() < end, "{state}");
        state = test_runtime.says(&guard.name, &["systemctl", "is-system-running", "--wait"]);
    }
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/token"), b"token"), soon()).unwrap();
    assert_eq!(fs::read(guard.inside("/run/taos/token")).unwrap(), b"token");
    test_runtime.driver.stop(&guard.name, Duration::from_secs(30), false, soon()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert!(!guard.inside("/run/taos/token").exists(), "it lay in memory alone");
}
