//! Malformed HTTP gets the right status and the envelope. The connection is closed without a reset.

use crate::support::*;

/// Sends each input on a new connection, and expects this status, an envelope and a close.
fn refused(status: u16, inputs: &[&[u8]]) {
    let server = Server::start();
    for input in inputs {
        let shown = String::from_utf8_lossy(&input[..input.len().min(120)]).into_owned();
        let mut client = server.connect();
        client.send(input);
        let reply = client.try_reply().unwrap_or_else(|| panic!("no reply to {shown:?}"));
        assert_eq!(reply.status, status, "{shown:?}: {reply:?}");
        assert!(reply.closes(), "{shown:?}: {reply:?}");
        reply.error();
        client.assert_closed();
        server.assert_well();
    }
    assert_eq!(server.app.started() as usize, inputs.len(), "something of it ran");
}

#[test]
fn bytes_that_are_no_request_get_400() {
    refused(
        400,
        &[
            b"GARBAGE\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
            b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /a\x07b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x01c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            b"GET / HTTP/1.1\r\n: a\r\n\r\n",
        ],
    );
}

#[test]
fn other_versions_get_505() {
    refused(
        505,
        &[
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn a_bad_content_length_gets_400() {
    let lengths = ["+5", "-5", "5x", "5, 6", "5, 5", "", "0x5", "18446744073709551616", "99999999999999999999999"];
    let inputs: Vec<String> = lengths
        .iter()
        .map(|l| format!("POST /api/agents HTTP/1.1\r\nHost: a\r\nContent-Length: {l}\r\n\r\nhello"))
        .collect();
    refused(400, &inputs.iter().map(String::as_bytes).collect::<Vec<_>>());
    refused(400, &[b"POST /api/agents HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"]);
}

#[test]
fn a_length_beyond_all_bounds_is_refused_unread() {
    for length in ["9000000000000000", "9223372036854775813", "18446744073709551614", "18446744073709551615"] {
        let server = Server::start();
        let reply = server.once(post(server.target.post, &format!("Content-Length: {length}\r\n"), ""));
        assert_eq!((reply.status, reply.error().as_str()), (413, "body_too_large"), "{length}");
        assert!(reply.closes());
        server.assert_well();
    }
}

#[test]
fn the_same_length_twice_counts_once() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(post(server.target.post, "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    assert_eq!(client.reply().json()["bytes"], 5);
    client.assert_open(&server.target);
}

#[test]
fn a_transfer_encoding_other_than_chunked_is_refused() {
    refused(
        501,
        &[
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    );
    refused(
        400,
        &[
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            b"POST /api/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            b"POST /api/agents HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn a_host_that_is_missing_twice_or_malformed_gets_400() {
    refused(
        400,
        &[
            b"GET /healthz HTTP/1.1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: a:port\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
            b"GET http://other/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://a@b/healthz HTTP/1.1\r\nHost: b\r\n\r\n",
            b"GET healthz HTTP/1.1\r\nHost: healthz\r\n\r\n",
            b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn an_absolute_target_of_the_same_host_is_served() {
    let server = Server::start();
    let reply = server.once("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn a_head_or_target_past_its_size_gets_431_or_414() {
    let long = "a".repeat(20_000);
    let server = Server::start();
    for (status, input) in [
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (414, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..9_000])),
        (414, format!("GET /{long}")),
        (431, get("/healthz", &format!("X-Long: {long}\r\n"))),
        (431, get("/healthz", &"X-A: b\r\n".repeat(100))),
        (431, format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: {long}")),
    ] {
        let mut client = server.connect();
        client.send(&input);
        let reply = client.reply();
        assert_eq!(reply.status, status, "{}: {reply:?}", &input[..60]);
        reply.error();
        client.assert_closed();
    }
    let reply = server.once(get("/healthz", &"X-A: b\r\n".repeat(99)));
    assert_eq!(reply.status, 200, "a hundred lines are allowed");
    server.assert_well();
}
