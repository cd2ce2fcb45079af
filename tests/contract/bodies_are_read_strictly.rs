//! A body must be a JSON object in UTF-8 with a JSON content type, without duplicate keys and not nested too deep.

use std::collections::HashSet;

use hyper::Method;
use serde_json::json;
use taosd::api::{ApiRoute, routes};
use taosd::rest::error::Dialect;
use taosd::rest::route::{Answer, BodyKind};

use crate::harness::{Harness, path_with};
use crate::support::Daemon;

#[test]
fn a_body_that_is_not_strict_json_is_refused_and_nothing_is_stored() {
    let daemon = Daemon::start();
    let deep = |n: usize| format!(r#"{{"name":"a","x":{}{}}}"#, "[".repeat(n), "]".repeat(n));
    let too_deep = deep(32);
    let bodies: &[&[u8]] = &[
        b"[]",
        b"null",
        b"\"a\"",
        b"1",
        b"{",
        b"{} {}",
        b"{\"name\":\"a\",\"name\":\"b\"}",
        b"{\"name\":\"\xff\"}",
        b"\xef\xbb\xbf\xef\xbb\xbf{\"name\":\"a\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{'name':'a'}",
        b"{\"name\":\"a\",}",
        b"{\"name\":NaN}",
        b"{\"name\":1e999}",
        b"// x\n{}",
        b" ",
        &[b'['; 70_000],
        too_deep.as_bytes(),
        br#"{"name":"a","\u006eame":"b"}"#,
    ];
    for body in bodies {
        daemon.operator().send("POST", "/api/agents", Some(body)).expect_error(400, "invalid_json");
    }
    // At the allowed depth the body is read, and the reply names its unknown field.
    daemon.operator().send("POST", "/api/agents", Some(deep(31).as_bytes())).expect_error(422, "validation_error");
    assert_eq!(daemon.operator().get("/api/agents").expect(200).json(), json!([]));
}

#[test]
fn a_byte_order_mark_before_a_body_is_dropped() {
    let daemon = Daemon::start();
    daemon.operator().send("POST", "/api/agents", Some(b"\xef\xbb\xbf{\"name\":\"a\"}")).expect(200);
}

#[test]
fn messages_say_what_is_wrong() {
    let daemon = Daemon::start();
    let post = |body: &[u8]| daemon.operator().send("POST", "/api/agents", Some(body)).json()["detail"].clone();
    for (body, told) in [
        (&br#"{"name":"a","host":"x","host":"y"}"#[..], "the key \"host\" occurs twice"),
        (br#"{"name":"a\u001bb"}"#, "control character"),
        (br#"{"name":"  "}"#, "empty"),
        (br#"{"name":"\u65e5"}"#, "no letter a-z or digit"),
    ] {
        let detail = post(body);
        assert!(detail.as_str().expect("a detail").contains(told), "{detail}");
    }
}

#[test]
fn a_whole_number_may_be_written_with_zeros_behind_a_point() {
    let daemon = Daemon::start();
    daemon.agent("a");
    daemon.operator().send("POST", "/api/agents/a/token/issue", Some(br#"{"grace_seconds":60.0}"#)).expect(200);
    daemon.operator().get("/api/agents?limit=5.0").expect(200);
    for bad in [&br#"{"grace_seconds":60.5}"#[..], br#"{"grace_seconds":1e300}"#, br#"{"grace_seconds":"60"}"#] {
        daemon.operator().send("POST", "/api/agents/a/token/issue", Some(bad)).expect_error(422, "validation_error");
    }
    daemon.operator().get("/api/agents?limit=5.5").expect_error(422, "validation_error");
}

/// Returns a `Content-Type` that the route accepts.
fn typed(route: &ApiRoute) -> &'static str {
    match route.body {
        BodyKind::Json(_) | BodyKind::None => "application/json",
        BodyKind::Raw if route.dialect == Dialect::Mcp => "application/json",
        BodyKind::Raw => "application/x-www-form-urlencoded",
        BodyKind::RawOf(media, _) => media,
        BodyKind::Multipart(_) => "multipart/form-data; boundary=b",
    }
}

#[test]
fn a_compressed_body_is_refused_by_every_route_that_reads_one() {
    // One peer sends many bodies, some of which are refused. No rate limit may come first.
    let harness = Harness::with(&[("TAOSD_FAILED_LOGINS_PER_MINUTE", "100000")]);
    let mut refused = Vec::new();
    let mut kinds = HashSet::new();
    for route in routes().iter().flat_map(|table| table.iter()) {
        // The daemon reads no body for these. It forwards a body for an agent unread.
        let is_read = route.method != Method::GET && !matches!(route.answer.1, Answer::Foreign);
        if !is_read {
            continue;
        }
        let path = path_with(route, "x");
        let coded = |coding: &str, body: &[u8]| {
            let client = harness.operator().with("Content-Type", typed(route)).with("Content-Encoding", coding);
            client.try_send(route.method.as_str(), &path, Some(body)).expect("a reply")
        };
        for coding in ["gzip", "br", "x-anything", "identity, gzip"] {
            let reply = coded(coding, b"{}");
            // Some routes accept no operator's token, and refuse the request before they read the body.
            let why = [415, 401, 403].contains(&reply.status);
            assert!(why, "{} {path} {coding}: {} {}", route.method, reply.status, reply.text());
            if reply.status == 415 {
                assert_eq!(reply.header("accept-encoding"), Some("identity"), "{path}");
                refused.push(route.id);
                kinds.insert(std::mem::discriminant(&route.body));
            }
        }
        let plain = coded("identity", b"{}");
        assert!(!plain.text().contains("is compressed"), "{path}: {}", plain.text());
    }
    for known in ["oauth_register", "oauth_token", "oauth_revoke", "uploads_create", "mcp", "agents_create"] {
        assert!(refused.contains(&known), "{known}: {refused:?}");
    }
    assert_eq!(kinds.len(), 5, "every kind of body");
}

#[test]
fn only_json_in_utf_8_is_taken_and_only_an_empty_body_needs_no_type() {
    let daemon = Daemon::start();
    let post =
        |kind: &str, body: &[u8]| daemon.operator().with("Content-Type", kind).send("POST", "/api/agents", Some(body));
    let good = |n: u8| format!(r#"{{"name":"t{n}"}}"#).into_bytes();
    for (n, kind) in ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"].iter().enumerate() {
        post(kind, &good(n as u8)).expect(200);
    }
    for kind in ["text/json", "application/xml", "application/json; charset=utf-16", "multipart/form-data", ""] {
        post(kind, &good(9)).expect_error(415, "unsupported_media_type");
    }
    post("text/plain", b"").expect_error(415, "unsupported_media_type");
    let operator = daemon.operator();
    let raw = format!(
        "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
        Content-Length: 12\r\n\r\n{{\"name\":\"x\"}}",
        operator.token()
    );
    operator.raw(raw.as_bytes()).expect_error(415, "unsupported_media_type");
    // A request without a body needs no content type. The required field is missing.
    operator.send("POST", "/api/agents", None).expect_error(422, "validation_error");
}

#[test]
fn a_body_larger_than_the_limit_is_refused_whoever_sends_it() {
    let daemon = Daemon::start();
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(1024 * 1024));
    daemon.operator().send("POST", "/api/agents", Some(large.as_bytes())).expect_error(413, "body_too_large");
    let medium = format!(r#"{{"name":"{}"}}"#, "x".repeat(64 * 1024));
    daemon.anonymous().send("POST", "/api/agents", Some(medium.as_bytes())).expect_error(413, "body_too_large");
    daemon.operator().send("POST", "/api/agents", Some(medium.as_bytes())).expect_error(400, "invalid_agent_name");
}

#[test]
fn the_reply_to_a_body_full_of_problems_stays_small() {
    let harness = Harness::new();
    let fields: Vec<String> = (0..60_000).map(|n| format!("\"f{n}\":1")).collect();
    let reply = harness.operator().send("POST", "/api/agents", Some(format!("{{{}}}", fields.join(",")).as_bytes()));
    let fields = reply.clone().expect_error(422, "validation_error").json()["fields"].clone();
    assert_eq!(fields.as_array().map(Vec::len), Some(32));
    assert!(reply.body.len() < 8 * 1024, "{}", reply.body.len());
}

#[test]
fn null_stands_for_absent() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "A", "emoji": null, "scope": null, "host": null})).expect(200);
    daemon.operator().put("/api/agents/a", json!({"color": "#123456", "emoji": "x"})).expect(200);
    daemon.operator().put("/api/agents/a", json!({"color": null, "emoji": null, "host": "h"})).expect(200);
    let record = daemon.record("a");
    assert_eq!((&record["color"], &record["emoji"], &record["host"]), (&json!("#123456"), &json!("x"), &json!("h")));
    daemon.operator().put("/api/agents/a", json!({"emoji": ""})).expect(200);
    assert_eq!(daemon.record("a")["emoji"], json!(null), "an empty text clears it");
    daemon.operator().post("/api/agents", json!({"name": null})).expect_error(422, "validation_error");
}
