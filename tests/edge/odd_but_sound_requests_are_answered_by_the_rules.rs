//! Paths, methods, versions and expectations that are well-formed but need care.

use std::time::Duration;

use crate::support::*;

#[test]
fn paths_that_hide_something_are_refused() {
    let server = Server::start();
    for path in [
        "//healthz",
        "/healthz//",
        "/./healthz",
        "/api/../healthz",
        "/%2e%2e/healthz",
        "/a%2Eb",
        "/api%2fagents",
        "/a%5cb",
        "/a\\b",
        "/%00",
        "/a%0d%0ab",
        "/%zz",
        "/%",
        "/%ff",
        "/%c3%28",
        "/%c2%80",
    ] {
        let reply = server.once(get(path, ""));
        assert!((reply.status == 400 && reply.error() == "invalid_path") || reply.status == 404, "{path}: {reply:?}");
        reply.error();
    }
    let reply = server.once(get("/healthz/", ""));
    assert_eq!(reply.status, 200, "a trailing slash is the same route");
}

#[test]
fn an_encoded_slash_is_for_free_text_segments_alone() {
    let server = Server::start();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let reply = server.once(get("/api/free/a%2Fb%20c", &auth));
    assert_eq!(reply.json()["segment"], "a/b c");
    for path in ["/api%2Ffree/x", "/api/%2Ffree/x", "/healthz%2F"] {
        let status = server.once(get(path, &auth)).status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    let reply = server.once(get("/api/free/..%2Fb", &auth));
    assert_eq!(reply.json()["segment"], "../b", "free text is data, never a path");
}

#[test]
fn http_1_0_is_served_without_chunks_and_closed_unless_asked() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status, reply.version.as_str()), (200, "HTTP/1.0"));
    assert!(reply.header("transfer-encoding").is_none());
    client.assert_closed();

    let mut client = server.connect();
    let keep = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.send(keep);
    assert_eq!(client.reply().header("connection"), Some("keep-alive"));
    client.send(keep);
    assert_eq!(client.reply().status, 200);

    let mut client = server.connect();
    client.send(format!("GET /api/events HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"));
    let head = client.stream_head();
    assert!(!head.contains("chunked"), "{head}");
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start();
    let get = server.once(get(server.target.public, ""));
    let mut client = server.connect();
    client.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.reply_to_head();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some("3"));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    client.assert_open(&server.target);
    client.send(format!("HEAD /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"));
    assert_eq!(client.reply_to_head().status, 200);
    client.assert_open(&server.target);
}

#[test]
fn options_and_unknown_methods_name_the_allowed_ones() {
    let server = Server::start();
    for (request, status, closes) in [
        ("OPTIONS /healthz", 204, false),
        ("OPTIONS *", 204, false),
        ("DELETE /healthz", 405, false),
        ("BREW /healthz", 405, false),
        ("TRACE /healthz", 405, true),
        ("CONNECT localhost:80", 405, true),
    ] {
        let reply = server.once(format!("{request} HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://x\r\n\r\n"));
        assert_eq!(reply.status, status, "{request}: {reply:?}");
        assert!(reply.header("allow").is_some_and(|a| a.contains("GET")), "{request}: {reply:?}");
        assert_eq!(reply.closes(), closes, "{request}");
        assert!(reply.headers.iter().all(|(n, _)| !n.starts_with("access-control")), "{request}: {reply:?}");
        if status == 405 {
            assert_eq!(reply.error(), "method_not_allowed");
        }
    }
}

#[test]
fn upgrade_is_ignored() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(get("/healthz", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_eq!(client.reply().status, 200);
    client.assert_open(&server.target);
}

#[test]
fn a_continue_is_sent_only_after_the_access_check() {
    let server = Server::start();
    let mut client = server.connect();
    let expecting = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    client.send(post(server.target.post, expecting, ""));
    assert_eq!(client.reply().status, 100);
    client.send("hello");
    assert_eq!(client.reply().json()["bytes"], 5);
    client.assert_open(&server.target);

    for (request, status) in [
        (format!("POST /api/agents HTTP/1.1\r\nHost: localhost\r\n{expecting}\r\n"), 401),
        (format!("POST /nowhere HTTP/1.1\r\nHost: localhost\r\n{expecting}\r\n"), 404),
        (post(server.target.post, "Expect: 100-continue\r\nContent-Length: 2000000\r\n", ""), 413),
        (post(server.target.post, "Expect: the-unexpected\r\nContent-Length: 5\r\n", ""), 417),
    ] {
        let mut client = server.connect();
        client.send(&request);
        let reply = client.reply();
        assert_eq!(reply.status, status, "{request}: {reply:?}");
        assert!(reply.closes(), "{reply:?}");
        client.assert_closed();
    }
}

#[test]
fn pipelined_requests_are_answered_one_at_a_time_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let slow = get("/api/sleep?ms=150", &auth);
    let quick = get("/api/free/second", &auth);
    client.send(format!("{slow}{quick}"));
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(server.app.started(), 1, "the second waits for the first");
    assert_eq!(client.reply().json()["slept"], 150);
    assert_eq!(client.reply().json()["segment"], "second");
}

#[test]
fn a_flood_of_pipelined_requests_is_not_held_in_memory() {
    let server = Server::start();
    let mut client = server.connect();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    client.send(get("/api/sleep?ms=300", &auth));
    let one = get(server.target.public, "");
    let flood = one.repeat(2_000);
    client.send(&flood);
    assert_eq!(client.reply().status, 200);
    for _ in 0..2_000 {
        assert_eq!(client.reply().status, 200);
    }
    client.assert_open(&server.target);
}
