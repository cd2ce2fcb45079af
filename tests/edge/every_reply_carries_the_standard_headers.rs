//! The headers of section 2.4 on successes and refusals, and what is logged.

use crate::support::*;

fn assert_standard(reply: &Reply, private: bool) {
    assert!(reply.header("x-request-id").is_some(), "{reply:?}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply:?}");
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{reply:?}");
    assert!(reply.header("server").is_none(), "{reply:?}");
    assert!(reply.header("date").is_some(), "{reply:?}");
    assert!(reply.headers.iter().all(|(n, _)| !n.starts_with("access-control")), "{reply:?}");
    assert_eq!(reply.header("cache-control").is_some_and(|v| v == "no-store"), private, "{reply:?}");
    if !reply.body.is_empty() {
        let kind = reply.header("content-type").expect("a content type");
        assert!(!kind.starts_with("text/") || kind.contains("charset="), "{kind}");
    }
}

#[test]
fn replies_and_refusals_carry_them() {
    let server = Server::start();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    for (request, private) in [
        (get("/page", ""), false),
        // No cache may store JSON, on any path.
        (get("/nowhere", ""), true),
        (get("/api/auth/whoami", &auth), true),
        (get("/api/auth/whoami", ""), true),
        (get("/api/nowhere", ""), true),
        (get("/api/panic", &auth), true),
        (post("/api/agents", "Content-Length: 9999999\r\n", ""), true),
        ("DELETE /api/agents HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), true),
        ("OPTIONS /api/agents HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), true),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(), true),
        ("NONSENSE\r\n\r\n".to_owned(), true),
    ] {
        assert_standard(&server.once(&request), private);
    }
}

#[test]
fn a_page_may_load_nothing_from_elsewhere() {
    let server = Server::start();
    let reply = server.once(get("/page", ""));
    let policy = reply.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe") && !policy.contains("  "), "{policy}");
    assert!(server.once(get("/healthz", "")).header("content-security-policy").is_none());
}

#[test]
fn a_plain_request_id_is_kept_and_any_other_replaced() {
    let server = Server::start();
    let id = |sent: &str| {
        let reply = server.once(get("/healthz", &format!("X-Request-Id: {sent}\r\n")));
        reply.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(id("abc-1.2_X"), "abc-1.2_X");
    let long = "a".repeat(65);
    for bad in ["a b", "<script>", long.as_str(), "a\r\nX-Request-Id: b"] {
        let got = id(bad);
        assert!(got != bad && !got.is_empty() && got.len() <= 64, "{got}");
    }
    assert_ne!(id("("), id("("));
}

#[test]
fn the_log_is_told_of_replies_and_refusals_without_the_query() {
    let server = Server::start();
    server.once(get("/healthz?token=secret", ""));
    server.once(get("/nowhere", ""));
    let log = server.app.log.lock().unwrap().clone();
    assert_eq!(log[0], ("/healthz".to_owned(), 200, 3));
    assert_eq!((log[1].0.as_str(), log[1].1), ("/nowhere", 404));
}
