//! The promises of every driver about a container's lifecycle, on each real runtime.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use taosd::containers::{
    ContainerName, Detail, EnvKey, EnvValue, Error, FileSpec, ImageName, LogLimits, SnapshotName, Status,
};

use super::test_runtime::{TestRuntime, path, set, soon, unique};

on_both! {
    a_new_container_is_stopped_and_says_what_it_is_made_of
    a_name_that_is_taken_is_refused
    an_unknown_image_is_refused_and_leaves_nothing
    start_and_stop_are_safe_to_repeat
    a_clean_stop_lets_the_container_say_goodbye
    a_frozen_container_can_be_started_and_stopped
    freezing_what_does_not_run_is_refused
    the_runs_of_a_container_are_told_apart
    the_console_log_is_read_from_its_end
    a_renamed_container_keeps_its_owner_and_starts
    only_a_stopped_container_can_be_renamed_or_deleted
    a_snapshot_is_kept_once_and_goes_with_its_container
    no_such_container_is_said_by_every_call
    the_memory_limit_holds
}

fn a_new_container_is_stopped_and_says_what_it_is_made_of(test_runtime: &TestRuntime) {
    let guard = test_runtime.name();
    let mut spec = test_runtime.spec();
    (spec.memory_bytes, spec.cpus) = (Some(64 << 20), Some(1));
    spec.env = vec![(EnvKey::parse("TAOS_URL").unwrap(), EnvValue::parse("http://127.0.0.1:6969").unwrap())];
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();

    let state = guard.state();
    assert_eq!((state.status, state.owner.as_deref(), &state.boot), (Status::Stopped, Some("agent-1"), &None));
    assert_eq!((state.memory_limit_mb, state.cpu_cores, state.ip.as_deref()), (Some(64), Some(1), None));
    let listed =
        test_runtime.driver.list(Detail::Full, soon()).unwrap().into_iter().find(|other| other.name == guard.name);
    assert_eq!(listed.as_ref(), Some(&state));
    let brief =
        test_runtime.driver.list(Detail::Brief, soon()).unwrap().into_iter().find(|other| other.name == guard.name);
    assert_eq!(brief, Some(state), "there is no more to say of a stopped one");

    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert!(guard.environment().contains(&"TAOS_URL=http://127.0.0.1:6969".to_owned()));
    assert!(guard.state().memory_mb.is_some());
}

fn a_name_that_is_taken_is_refused(test_runtime: &TestRuntime) {
    let (guard, other) = (test_runtime.stopped(), test_runtime.stopped());
    let taken = |name: &ContainerName| Err(Error::AlreadyExists(name.to_string()));
    assert_eq!(test_runtime.driver.create(&guard.name, &test_runtime.spec(), soon().into()), taken(&guard.name));
    assert_eq!(test_runtime.driver.rename(&guard.name, &other.name, soon()), taken(&other.name));
    assert_eq!(guard.state().status, Status::Stopped);
}

fn an_unknown_image_is_refused_and_leaves_nothing(test_runtime: &TestRuntime) {
    let guard = test_runtime.name();
    let mut spec = test_runtime.spec();
    spec.image = ImageName::parse("no/such-image").unwrap();
    let error = test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap_err();
    let known = |known: &Vec<String>| known.iter().any(|image| image == test_runtime.image.as_str());
    assert!(matches!(&error, Error::NoImage { known: images, .. } if known(images)), "{error:?}");
    assert_eq!(test_runtime.driver.get(&guard.name, soon()), Err(Error::NotFound(guard.name.to_string())));
}

fn start_and_stop_are_safe_to_repeat(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    for _ in 0..2 {
        test_runtime.driver.start(&guard.name, soon().into()).unwrap();
        assert_eq!(guard.state().status, Status::Running);
    }
    for _ in 0..2 {
        test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
        assert_eq!(guard.state().status, Status::Stopped);
    }
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
}

fn a_clean_stop_lets_the_container_say_goodbye(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    test_runtime.says(&guard.name, &["ip", "link"]);
    test_runtime.driver.stop(&guard.name, Duration::from_secs(20), false, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
    // The runtime writes the console log with a delay.
    let end = soon();
    loop {
        let logs = test_runtime.driver.logs(&guard.name, LogLimits { lines: 100, bytes: 10_000 }, soon()).unwrap();
        if logs.text.contains("bb is going down") {
            break;
        }
        assert!(Instant::now() < end, "{}", logs.text);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn a_frozen_container_can_be_started_and_stopped(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    for _ in 0..2 {
        test_runtime.driver.freeze(&guard.name, soon()).unwrap();
        assert_eq!(guard.state().status, Status::Frozen);
    }
    for _ in 0..2 {
        test_runtime.driver.unfreeze(&guard.name, soon()).unwrap();
        assert_eq!(guard.state().status, Status::Running);
    }
    test_runtime.driver.freeze(&guard.name, soon()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert_eq!(guard.state().status, Status::Running);
    test_runtime.driver.freeze(&guard.name, soon()).unwrap();
    test_runtime.driver.stop(&guard.name, Duration::from_secs(20), true, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    test_runtime.driver.freeze(&guard.name, soon()).unwrap();
    test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_eq!(guard.state().status, Status::Stopped);
}

fn freezing_what_does_not_run_is_refused(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    for result in [test_runtime.driver.freeze(&guard.name, soon()), test_runtime.driver.unfreeze(&guard.name, soon())] {
        assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
    }
}

fn the_runs_of_a_container_are_told_apart(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let first = guard.state().boot;
    assert!(first.is_some());
    test_runtime.driver.set_env(&guard.name, &[set("A", "1")], soon()).unwrap();
    assert_eq!(guard.state().boot, first);
    test_runtime.driver.restart(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_ne!(guard.state().boot, first);
    test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_eq!(guard.state().boot, None);
}

fn the_console_log_is_read_from_its_end(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    let limits = LogLimits { lines: 100, bytes: 10_000 };
    assert_eq!(test_runtime.driver.logs(&guard.name, limits, soon()).unwrap().text, "");
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let told = |text: &str| loop {
        let logs = test_runtime.driver.logs(&guard.name, limits, soon()).unwrap();
        if logs.text.contains(text) {
            break logs;
        }
        thread::sleep(Duration::from_millis(20));
    };
    // The container counts as started before its init has written everything.
    told("bb has booted\n");
    test_runtime.says(&guard.name, &["sh", "-c", "for i in 1 2 3; do echo line $i >/dev/console; done; echo done"]);
    let logs = told("line 3\n");
    assert!(logs.text.contains("bb has booted\n") && !logs.truncated, "{}", logs.text);
    assert_eq!(test_runtime.driver.logs(&guard.name, limits, soon()).unwrap(), logs, "reading takes nothing away");
    let logs = test_runtime.driver.logs(&guard.name, LogLimits { lines: 2, bytes: 10_000 }, soon()).unwrap();
    assert_eq!((logs.text.as_str(), logs.lines, logs.truncated), ("line 2\nline 3\n", 2, true));
    let logs = test_runtime.driver.logs(&guard.name, LogLimits { lines: 100, bytes: 10 }, soon()).unwrap();
    assert_eq!((logs.text.as_str(), logs.lines, logs.truncated), ("line 3\n", 1, true));
}

fn a_renamed_container_keeps_its_owner_and_starts(test_runtime: &TestRuntime) {
    let old = test_runtime.stopped();
    let mut new = test_runtime.name();
    new.name = ContainerName::archived(&format!("abcdefgh{}", unique())).unwrap();
    test_runtime.driver.rename(&old.name, &new.name, soon()).unwrap();
    assert_eq!(test_runtime.driver.get(&old.name, soon()), Err(Error::NotFound(old.name.to_string())));
    assert_eq!(new.state().owner.as_deref(), Some("agent-1"));
    test_runtime.driver.start(&new.name, soon().into()).unwrap();
    assert_eq!(new.state().status, Status::Running);
    assert_eq!(test_runtime.says(&new.name, &["cat", "/proc/sys/kernel/hostname"]).trim(), new.name.as_str());
}

fn only_a_stopped_container_can_be_renamed_or_deleted(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let to = ContainerName::for_agent(&unique()).unwrap();
    for result in
        [test_runtime.driver.rename(&guard.name, &to, soon()), test_runtime.driver.delete(&guard.name, soon())]
    {
        assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
    }
    assert_eq!(guard.state().status, Status::Running);
    test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    test_runtime.driver.delete(&guard.name, soon()).unwrap();
    assert_eq!(test_runtime.driver.delete(&guard.name, soon()), Err(Error::NotFound(guard.name.to_string())));
}

fn a_snapshot_is_kept_once_and_goes_with_its_container(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    let snapshot = SnapshotName::parse("archive-1").unwrap();
    test_runtime.driver.snapshot(&guard.name, &snapshot, soon()).unwrap();
    let again = test_runtime.driver.snapshot(&guard.name, &snapshot, soon());
    assert_eq!(again, Err(Error::AlreadyExists("archive-1".to_owned())));
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    test_runtime.driver.stop(&guard.name, Duration::ZERO, true, soon()).unwrap();
    test_runtime.driver.delete(&guard.name, soon()).unwrap();
    test_runtime.driver.create(&guard.name, &test_runtime.spec(), soon().into()).unwrap();
    test_runtime.driver.snapshot(&guard.name, &snapshot, soon()).unwrap();
}

fn no_such_container_is_said_by_every_call(test_runtime: &TestRuntime) {
    let (driver, name) = (&test_runtime.driver, ContainerName::for_agent(&unique()).unwrap());
    let (to, key) = (ContainerName::for_agent(&unique()).unwrap(), EnvKey::parse("A").unwrap());
    let (snapshot, file) = (SnapshotName::parse("s").unwrap(), FileSpec::secret(path("/run/x"), b"x"));
    let limits = LogLimits { lines: 1, bytes: 1 };
    let results: Vec<(&str, Result<(), Error>)> = vec![
        ("get", driver.get(&name, soon()).map(|_| ())),
        ("start", driver.start(&name, soon().into())),
        ("stop", driver.stop(&name, Duration::ZERO, true, soon())),
        ("restart", driver.restart(&name, Duration::ZERO, true, soon())),
        ("freeze", driver.freeze(&name, soon())),
        ("unfreeze", driver.unfreeze(&name, soon())),
        ("delete", driver.delete(&name, soon())),
        ("rename", driver.rename(&name, &to, soon())),
        ("snapshot", driver.snapshot(&name, &snapshot, soon())),
        ("set_env", driver.set_env(&name, &[set("A", "1")], soon())),
        ("check_env", driver.check_env(&name, &key, &|_| true, soon()).map(|_| ())),
        ("write_file", driver.write_file(&name, &file, soon())),
        ("remove_file", driver.remove_file(&name, &file.path, soon())),
        ("logs", driver.logs(&name, limits, soon()).map(|_| ())),
        ("journal", driver.journal(&name, limits, soon()).map(|_| ())),
        ("ensure_proxy", driver.ensure_proxy(&name, Path::new("/run/x.sock"), soon())),
        ("remove_proxy", driver.remove_proxy(&name, soon())),
    ];
    for (call, result) in results {
        assert_eq!(result, Err(Error::NotFound(name.to_string())), "{call}");
    }
    assert!(!driver.list(Detail::Full, soon()).unwrap().iter().any(|state| state.name == name));
}

fn the_memory_limit_holds(test_runtime: &TestRuntime) {
    let guard = test_runtime.name();
    let mut spec = test_runtime.spec();
    spec.memory_bytes = Some(48 << 20);
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", guard.pid())).unwrap();
    let group = |mark: &str| groups.lines().find_map(|line| line.split_once(mark).map(|(_, path)| path.to_owned()));
    let limit = match group(":memory:") {
        Some(path) => fs::read_to_string(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")),
        None => fs::read_to_string(format!("/sys/fs/cgroup{}/memory.max", group("0::").unwrap())),
    };
    assert_eq!(limit.unwrap().trim(), (48 << 20).to_string());
}
