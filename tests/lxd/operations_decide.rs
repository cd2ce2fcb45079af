//! Only the runtime's operation itself decides whether it succeeded: not a wait that failed, took too long or was cut
//! off, and not a deadline that passes. The fake replies to waits as LXD and as Incus do.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use taosd::containers::{ContainerName, CreateSpec, Driver, Error, ImageName, IncusLxd, Runtime};

use super::fake::{Answer, Fake};
use super::test_runtime::soon;

const WAIT: &str = "GET /1.0/operations/ab-12/wait?timeout=1";
const OPERATION: &str = "GET /1.0/operations/ab-12";
const STATE: &str = "PUT /1.0/instances/taos-agent-a/state";
const GOES_ON: &str = r#"{"status_code":103}"#;
const GOOD: &str = r#"{"status_code":200}"#;
const BAD: &str = r#"{"status_code":400,"err":"no room"}"#;

fn name() -> ContainerName {
    ContainerName::for_agent("a").unwrap()
}

fn incus(socket: &Path) -> IncusLxd {
    IncusLxd::new(Runtime::Incus, socket)
}

fn stopped() -> Answer {
    Answer::sync(r#"{"name":"taos-agent-a","status":"Stopped","config":{},"devices":{}}"#)
}

/// Starts a container on a runtime that replies to waits with `wait`, and where the operation ends after `looks` looks.
fn start(wait: Answer, looks: u32, end: &'static str) -> Result<(), Error> {
    let seen = AtomicU32::new(0);
    let fake = Fake::new(move |line| match line {
        STATE => Answer::operation(),
        WAIT => wait.clone(),
        OPERATION if seen.fetch_add(1, Ordering::SeqCst) < looks => Answer::sync(GOES_ON),
        OPERATION => Answer::sync(end),
        _ => stopped(),
    });
    incus(&fake.socket()).start(&name(), soon().into())
}

/// Every reply to a wait that does not tell the outcome.
fn waits_that_say_nothing() -> Vec<Answer> {
    vec![
        Answer::late_error(500, "context deadline exceeded"),
        Answer::late_error(404, "not found"),
        Answer::error(500, "database is locked"),
        Answer::error(404, "not found"),
        Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"type\"".to_vec()),
        Answer::Raw(Vec::new()),
    ]
}

#[test]
fn an_operation_slower_than_a_wait_succeeds() {
    for wait in waits_that_say_nothing() {
        assert_eq!(start(wait, 3, GOOD), Ok(()));
    }
}

#[test]
fn an_operation_that_fails_fails_by_its_own_word() {
    for wait in waits_that_say_nothing().into_iter().chain([Answer::late_error(400, "no room")]) {
        let result = start(wait, 1, BAD);
        assert!(matches!(&result, Err(Error::Failed(message)) if message.contains("no room")), "{result:?}");
    }
}

#[test]
fn only_a_404_of_the_operation_itself_means_that_it_is_forgotten() {
    let fake = Fake::new(|line| match line {
        STATE => Answer::operation(),
        WAIT => Answer::late_error(500, "context deadline exceeded"),
        OPERATION => Answer::error(404, "not found"),
        _ => stopped(),
    });
    assert!(matches!(incus(&fake.socket()).start(&name(), soon().into()), Err(Error::InvalidResponse(_))));
}

#[test]
fn an_operation_that_ends_well_while_it_is_cancelled_has_ended_well() {
    let cancelled = AtomicBool::new(false);
    let fake = Fake::new(move |line| match line {
        STATE => Answer::operation(),
        "DELETE /1.0/operations/ab-12" => {
            cancelled.store(true, Ordering::SeqCst);
            Answer::error(400, "This operation can't be cancelled")
        }
        OPERATION if cancelled.load(Ordering::SeqCst) => Answer::sync(GOOD),
        OPERATION => Answer::sync(GOES_ON),
        _ => Answer::late_error(500, "context deadline exceeded"),
    });
    let deadline = Instant::now() + Duration::from_millis(800);
    assert_eq!(incus(&fake.socket()).start(&name(), deadline.into()), Ok(()));
}

#[test]
fn a_creation_that_is_not_done_in_time_is_cancelled_within_its_time() {
    let fake = Fake::new(|line| match line {
        "GET /1.0/images/aliases/bb" => Answer::sync(r#"{"target":"abc"}"#),
        "POST /1.0/instances" => Answer::operation(),
        OPERATION => Answer::sync(GOES_ON),
        _ => Answer::late_error(500, "context deadline exceeded"),
    });
    let (began, spec) = (Instant::now(), CreateSpec::new(ImageName::parse("bb").unwrap(), "id"));
    let result = incus(&fake.socket()).create(&name(), &spec, (began + Duration::from_secs(1)).into());
    assert_eq!(result, Err(Error::Deadline(Runtime::Incus)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(fake.requests().iter().any(|request| request.starts_with("DELETE /1.0/operations/ab-12 ")));
}
