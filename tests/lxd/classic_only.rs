//! Cases of classic LXC alone: configuration in files, half-done renames, the driver's own listeners, and a hostile
//! root file system.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use taosd::containers::{ContainerName, Detail, Driver, Error, FileSpec, ImageName, Mount, Runtime, Status};

use super::inside::answering;
use super::test_runtime::{Folder, Guard, TestRuntime, path, set, soon};

fn folder(guard: &Guard<'_>) -> PathBuf {
    TestRuntime::lxc_path().join(guard.name.as_str())
}

fn append(guard: &Guard<'_>, line: &str) {
    let mut config = OpenOptions::new().append(true).open(folder(guard).join("config")).unwrap();
    writeln!(config, "{line}").unwrap();
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn what_ran_when_the_host_went_down_comes_back_and_nothing_else_does() {
    let test_runtime = TestRuntime::classic();
    let (before, now, never) = (test_runtime.running(), test_runtime.running(), test_runtime.stopped());
    let (stopped, other_boot) = (test_runtime.running(), "00000000-0000-0000-0000-000000000000");
    test_runtime.driver.stop(&stopped.name, Duration::ZERO, true, soon()).unwrap();
    // As if the machine went down: the driver did not stop them.
    for guard in [&before, &now] {
        let killed = Command::new("lxc-stop").args(["-k", "-n", guard.name.as_str()]).status().unwrap();
        assert!(killed.success());
    }
    let config = TestRuntime::lxc_path().join(before.name.as_str()).join("config");
    let text = fs::read_to_string(&config).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(boot.trim()), "{text}");
    fs::write(&config, text.replace(boot.trim(), other_boot)).unwrap();
    let ran = test_runtime.driver.ran_before_boot(soon()).unwrap();
    assert!(ran.contains(&before.name), "{ran:?}");
    for guard in [&now, &never, &stopped] {
        assert!(!ran.contains(&guard.name), "it stopped by itself, or was stopped");
    }
    test_runtime.driver.start(&before.name, soon().into()).unwrap();
    assert!(!test_runtime.driver.ran_before_boot(soon()).unwrap().contains(&before.name));
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn the_configuration_is_roots_alone_and_keeps_lines_that_are_not_ours() {
    let test_runtime = TestRuntime::classic();
    let guard = test_runtime.stopped();
    append(&guard, "# by hand\nlxc.environment = THEIRS=1");
    test_runtime.driver.set_env(&guard.name, &[set("TAOS_TOKEN", "x")], soon()).unwrap();
    let config = folder(&guard).join("config");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("# by hand\nlxc.environment = THEIRS=1\nlxc.environment = TAOS_TOKEN=x\n"), "{text}");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(folder(&guard)).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_container_cannot_lead_a_write_to_the_host() {
    let test_runtime = TestRuntime::classic();
    let (guard, host) = (test_runtime.running(), Folder::new());
    fs::write(host.0.join("token"), "host").unwrap();
    let trap = host.0.to_str().unwrap();
    test_runtime.says(
        &guard.name,
        &["sh", "-c", &format!("ln -s {trap} /run/taos; ln -s ../../../../../../{trap} /run/up; echo")],
    );
    test_runtime.says(&guard.name, &["sh", "-c", "ln -s /proc/1/root /run/magic; ln -s /etc/passwd /run/link; echo"]);
    for target in ["/run/taos/token", "/run/up/token", "/run/magic/etc/taosd-was-here", "/run/link"] {
        let _ = test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path(target), b"stolen"), soon());
    }
    assert_eq!(fs::read(host.0.join("token")).unwrap(), b"host");
    assert_eq!(fs::read_dir(&host.0).unwrap().count(), 1);
    assert!(!PathBuf::from("/etc/taosd-was-here").exists());
    assert_eq!(fs::read(guard.inside("/run/link")).unwrap(), b"stolen");
    assert!(fs::read_to_string(guard.inside("/etc/passwd")).unwrap().starts_with("root:"));
    test_runtime.driver.remove_file(&guard.name, &path("/run/up/token"), soon()).unwrap();
    assert!(host.0.join("token").exists());
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_rename_that_a_crash_cut_in_half_is_finished_by_the_start() {
    let test_runtime = TestRuntime::classic();
    let (old, new) = (test_runtime.stopped(), test_runtime.name());
    fs::rename(folder(&old), folder(&new)).unwrap();
    test_runtime.driver.start(&new.name, soon().into()).unwrap();
    assert_eq!(new.state().status, Status::Running);
    let text = fs::read_to_string(folder(&new).join("config")).unwrap();
    assert!(!text.contains(old.name.as_str()), "{text}");
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_copy_that_a_crash_left_behind_is_cleared() {
    let test_runtime = TestRuntime::classic();
    let guard = test_runtime.name();
    let left = TestRuntime::lxc_path().join(format!(".taosd-new-{}", guard.name));
    fs::create_dir_all(left.join("rootfs/half")).unwrap();
    assert_eq!(test_runtime.driver.get(&guard.name, soon()), Err(Error::NotFound(guard.name.to_string())));
    test_runtime.driver.create(&guard.name, &test_runtime.spec(), soon().into()).unwrap();
    assert!(!left.exists() && !folder(&guard).join("rootfs/half").exists());
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn one_that_will_not_stop_is_killed_only_if_asked() {
    let test_runtime = TestRuntime::classic();
    let guard = test_runtime.stopped();
    append(&guard, "lxc.signal.halt = SIGWINCH");
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let second = Duration::from_secs(1);
    let result = test_runtime.driver.stop(&guard.name, second, false, soon());
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    let began = Instant::now();
    let late = test_runtime.driver.stop(&guard.name, 30 * second, false, began + second / 2);
    assert_eq!(late, Err(Error::Deadline(Runtime::Lxc)));
    assert!(began.elapsed() < 10 * second);
    assert_eq!(guard.state().status, Status::Running);
    test_runtime.driver.stop(&guard.name, second, true, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_console_without_end_does_not_fill_the_hosts_disk() {
    let test_runtime = TestRuntime::classic();
    let guard = test_runtime.running();
    test_runtime.says(
        &guard.name,
        &[
            "sh",
            "-c",
            "busybox yes 0123456789012345678901234567890123456789 | busybox head -c 6000000 >/dev/console; echo",
        ],
    );
    let written = fs::metadata(folder(&guard).join("console.log")).unwrap().len();
    assert!(written <= 2 << 20, "{written}");
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_configuration_that_cannot_be_read_is_not_a_missing_container() {
    let test_runtime = TestRuntime::classic();
    let guard = test_runtime.name();
    fs::create_dir_all(folder(&guard).join("config")).unwrap();
    let result = test_runtime.driver.get(&guard.name, soon());
    fs::remove_dir_all(folder(&guard)).unwrap();
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn the_inside_address_is_opened_again_by_a_daemon_that_starts() {
    let mut test_runtime = TestRuntime::classic();
    let host = Folder::new();
    let socket = answering(&host, "back");
    let (name, ask) = (
        ContainerName::for_agent(&super::test_runtime::unique()).unwrap(),
        ["wget", "-q", "-O", "-", "http://127.0.0.1:6969/"],
    );
    test_runtime.driver.create(&name, &test_runtime.spec(), soon().into()).unwrap();
    test_runtime.driver.start(&name, soon().into()).unwrap();
    test_runtime.driver.ensure_proxy(&name, &socket, soon()).unwrap();
    assert_eq!(test_runtime.says(&name, &ask), "back");
    let next: Arc<dyn Driver> = Arc::new(TestRuntime::classic_driver());
    drop(std::mem::replace(&mut test_runtime.driver, next));
    let cut = test_runtime.exec(&name, &ask).status.success();
    test_runtime.driver.ensure_proxy(&name, &socket, soon()).unwrap();
    let after = test_runtime.says(&name, &ask);
    test_runtime.driver.stop(&name, Duration::ZERO, true, soon()).unwrap();
    test_runtime.driver.delete(&name, soon()).unwrap();
    assert_eq!((cut, after.as_str()), (false, "back"));
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn the_inside_address_is_opened_again_after_the_container_restarts_itself() {
    let test_runtime = TestRuntime::classic();
    let (guard, host) = (test_runtime.running(), Folder::new());
    let socket = answering(&host, "again");
    test_runtime.driver.ensure_proxy(&guard.name, &socket, soon()).unwrap();
    test_runtime.says(&guard.name, &["ip", "link"]);
    let first = guard.state().boot;
    test_runtime.exec(&guard.name, &["kill", "-TERM", "1"]);
    let end = soon();
    while {
        let state = guard.state();
        state.status != Status::Running || state.boot == first
    } {
        assert!(Instant::now() < end, "it did not come back as another run");
        std::thread::sleep(Duration::from_millis(50));
    }
    test_runtime.driver.ensure_proxy(&guard.name, &socket, soon()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &["wget", "-q", "-O", "-", "http://127.0.0.1:6969/"]), "again");
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_file_in_a_container_with_mapped_ids_belongs_to_its_own_root() {
    let mut test_runtime = TestRuntime::classic();
    test_runtime.image = ImageName::parse("bb-mapped").unwrap();
    let guard = test_runtime.stopped();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/etc/taos/before"), b"x"), soon()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let mut file = FileSpec::secret(path("/run/taos/token"), b"x");
    test_runtime.driver.write_file(&guard.name, &file, soon()).unwrap();
    for target in ["/run/taos", "/run/taos/token", "/etc/taos/before"] {
        assert_eq!(fs::metadata(guard.inside(target)).unwrap().uid(), 100_000, "{target}");
    }
    assert_eq!(test_runtime.says(&guard.name, &["cat", "/run/taos/token"]), "x");
    file.uid = 70_000;
    assert!(
        test_runtime.driver.write_file(&guard.name, &file, soon()).is_err(),
        "an id that the container does not have"
    );
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_container_with_mapped_ids_has_no_file_of_a_shared_folder_changed_that_it_may_not_change() {
    let mut test_runtime = TestRuntime::classic();
    test_runtime.image = ImageName::parse("bb-mapped").unwrap();
    let (guard, host) = (test_runtime.name(), Folder::new());
    fs::write(host.0.join("token"), "host").unwrap();
    fs::set_permissions(host.0.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut spec = test_runtime.spec();
    spec.mounts = vec![Mount { source: host.0.clone(), target: path("/mnt"), read_only: false }];
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &["sh", "-c", "ln -s /mnt /run/taos; ls /run; id >/mnt/mine"]), "taos\n");
    for target in ["/run/taos/token", "/run/taos/new", "/run/taos/folder/new"] {
        let written = test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path(target), b"x"), soon());
        let error = written.expect_err(target).to_string();
        assert!(error.contains("no user or group of the container"), "{error}");
    }
    assert!(test_runtime.driver.read_file(&guard.name, &path("/run/taos/token"), soon()).is_err());
    assert!(test_runtime.driver.remove_file(&guard.name, &path("/run/taos/token"), soon()).is_err());
    assert_eq!(fs::read(host.0.join("token")).unwrap(), b"host");
    assert_eq!(fs::read_dir(&host.0).unwrap().count(), 1);
    std::os::unix::fs::chown(&host.0, Some(100_000), Some(100_000)).unwrap();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/folder/new"), b"x"), soon()).unwrap();
    assert_eq!(fs::metadata(host.0.join("folder/new")).unwrap().uid(), 100_000);
}

#[test]
#[ignore = "needs classic LXC: bash .ci/lxd"]
fn a_container_with_thousands_of_addresses_is_listed_like_the_others() {
    let test_runtime = TestRuntime::classic();
    let (many, few) = (test_runtime.running(), test_runtime.running());
    test_runtime.says(&few.name, &["ip", "link"]);
    let cable = "link add e0 type veth peer name e1\nlink set e0 up\nlink set e1 up\n".to_owned();
    inside_network(few.pid(), &(cable.clone() + "addr add 172.17.0.1/16 dev e0\naddr add 192.168.9.7/24 dev e1\n"));
    let address = |n: u32| format!("addr add fd00:1234:5678:9abc:def0:1234:5678:{n:x}/64 dev e0 nodad\n");
    inside_network(many.pid(), &(0..4_000).map(address).fold(cable, |all, one| all + &one));
    let listed = test_runtime.driver.list(Detail::Full, soon()).unwrap();
    let state = |guard: &Guard<'_>| listed.iter().find(|state| state.name == guard.name).expect("it is listed");
    assert_eq!(state(&few).ip.as_deref(), Some("192.168.9.7"));
    assert_eq!(state(&many).status, Status::Running);
    assert!((1..2000).contains(&state(&many).addresses.len()), "{}", state(&many).addresses.len());
}

/// Runs many commands of the host's `ip` in the network name space of a process.
fn inside_network(pid: u32, commands: &str) {
    let file = Folder::new();
    fs::write(file.0.join("batch"), commands).unwrap();
    let network = format!("--net=/proc/{pid}/ns/net");
    let done = Command::new("nsenter").args([&network, "ip", "-batch"]).arg(file.0.join("batch")).status().unwrap();
    assert!(done.success());
}
