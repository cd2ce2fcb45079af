//! Framing: chunked bodies, unread bodies, sizes. No byte of a body is ever read as a request.

use std::time::Duration;

use crate::support::*;

/// A request that must never run, hidden in a body.
const SMUGGLED: &str = "GET /api/auth/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n";

#[test]
fn a_chunked_body_is_served_and_the_connection_closed() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(post(
        server.target.post,
        "Transfer-Encoding: chunked\r\n",
        "5;name=value\r\nhello\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
    ));
    let reply = client.reply();
    assert_eq!((reply.status, &reply.json()["bytes"]), (201, &8.into()));
    assert!(reply.closes());
    client.assert_closed();
}

#[test]
fn a_length_beside_chunked_is_never_used() {
    let server = Server::start();
    for length in ["0", "5", "1000"] {
        let mut client = server.connect();
        let headers = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n");
        client.send(post(server.target.post, &headers, &format!("3\r\nabc\r\n0\r\n\r\n{SMUGGLED}")));
        let reply = client.reply();
        assert!(reply.status == 400 || (reply.status == 201 && reply.json()["bytes"] == 3), "{reply:?}");
        assert!(reply.closes());
        client.assert_closed();
    }
    assert!(server.app.log.lock().unwrap().iter().all(|(path, ..)| path != "/api/auth/whoami"));
}

#[test]
fn a_broken_chunked_body_gets_400() {
    let server = Server::start();
    let endless = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailers = format!("0\r\n{}\r\n", "X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".repeat(600));
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello",
        "\r\n\r\n",
        &endless,
        &trailers,
    ] {
        let mut client = server.connect();
        client.send(post(server.target.post, "Transfer-Encoding: chunked\r\n", body));
        let shown = &body[..body.len().min(40)];
        let reply = client.try_reply().unwrap_or_else(|| panic!("no reply to {shown:?}"));
        assert_eq!((reply.status, reply.error().as_str()), (400, "bad_request"), "{shown:?}");
        assert!(reply.closes());
        client.assert_closed();
    }
    assert_eq!(server.app.started(), 0);
    server.assert_well();
}

#[test]
fn an_unread_body_never_becomes_the_next_request() {
    let server = Server::start();
    let length = SMUGGLED.len();
    let chunked = format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    for (path, headers, body) in [
        ("/nowhere", format!("Content-Length: {length}\r\n"), SMUGGLED.to_owned()),
        ("/healthz", format!("Content-Length: {length}\r\n"), SMUGGLED.to_owned()),
        ("/nowhere", "Transfer-Encoding: chunked\r\n".to_owned(), chunked.clone()),
        ("/api/agents", "Transfer-Encoding: chunked\r\n".to_owned(), chunked),
    ] {
        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}"));
        let reply = client.reply();
        assert!(matches!(reply.status, 401 | 404 | 405), "{reply:?}");
        assert!(reply.closes(), "{path}: {reply:?}");
        client.assert_closed();
    }
    assert_eq!(server.app.started(), 0, "a body was run as a request");
}

#[test]
fn a_body_past_its_limit_gets_413_before_it_is_read() {
    let server = Server::start();
    let anonymous = |path: &str, length: u64| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
    };
    for request in [
        post(server.target.post, "Content-Length: 1048577\r\n", ""),
        post("/api/uploads", "Content-Length: 26214401\r\n", ""),
        anonymous(server.target.post, 65_537),
        anonymous("/api/uploads", 65_537),
    ] {
        let mut client = server.connect();
        client.send(&request);
        let reply = client.reply();
        assert_eq!((reply.status, reply.error().as_str()), (413, "body_too_large"), "{request}");
        client.assert_closed();
    }
    let mut client = server.connect();
    client.send(post(server.target.post, "Transfer-Encoding: chunked\r\n", ""));
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        client.send(&chunk);
    }
    assert_eq!(client.reply().status, 413, "chunks are counted");
    assert_eq!(server.app.started(), 0);
}

#[test]
fn an_upload_of_full_size_is_taken_after_the_access_check() {
    let server = Server::start();
    let body = "x".repeat(3 * 1024 * 1024);
    let headers = format!("Content-Length: {}\r\n", body.len());
    let reply = server.once(post("/api/uploads", &headers, &body));
    assert_eq!(reply.json()["bytes"], body.len());

    let mut client = server.connect();
    client.send(format!("POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bad\r\n{headers}\r\n"));
    assert_eq!(client.reply().status, 401, "refused before a byte of the body");
    assert_eq!(server.app.started(), 1);
}

#[test]
fn all_bodies_together_have_a_limit() {
    let server = Server::with(|limits| limits.max_body_bytes_in_flight = 100_000);
    let mut first = server.connect();
    first.send(post(server.target.post, "Content-Length: 90000\r\n", &"x".repeat(80_000)));
    eventually(Duration::from_secs(5), "the body is held", || server.edge.metrics().body_bytes >= 70_000);
    let mut second = server.connect();
    second.send(post(server.target.post, "Content-Length: 60000\r\n", &"x".repeat(60_000)));
    let reply = second.reply();
    assert_eq!((reply.status, reply.error().as_str()), (503, "busy"));
    assert!(reply.header("retry-after").is_some() && reply.closes());
    first.send("x".repeat(10_000));
    assert_eq!(first.reply().status, 201);
    eventually(Duration::from_secs(5), "the memory is given back", || server.edge.metrics().body_bytes == 0);
}

#[test]
fn an_aborted_body_is_not_run() {
    let server = Server::start();
    let mut gone = server.connect();
    gone.send(post(server.target.post, "Content-Length: 100\r\n", "half"));
    drop(gone);
    let mut half_closed = server.connect();
    half_closed.send(post(server.target.post, "Transfer-Encoding: chunked\r\n", "5\r\nhel"));
    half_closed.end();
    assert!(half_closed.try_reply().is_none_or(|r| r.status >= 400));
    eventually(Duration::from_secs(5), "the connections end", || server.edge.metrics().connections == 0);
    assert_eq!(server.app.started(), 0);
}
