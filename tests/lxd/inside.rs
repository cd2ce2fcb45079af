//! The promises of every driver about the inside of a container: environment, files, mounts and the way to the daemon.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use taosd::containers::{EnvKey, EnvState, FileSpec, Mount};

use super::test_runtime::{Folder, TestRuntime, path, set, soon, unique, unset};

on_both! {
    variables_are_set_and_removed_together
    variables_set_at_the_same_time_all_arrive
    a_running_process_keeps_its_environment_until_a_restart
    a_file_arrives_with_its_content_mode_and_folders
    a_file_replaces_one_of_another_mode
    a_file_can_be_written_before_the_first_start
    removing_a_file_is_safe_to_repeat
    a_file_is_read_if_it_is_one
    the_inside_address_leads_to_the_socket
    a_read_only_mount_cannot_be_written
    no_secret_is_ever_in_a_process_list
}

fn variables_are_set_and_removed_together(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    let check = |key: &str, value: &str| {
        test_runtime.driver.check_env(&guard.name, &EnvKey::parse(key).unwrap(), &|v| v == value, soon()).unwrap()
    };
    test_runtime
        .driver
        .set_env(&guard.name, &[set("TAOS_TOKEN", "one"), set("TAOS_URL", "u=\"v\" # w")], soon())
        .unwrap();
    assert_eq!((check("TAOS_TOKEN", "one"), check("TAOS_URL", "u=\"v\" # w")), (EnvState::Matches, EnvState::Matches));
    test_runtime
        .driver
        .set_env(&guard.name, &[set("TAOS_TOKEN", "two"), unset("TAOS_URL"), unset("NONE")], soon())
        .unwrap();
    assert_eq!((check("TAOS_TOKEN", "one"), check("TAOS_URL", "")), (EnvState::Differs, EnvState::Absent));
    assert_eq!(check("TAOS_TOKEN", "two"), EnvState::Matches);
}

fn variables_set_at_the_same_time_all_arrive(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    let keys: Vec<String> = (0..8).map(|n| format!("KEY_{n}")).collect();
    thread::scope(|scope| {
        for key in &keys {
            scope.spawn(|| test_runtime.driver.set_env(&guard.name, &[set(key, "here")], soon()).unwrap());
        }
    });
    for key in &keys {
        let state = test_runtime.driver.check_env(&guard.name, &EnvKey::parse(key).unwrap(), &|v| v == "here", soon());
        assert_eq!(state, Ok(EnvState::Matches), "{key}");
    }
}

fn a_running_process_keeps_its_environment_until_a_restart(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let odd = "x = \"y\" # z";
    test_runtime.driver.set_env(&guard.name, &[set("TAOS_TOKEN", odd)], soon()).unwrap();
    assert!(!guard.environment().iter().any(|pair| pair.starts_with("TAOS_TOKEN=")));
    test_runtime.driver.restart(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert!(guard.environment().contains(&format!("TAOS_TOKEN={odd}")));
}

fn a_file_arrives_with_its_content_mode_and_folders(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let before = fs::metadata(guard.inside("/run")).unwrap().mode();
    test_runtime
        .driver
        .write_file(&guard.name, &FileSpec::secret(path("/run/taos/sub/token"), b"first"), soon())
        .unwrap();
    let file = guard.inside("/run/taos/sub/token");
    assert_eq!(fs::read(&file).unwrap(), b"first");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(fs::metadata(guard.inside("/run/taos")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(guard.inside("/run")).unwrap().mode(), before);
    assert_eq!(test_runtime.says(&guard.name, &["stat", "-c", "%u:%g %a", "/run/taos/sub/token"]), "0:0 400\n");

    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/sub/token"), b"2"), soon()).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"2");
    let mut odd = FileSpec::secret(path("/run/taos/odd name &%"), b"\0\xff\n");
    (odd.mode, odd.uid, odd.gid) = (0o640, 1000, 1001);
    test_runtime.driver.write_file(&guard.name, &odd, soon()).unwrap();
    assert_eq!(
        test_runtime.says(&guard.name, &["stat", "-c", "%u:%g %a %s", "/run/taos/odd name &%"]),
        "1000:1001 640 3\n"
    );
}

fn a_file_replaces_one_of_another_mode(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let mut file = FileSpec::secret(path("/run/token"), b"old and open");
    file.mode = 0o666;
    test_runtime.driver.write_file(&guard.name, &file, soon()).unwrap();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/token"), b"new"), soon()).unwrap();
    let there = guard.inside("/run/token");
    assert_eq!((fs::read(&there).unwrap(), fs::metadata(&there).unwrap().mode() & 0o777), (b"new".to_vec(), 0o400));
}

fn a_file_can_be_written_before_the_first_start(test_runtime: &TestRuntime) {
    let guard = test_runtime.stopped();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/etc/taos/agent.toml"), b"x"), soon()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &["cat", "/etc/taos/agent.toml"]), "x");
}

fn removing_a_file_is_safe_to_repeat(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/token"), b"x"), soon()).unwrap();
    for _ in 0..2 {
        test_runtime.driver.remove_file(&guard.name, &path("/run/taos/token"), soon()).unwrap();
        assert!(!guard.inside("/run/taos/token").exists());
    }
    test_runtime.driver.remove_file(&guard.name, &path("/no/such/folder/file"), soon()).unwrap();
}

fn a_file_is_read_if_it_is_one(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let read = |place: &str| test_runtime.driver.read_file(&guard.name, &path(place), soon()).unwrap();
    test_runtime.driver.write_file(&guard.name, &FileSpec::secret(path("/run/taos/token"), b"x"), soon()).unwrap();
    assert_eq!(read("/run/taos/token").as_deref(), Some(b"x".as_slice()));
    for place in ["/run/taos", "/run/taos/none", "/no/such/folder/file"] {
        assert_eq!(read(place), None, "{place}");
    }
}

/// Makes a socket that replies to every connection with `text`. Returns its path.
pub fn answering(folder: &Folder, text: &'static str) -> std::path::PathBuf {
    let path = folder.0.join(format!("{text}.sock"));
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        }
    });
    path
}

fn the_inside_address_leads_to_the_socket(test_runtime: &TestRuntime) {
    let (folder, guard) = (Folder::new(), test_runtime.name());
    let (one, two) = (answering(&folder, "one"), answering(&folder, "two"));
    let mut spec = test_runtime.spec();
    spec.proxy_socket = Some(one.clone());
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    let ask = ["wget", "-q", "-O", "-", "http://127.0.0.1:6969/"];
    assert_eq!(test_runtime.says(&guard.name, &ask), "one");
    test_runtime.driver.ensure_proxy(&guard.name, &one, soon()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &ask), "one");

    test_runtime.driver.ensure_proxy(&guard.name, &two, soon()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &ask), "two");
    test_runtime.driver.restart(&guard.name, Duration::ZERO, true, soon()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &ask), "two");
    for _ in 0..2 {
        test_runtime.driver.remove_proxy(&guard.name, soon()).unwrap();
    }
    assert!(!test_runtime.exec(&guard.name, &ask).status.success());
}

fn a_read_only_mount_cannot_be_written(test_runtime: &TestRuntime) {
    let (folder, guard) = (Folder::new(), test_runtime.name());
    fs::write(folder.0.join("given"), "given").unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    let mut spec = test_runtime.spec();
    spec.mounts = [("/mnt/ro only", true), ("/mnt/rw", false)]
        .map(|(target, read_only)| Mount { source: folder.0.clone(), target: path(target), read_only })
        .to_vec();
    test_runtime.driver.create(&guard.name, &spec, soon().into()).unwrap();
    test_runtime.driver.start(&guard.name, soon().into()).unwrap();
    assert_eq!(test_runtime.says(&guard.name, &["cat", "/mnt/ro only/given"]), "given");
    assert!(!test_runtime.exec(&guard.name, &["sh", "-c", "echo x >'/mnt/ro only/new'"]).status.success());
    assert!(test_runtime.exec(&guard.name, &["sh", "-c", "echo x >/mnt/rw/new"]).status.success());
    assert!(folder.0.join("new").exists());
}

fn no_secret_is_ever_in_a_process_list(test_runtime: &TestRuntime) {
    let guard = test_runtime.running();
    let secret = format!("taos_agent_{}", unique());
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = false;
            while !done.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                    seen |= String::from_utf8_lossy(&line).contains(&secret);
                }
            }
            seen
        });
        let file = FileSpec::secret(path("/run/taos/token"), secret.as_bytes());
        for _ in 0..3 {
            test_runtime.driver.set_env(&guard.name, &[set("TAOS_TOKEN", &secret)], soon()).unwrap();
            test_runtime.driver.write_file(&guard.name, &file, soon()).unwrap();
            test_runtime.driver.restart(&guard.name, Duration::ZERO, true, soon()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(!seen);
}
