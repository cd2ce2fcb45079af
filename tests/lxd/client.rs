//! The blocking HTTP client alone: it tells every way of not getting a reply from the others.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use taosd::client::http::{ClientError, ClientRequest, Target, call};

use super::fake::{Answer, Fake};
use super::test_runtime::{Folder, soon};

fn get(path: &str) -> ClientRequest {
    ClientRequest::new("GET", path, soon())
}

#[test]
fn any_status_is_an_answer_and_no_redirect_is_followed() {
    for status in [200, 204, 302, 404, 500] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
        let fake = Fake::new(move |_| Answer::Raw(head.clone().into_bytes()));
        let answer = call(&Target::Unix(fake.socket()), get("/")).unwrap();
        assert_eq!((answer.status, answer.header("LOCATION")), (status, Some("/elsewhere")));
        assert_eq!(fake.requests().len(), 1);
    }
}

#[test]
fn a_request_carries_its_headers_and_its_body() {
    let fake = Fake::new(|_| Answer::Body(200, "ok".to_owned()));
    let request =
        ClientRequest::new("POST", "/a?b=c", soon()).with_header("x-one", "1").with_body("text/plain", "hello");
    let answer = call(&Target::Unix(fake.socket()), request).unwrap();
    assert_eq!(answer.body, b"ok");
    let sent = fake.requests()[0].to_lowercase();
    assert!(sent.starts_with("post /a?b=c http/1.1\r\n"), "{sent}");
    for part in ["host: localhost\r\n", "x-one: 1\r\n", "content-type: text/plain\r\n", "content-length: 5\r\n"] {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    assert!(sent.ends_with("hello"));
}

#[test]
fn an_absent_socket_and_a_refusing_port_are_unreachable() {
    let folder = Folder::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for target in [Target::Unix(folder.0.join("none")), Target::Tcp(port), Target::Unix("x".repeat(200).into())] {
        assert!(matches!(call(&target, get("/")), Err(ClientError::Unreachable(_))), "{target}");
    }
}

#[test]
fn one_deadline_covers_the_whole_call() {
    let slow = Fake::new(|_| Answer::Hang);
    let began = Instant::now();
    let request = ClientRequest::new("GET", "/", Instant::now() + Duration::from_millis(80));
    assert!(matches!(call(&Target::Unix(slow.socket()), request), Err(ClientError::Deadline)));
    let past = ClientRequest::new("GET", "/", Instant::now() - Duration::from_millis(1));
    assert!(matches!(call(&Target::Unix(slow.socket()), past), Err(ClientError::Deadline)));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_body_that_nobody_reads_ends_at_the_deadline() {
    // The kernel accepts the connection, but no process does. The body fills the socket's buffers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = ClientRequest::new("POST", "/", Instant::now() + Duration::from_millis(150))
        .with_body("application/octet-stream", vec![0; 32 << 20]);
    let result = call(&Target::Tcp(listener.local_addr().unwrap()), request);
    assert!(matches!(result, Err(ClientError::Deadline)), "{result:?}");
}

#[test]
fn an_answer_that_ends_early_is_closed_and_nonsense_is_protocol() {
    let cut = Fake::new(|_| Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec()));
    assert!(matches!(call(&Target::Unix(cut.socket()), get("/")), Err(ClientError::Closed)));
    let empty = Fake::new(|_| Answer::Raw(Vec::new()));
    assert!(matches!(call(&Target::Unix(empty.socket()), get("/")), Err(ClientError::Closed)));
    let nonsense = Fake::new(|_| Answer::Raw(b"\0\0\0\0 not http \r\n\r\n".to_vec()));
    assert!(matches!(call(&Target::Unix(nonsense.socket()), get("/")), Err(ClientError::Protocol(_))));
}

#[test]
fn an_answer_longer_than_the_limit_is_too_large() {
    let fake = Fake::new(|_| Answer::Body(200, "x".repeat(1001)));
    let target = Target::Unix(fake.socket());
    assert!(matches!(call(&target, get("/").with_max_response(1000)), Err(ClientError::TooLarge(1000))));
    assert_eq!(call(&target, get("/").with_max_response(1001)).unwrap().body.len(), 1001);
}

#[test]
fn a_request_that_would_smuggle_is_never_sent() {
    let fake = Fake::new(|_| Answer::Body(200, String::new()));
    let target = Target::Unix(fake.socket());
    let requests = [
        ClientRequest::new("GET ", "/", soon()),
        get("relative"),
        get("/a b"),
        get("/a\r\nX: y"),
        get("/").with_header("x", "a\r\nb: c"),
        get("/").with_header("bad name", "a"),
    ];
    for request in requests {
        assert!(matches!(call(&target, request), Err(ClientError::Invalid(_))));
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn nothing_secret_shows_when_a_request_is_printed() {
    let request = get("/").with_header("authorization", "Bearer hunter2").with_body("text/plain", "hunter2");
    assert!(!format!("{request:?}").contains("hunter2"));
}
