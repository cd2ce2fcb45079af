//! Every way in which the runtime's API can fail, and the driver's errors for them. Above all, no failure is taken for
//! "there is no such container" or for an empty list.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use taosd::containers::{
    Away, ContainerName, CreateSpec, Detail, Driver, EnvKey, Error, FileSpec, ImageName, IncusLxd, LogLimits, Runtime,
    SnapshotName,
};

use super::fake::{Answer, Fake};
use super::test_runtime::{Folder, path, set, soon};

const INSTANCE: &str = r#"{"name":"taos-agent-a","status":"Running","config":{},"devices":{},"state":{"pid":7}}"#;

fn name() -> ContainerName {
    ContainerName::for_agent("a").unwrap()
}

fn lxd(socket: &Path) -> IncusLxd {
    IncusLxd::new(Runtime::Lxd, socket)
}

pub type Call = (&'static str, Result<(), Error>);

/// Makes every call of a driver, each with its own deadline.
pub fn every_call(driver: &dyn Driver, deadline: impl Fn() -> Instant) -> Vec<Call> {
    let (name, to, key) = (name(), ContainerName::for_agent("b").unwrap(), EnvKey::parse("A").unwrap());
    let (snapshot, file) = (SnapshotName::parse("s").unwrap(), FileSpec::secret(path("/run/x"), b"x"));
    let spec = CreateSpec::new(ImageName::parse("bb").unwrap(), "id");
    let limits = LogLimits { lines: 1, bytes: 1 };
    vec![
        ("info", driver.info(deadline()).map(|_| ())),
        ("list", driver.list(Detail::Full, deadline()).map(|_| ())),
        ("get", driver.get(&name, deadline()).map(|_| ())),
        ("create", driver.create(&name, &spec, deadline().into())),
        ("start", driver.start(&name, deadline().into())),
        ("stop", driver.stop(&name, Duration::ZERO, true, deadline())),
        ("restart", driver.restart(&name, Duration::from_secs(1), false, deadline())),
        ("freeze", driver.freeze(&name, deadline())),
        ("unfreeze", driver.unfreeze(&name, deadline())),
        ("delete", driver.delete(&name, deadline())),
        ("rename", driver.rename(&name, &to, deadline())),
        ("snapshot", driver.snapshot(&name, &snapshot, deadline())),
        ("set_env", driver.set_env(&name, &[set("A", "secret-value")], deadline())),
        ("check_env", driver.check_env(&name, &key, &|_| true, deadline()).map(|_| ())),
        ("write_file", driver.write_file(&name, &file, deadline())),
        ("remove_file", driver.remove_file(&name, &file.path, deadline())),
        ("logs", driver.logs(&name, limits, deadline()).map(|_| ())),
        ("journal", driver.journal(&name, limits, deadline()).map(|_| ())),
        ("ensure_proxy", driver.ensure_proxy(&name, Path::new("/run/x.sock"), deadline())),
        ("remove_proxy", driver.remove_proxy(&name, deadline())),
    ]
}

pub fn all_are(calls: Vec<Call>, what: impl Fn(&Error) -> bool) {
    for (call, result) in calls {
        assert!(result.as_ref().is_err_and(&what), "{call}: {result:?}");
    }
}

#[test]
fn a_missing_socket_is_an_unavailable_runtime() {
    let folder = Folder::new();
    let calls = every_call(&lxd(&folder.0.join("none.sock")), soon);
    all_are(calls, |error| matches!(error, Error::RuntimeUnavailable { runtime: Runtime::Lxd, .. }));
}

#[test]
fn a_socket_where_nobody_listens_is_an_unavailable_runtime() {
    let folder = Folder::new();
    let socket = folder.0.join("dead.sock");
    drop(UnixListener::bind(&socket).unwrap());
    all_are(every_call(&lxd(&socket), soon), |error| matches!(error, Error::RuntimeUnavailable { .. }));
}

#[test]
fn a_runtime_that_hangs_costs_no_more_than_the_deadline() {
    let fake = Fake::new(|_| Answer::Hang);
    let began = Instant::now();
    let calls = every_call(&lxd(&fake.socket()), || Instant::now() + Duration::from_millis(60));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    all_are(calls, |error| *error == Error::Deadline(Runtime::Lxd));
}

#[test]
fn an_operation_that_hangs_costs_no_more_than_the_deadline() {
    let fake = Fake::new(|line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
        _ => Answer::Hang,
    });
    let result = lxd(&fake.socket()).start(&name(), (Instant::now() + Duration::from_millis(100)).into());
    assert_eq!(result, Err(Error::Deadline(Runtime::Lxd)));
}

#[test]
fn an_answer_cut_short_is_garbage() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"type\":\"sync\"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"typ\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\n{\"type\":\"error\"",
    ] {
        let fake = Fake::new(move |_| Answer::Raw(answer.to_vec()));
        all_are(every_call(&lxd(&fake.socket()), soon), |error| matches!(error, Error::InvalidResponse(_)));
    }
}

#[test]
fn an_answer_that_is_not_the_apis_is_garbage() {
    let answers: [fn() -> Answer; 6] = [
        || Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        || Answer::Body(200, "<html>".to_owned()),
        || Answer::Body(200, "[]".to_owned()),
        || Answer::Body(200, r#"{"type":"strange"}"#.to_owned()),
        || Answer::Body(404, "404 page not found".to_owned()),
        || Answer::Body(502, String::new()),
    ];
    for answer in answers {
        let fake = Fake::new(move |_| answer());
        // Left out are the calls about files, whose content may be anything. Such a write fails when it is read back.
        let calls = every_call(&lxd(&fake.socket()), soon);
        let calls = calls.into_iter().filter(|(call, _)| !matches!(*call, "write_file" | "remove_file" | "logs"));
        all_are(calls.collect(), |error| matches!(error, Error::InvalidResponse(_)));
    }
}

#[test]
fn a_failing_server_is_a_failure_with_its_message() {
    let fake = Fake::new(|_| Answer::error(500, "database is locked"));
    let calls = every_call(&lxd(&fake.socket()), soon);
    all_are(calls, |error| matches!(error, Error::Failed(message) if message.contains("database is locked")));
}

#[test]
fn a_list_without_end_is_garbage() {
    let fake = Fake::new(|_| Answer::Body(200, " ".repeat(9 * 1024 * 1024)));
    assert!(matches!(lxd(&fake.socket()).list(Detail::Full, soon()), Err(Error::InvalidResponse(_))));
}

#[test]
fn an_operation_that_fails_is_a_failure_unless_the_state_is_reached() {
    let status = r#"{"status_code":400,"err":"The instance is already running"}"#;
    for (state, good) in [("Running", true), ("Stopped", false)] {
        let fake = Fake::new(move |line| match line {
            "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
            "GET /1.0/operations/ab-12/wait?timeout=1" => Answer::sync(status),
            _ => Answer::sync(&INSTANCE.replace("Running", state)),
        });
        let result = lxd(&fake.socket()).start(&name(), soon().into());
        assert_eq!(result.is_ok(), good, "{result:?}");
        assert!(good || matches!(result, Err(Error::Failed(_))));
    }
}

#[test]
fn a_start_that_meets_the_end_of_the_last_run_is_tried_again() {
    let failed = r#"{"status_code":400,"err":"Failed to run: incusd forkstart taos-agent-a: exit status 1"}"#;
    for (failures, good) in [(2, true), (3, false)] {
        let starts = AtomicU32::new(0);
        let fake = Fake::new(move |line| match line {
            "PUT /1.0/instances/taos-agent-a/state" => {
                starts.fetch_add(1, Ordering::Relaxed);
                Answer::operation()
            }
            "GET /1.0/operations/ab-12/wait?timeout=1" if starts.load(Ordering::Relaxed) <= failures => {
                Answer::sync(failed)
            }
            "GET /1.0/operations/ab-12/wait?timeout=1" => Answer::sync(r#"{"status_code":200}"#),
            _ => Answer::sync(&INSTANCE.replace("Running", "Stopped")),
        });
        let later = Instant::now() + Duration::from_secs(20);
        let result = lxd(&fake.socket()).start(&name(), later.into());
        assert_eq!(result.is_ok(), good, "{failures} failures: {result:?}");
        assert_eq!(fake.requests().iter().filter(|request| request.starts_with("PUT ")).count(), 3);
    }
}

#[test]
fn a_container_that_goes_down_when_its_grace_ends_is_given_time_to_be_tidied_up() {
    let stops = AtomicU32::new(0);
    let fake = Fake::new(move |line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => {
            stops.fetch_add(1, Ordering::Relaxed);
            Answer::operation()
        }
        "GET /1.0/operations/ab-12/wait?timeout=1" if stops.load(Ordering::Relaxed) == 1 => {
            Answer::sync(r#"{"status_code":400,"err":"Failed shutting down instance: context deadline exceeded"}"#)
        }
        "GET /1.0/operations/ab-12/wait?timeout=1" => {
            Answer::sync(r#"{"status_code":400,"err":"The instance is already stopped"}"#)
        }
        _ if stops.load(Ordering::Relaxed) == 2 => Answer::sync(&INSTANCE.replace("Running", "Stopped")),
        _ => Answer::sync(INSTANCE),
    });
    let began = Instant::now();
    let result = lxd(&fake.socket()).stop(&name(), Duration::from_secs(1), true, began + Duration::from_secs(20));
    assert!(result.is_ok(), "{result:?}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_container_that_goes_down_before_it_is_asked_to_is_given_that_time_too() {
    let stops = AtomicU32::new(0);
    let fake = Fake::new(move |line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => {
            stops.fetch_add(1, Ordering::Relaxed);
            Answer::operation()
        }
        "GET /1.0/operations/ab-12/wait?timeout=1" => {
            Answer::sync(r#"{"status_code":400,"err":"The instance is already stopped"}"#)
        }
        _ if stops.load(Ordering::Relaxed) == 1 => Answer::sync(&INSTANCE.replace("Running", "Stopped")),
        _ => Answer::sync(INSTANCE),
    });
    let began = Instant::now();
    let result = lxd(&fake.socket()).stop(&name(), Duration::from_secs(10), true, began + Duration::from_secs(20));
    assert!(result.is_ok(), "{result:?}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_forgotten_operation_is_not_a_missing_container() {
    let fake = Fake::new(|line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
        _ => Answer::error(404, "not found"),
    });
    assert!(matches!(lxd(&fake.socket()).start(&name(), soon().into()), Err(Error::InvalidResponse(_))));
}

#[test]
fn an_operation_that_is_not_one_is_never_followed() {
    for place in ["", "/1.0/instances/x", "/1.0/operations/", "/1.0/operations/../instances/x", "http://elsewhere/"] {
        let fake = Fake::new(move |_| Answer::Body(202, format!(r#"{{"type":"async","operation":"{place}"}}"#)));
        assert!(matches!(lxd(&fake.socket()).freeze(&name(), soon()), Err(Error::InvalidResponse(_))), "{place}");
        assert_eq!(fake.requests().len(), 1, "{place}");
    }
}

#[test]
fn a_container_that_vanishes_between_list_and_set_is_not_found() {
    let gone = AtomicBool::new(false);
    let fake = Fake::new(move |line| match line {
        "GET /1.0/instances?recursion=2" => {
            gone.store(true, Ordering::Relaxed);
            Answer::sync(&format!("[{INSTANCE}]"))
        }
        _ if gone.load(Ordering::Relaxed) => Answer::error(404, "Instance not found"),
        _ => Answer::error(500, "asked before the list"),
    });
    let driver = lxd(&fake.socket());
    let listed = driver.list(Detail::Full, soon()).unwrap();
    assert_eq!(listed[0].name, name());
    assert_eq!(driver.set_env(&name(), &[set("A", "1")], soon()), Err(Error::NotFound(name().to_string())));
}

#[test]
fn a_missing_profile_or_image_is_not_a_missing_container() {
    let fake = Fake::new(|_| Answer::error(404, "not found"));
    let mut spec = CreateSpec::new(ImageName::parse("bb").unwrap(), "id");
    let error = lxd(&fake.socket()).create(&name(), &spec, soon().into());
    assert!(matches!(error, Err(Error::Refused(_))), "not even the list of images is there: {error:?}");
    let fake = Fake::new(|line| match line {
        "GET /1.0/images/aliases/bb" => Answer::sync(r#"{"target":"abc"}"#),
        _ => Answer::error(404, "not found"),
    });
    spec.root_bytes = Some(1 << 30);
    assert!(matches!(lxd(&fake.socket()).create(&name(), &spec, soon().into()), Err(Error::Refused(_))));
}

#[test]
fn a_write_that_leaves_an_empty_file_is_noticed() {
    let fake = Fake::new(|line| match line {
        line if line.starts_with("GET /1.0/instances/taos-agent-a/files") => Answer::Raw(
            b"HTTP/1.1 200 OK\r\nX-LXD-type: file\r\nX-LXD-mode: 0400\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        _ => Answer::sync("{}"),
    });
    let result = lxd(&fake.socket()).write_file(&name(), &FileSpec::secret(path("/run/x"), b"token"), soon());
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
}

#[test]
fn a_message_that_quotes_the_secret_is_redacted() {
    let fake = Fake::new(|line| match line {
        "GET /1.0/images/aliases/bb" => Answer::sync(r#"{"target":"abc"}"#),
        line if line.starts_with("GET") => Answer::error(404, "Instance not found"),
        _ => Answer::error(400, "bad value taos_agent_hunter2 for environment.TAOS_TOKEN"),
    });
    let change = set("TAOS_TOKEN", "taos_agent_hunter2");
    let mut spec = CreateSpec::new(ImageName::parse("bb").unwrap(), "id");
    spec.env = vec![(change.key.clone(), change.value.clone().unwrap())];
    let errors = [
        lxd(&fake.socket()).set_env(&name(), &[change], soon()),
        lxd(&fake.socket()).create(&name(), &spec, soon().into()),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(!error.to_string().contains("hunter2") && error.to_string().contains("[redacted]"), "{error}");
    }
}

#[test]
fn a_message_without_end_is_cut_and_carries_no_terminal_codes() {
    let fake = Fake::new(|_| Answer::error(500, &format!("\\u001b[31m{}", "long ".repeat(10_000))));
    let error = lxd(&fake.socket()).list(Detail::Full, soon()).unwrap_err().to_string();
    assert!(error.len() < 600 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn a_change_by_somebody_else_is_not_overwritten() {
    let tries = AtomicU32::new(0);
    let fake = Fake::new(move |line| match line {
        "PUT /1.0/instances/taos-agent-a" if tries.fetch_add(1, Ordering::Relaxed) == 0 => Answer::error(412, "ETag"),
        _ => Answer::sync(INSTANCE),
    });
    lxd(&fake.socket()).ensure_proxy(&name(), Path::new("/run/x.sock"), soon()).unwrap();
    let requests = fake.requests();
    let puts: Vec<&String> = requests.iter().filter(|request| request.starts_with("PUT")).collect();
    assert_eq!((puts.len(), requests.len()), (2, 4), "each try reads anew");
    assert!(puts.iter().all(|put| put.to_lowercase().contains("if-match: \"e1\"")), "{puts:?}");
}

#[test]
fn a_busy_container_is_tried_again_until_the_deadline() {
    let tries = AtomicU32::new(0);
    let busy = r#"{"status_code":400,"err":"Instance is busy running a \"stop\" operation"}"#;
    let fake = Fake::new(move |line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
        "GET /1.0/operations/ab-12/wait?timeout=1" if tries.fetch_add(1, Ordering::Relaxed) < 2 => Answer::sync(busy),
        "GET /1.0/operations/ab-12/wait?timeout=1" => Answer::sync(r#"{"status_code":200}"#),
        _ => Answer::sync(INSTANCE),
    });
    lxd(&fake.socket()).start(&name(), soon().into()).unwrap();
}

#[test]
fn incus_gets_its_own_headers() {
    let fake = Fake::new(|line| match line {
        line if line.starts_with("GET") => Answer::Raw(
            b"HTTP/1.1 200 OK\r\nX-Incus-type: file\r\nX-Incus-mode: 0400\r\nContent-Length: 1\r\n\r\nx".to_vec(),
        ),
        _ => Answer::sync("{}"),
    });
    let driver = IncusLxd::new(Runtime::Incus, &fake.socket());
    driver.write_file(&name(), &FileSpec::secret(path("/run/x"), b"x"), soon()).unwrap();
    let first = fake.requests()[0].to_lowercase();
    for header in ["x-incus-mode: 0400", "x-incus-type: file", "x-incus-uid: 0", "application/octet-stream"] {
        assert!(first.contains(header), "{header} in {first}");
    }
}

#[test]
fn a_list_is_one_request_and_leaves_out_names_that_are_not_ours_to_write() {
    let odd = INSTANCE.replace("taos-agent-a", "Über/../x");
    let fake = Fake::new(move |_| Answer::sync(&format!("[{INSTANCE},{odd}]")));
    assert_eq!(lxd(&fake.socket()).list(Detail::Full, soon()).unwrap().len(), 1);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn an_image_that_is_not_there_is_refused_with_those_that_are() {
    let fake = Fake::new(|line| match line {
        "GET /1.0/images/aliases" => {
            Answer::sync(r#"["/1.0/images/aliases/noble","/1.0/images/aliases/debian%2F12","/elsewhere/x"]"#)
        }
        _ => Answer::error(404, "not found"),
    });
    let spec = CreateSpec::new(ImageName::parse("bb").unwrap(), "id");
    let error = lxd(&fake.socket()).create(&name(), &spec, soon().into());
    let known = vec!["debian/12".to_owned(), "noble".to_owned()];
    assert_eq!(error, Err(Error::NoImage { image: "bb".to_owned(), known }));
}

#[test]
fn each_way_of_being_away_is_told_from_the_others() {
    let folder = Folder::new();
    let (absent, dead) = (folder.0.join("none.sock"), folder.0.join("dead.sock"));
    drop(UnixListener::bind(&dead).unwrap());
    for (socket, way) in [(&absent, Away::Absent), (&dead, Away::Refusing)] {
        let error = lxd(socket).info(soon());
        assert!(matches!(&error, Err(Error::RuntimeUnavailable { away, .. }) if *away == way), "{way:?}: {error:?}");
    }
}
