//! Requests that are refused before a route is known get the same error envelope. `tests/edge` has more tests of the
//! edge.

use crate::support::{Client, Daemon, Reply};

fn raw(client: &Client, head: &str) -> Reply {
    client.raw(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())
}

#[test]
fn requests_that_no_route_would_see_are_told_why() {
    let daemon = Daemon::start();
    let client = daemon.anonymous();
    let long = "x".repeat(9 * 1024);
    let heads = [
        (414, "target_too_long", format!("GET /{long} HTTP/1.1\r\nHost: localhost")),
        (417, "expectation_failed", "GET /api HTTP/1.1\r\nHost: localhost\r\nExpect: a-miracle".into()),
        (431, "headers_too_large", format!("GET /api HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\nY: {long}")),
        (
            501,
            "transfer_encoding_unsupported",
            "POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked".into(),
        ),
        (505, "http_version_unsupported", "GET /api HTTP/3.0\r\nHost: localhost".into()),
    ];
    for (status, code, head) in heads {
        let refused = raw(&client, &head).expect_error(status, code);
        assert_eq!(refused.header("connection"), Some("close"), "{code}");
    }
    client.get("/healthz").expect(200);
}
