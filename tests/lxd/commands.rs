//! The one command that is run inside a container, and cancelled calls, on a runtime that misbehaves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use taosd::containers::{ContainerName, Driver, Error, IncusLxd, LogLimits, Runtime, Until};

use super::fake::{Answer, Fake};
use super::test_runtime::soon;

const LIMITS: LogLimits = LogLimits { lines: 5, bytes: 100 };
const RUNNING: &str = r#"{"name":"taos-agent-a","status":"Running","config":{},"devices":{}}"#;

fn name() -> ContainerName {
    ContainerName::for_agent("a").unwrap()
}

fn incus(socket: &Path) -> IncusLxd {
    IncusLxd::new(Runtime::Incus, socket)
}

fn raw(kind: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Raw(
        format!("HTTP/1.1 200 OK\r\nX-Incus-type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes(),
    )
}

/// The replies about a container with systemd, whose commands end with `ended` and whose file contains `file`.
fn booted(line: &str, ended: &Answer, file: &str) -> Answer {
    match line {
        "GET /1.0/instances/taos-agent-a" => Answer::sync(RUNNING),
        "POST /1.0/instances/taos-agent-a/exec" => Answer::operation(),
        line if line.contains("systemd") => raw("directory", "{}"),
        line if line.contains("/files?") => raw("file", file),
        _ => ended.clone(),
    }
}

fn ended(code: i64) -> Answer {
    Answer::sync(&format!(r#"{{"status_code":200,"metadata":{{"return":{code}}}}}"#))
}

#[test]
fn a_journal_is_read_by_a_fixed_command_that_leaves_nothing_on_the_host() {
    let fake = Fake::new(|line| booted(line, &ended(0), "one\ntwo\n"));
    let logs = incus(&fake.socket()).journal(&name(), LIMITS, soon()).unwrap().unwrap();
    assert_eq!((logs.text.as_str(), logs.truncated), ("one\ntwo\n", false));
    let sent = fake.requests().into_iter().find(|request| request.starts_with("POST")).unwrap();
    let body: serde_json::Value = serde_json::from_str(sent.split("\r\n\r\n").last().unwrap()).unwrap();
    for off in ["record-output", "interactive", "wait-for-websocket"] {
        assert_eq!(body[off], false, "{off}");
    }
    assert_eq!((&body["environment"], &body["command"][4]), (&serde_json::json!({}), &serde_json::json!("6")));
}

#[test]
fn a_command_that_fails_is_a_failure_and_a_missing_program_is_no_journal() {
    let read = |code| {
        let fake = Fake::new(move |line| booted(line, &ended(code), ""));
        incus(&fake.socket()).journal(&name(), LIMITS, soon())
    };
    assert_eq!(read(127), Ok(None));
    assert!(matches!(read(1), Err(Error::Failed(_))));
    let fake = Fake::new(|line| booted(line, &ended(0), &"x".repeat(1000)));
    assert!(matches!(incus(&fake.socket()).journal(&name(), LIMITS, soon()), Err(Error::InvalidResponse(_))));
    let fake = Fake::new(|line| match line {
        line if line.contains("/files?") => Answer::error(404, "not found"),
        line => booted(line, &ended(0), ""),
    });
    assert_eq!(incus(&fake.socket()).journal(&name(), LIMITS, soon()), Ok(None), "systemd does not run");
    assert!(!fake.requests().iter().any(|request| request.starts_with("POST")), "nothing was run");
}

#[test]
fn while_a_command_has_not_ended_there_is_no_other() {
    let hangs = Arc::new(AtomicBool::new(true));
    let inside = Arc::clone(&hangs);
    let fake = Fake::new(move |line| match line {
        line if line.contains("/wait") && inside.load(Ordering::SeqCst) => Answer::Hang,
        "GET /1.0/operations/ab-12" if inside.load(Ordering::SeqCst) => Answer::sync(r#"{"status_code":103}"#),
        line => booted(line, &ended(0), "back\n"),
    });
    let driver = incus(&fake.socket());
    let commands = || fake.requests().iter().filter(|request| request.starts_with("POST")).count();
    let hung = driver.journal(&name(), LIMITS, Instant::now() + Duration::from_millis(300));
    assert_eq!(hung, Err(Error::Deadline(Runtime::Incus)));
    assert_eq!(driver.journal(&name(), LIMITS, soon()), Err(Error::JournalHangs));
    assert_eq!(commands(), 1);
    hangs.store(false, Ordering::SeqCst);
    assert_eq!(driver.journal(&name(), LIMITS, soon()).unwrap().unwrap().text, "back\n", "it has ended meanwhile");
    assert_eq!(commands(), 2);
}

#[test]
fn a_call_is_cancelled_once_its_operation_has_ended() {
    let looks = AtomicUsize::new(0);
    let fake = Fake::new(move |line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
        "DELETE /1.0/operations/ab-12" => Answer::error(400, "This operation can't be cancelled"),
        "GET /1.0/operations/ab-12" if looks.fetch_add(1, Ordering::SeqCst) > 1 => Answer::error(404, "not found"),
        _ => Answer::sync(r#"{"status_code":103}"#),
    });
    let unwanted = || true;
    let result = incus(&fake.socket()).start(&name(), Until::from(soon()).unless(&unwanted));
    assert_eq!(result, Err(Error::Cancelled));
    let asked = fake.requests();
    let count = |start: &str| asked.iter().filter(|request| request.starts_with(start)).count();
    let of_operation = ["DELETE /1.0/operations/ab-12", "GET /1.0/operations/ab-12 "].map(count);
    assert_eq!(of_operation, [1, 3]);
}

#[test]
fn a_call_that_is_cancelled_and_never_ends_ends_with_its_deadline() {
    let fake = Fake::new(|line| match line {
        "PUT /1.0/instances/taos-agent-a/state" => Answer::operation(),
        _ => Answer::sync(r#"{"status_code":103}"#),
    });
    let unwanted = || true;
    let deadline = Instant::now() + Duration::from_millis(1500);
    let result = incus(&fake.socket()).start(&name(), Until::from(deadline).unless(&unwanted));
    assert_eq!(result, Err(Error::Deadline(Runtime::Incus)));
}
