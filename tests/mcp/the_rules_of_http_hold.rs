//! The checks of path, method, Origin, bearer, media types and size, in this order (MCP contract, section 2).

use serde_json::json;

use crate::harness::{Asks, message};
use crate::support::{Client, Daemon, Reply};

/// The error code of a refusal before JSON-RPC. Its JSON-RPC code must be the HTTP status.
#[track_caller]
fn refused(reply: &Reply, status: u16) -> String {
    let body = reply.json();
    assert_eq!((reply.status, &body["error"]["code"]), (status, &json!(status)), "{}", reply.text());
    assert!(body.get("id").is_none(), "{body}");
    body["error"]["data"]["error"].as_str().expect("a code").to_owned()
}

fn ping(client: &Client) -> Reply {
    client.ask("ping", json!({}))
}

#[test]
fn only_a_post_is_answered_with_or_without_a_slash_at_the_end() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for path in ["/mcp", "/mcp/"] {
        operator.post(path, message("ping", &json!({}))).expect(200);
        for method in ["GET", "DELETE", "PUT", "PATCH"] {
            // The method is checked before the credential.
            for client in [&operator, &daemon.anonymous()] {
                let reply = client.send(method, path, None);
                assert_eq!(refused(&reply, 405), "method_not_allowed");
                let mut allowed: Vec<&str> = reply.header("allow").unwrap().split(", ").collect();
                allowed.sort_unstable();
                assert_eq!(allowed, ["OPTIONS", "POST"]);
            }
        }
        daemon.anonymous().send("OPTIONS", path, None).expect(204);
    }
    operator.post("/mcp/x", json!({})).expect_error(404, "not_found");
}

#[test]
fn an_origin_must_be_the_name_that_was_asked_also_with_a_bearer() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let host = daemon.address.as_str();
    let own = operator.with("Host", host);
    ping(&own.with("Origin", &format!("http://{host}"))).expect(200);
    for origin in ["null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1", "", "http://"] {
        let reply = ping(&own.with("Origin", origin));
        assert_eq!(refused(&reply, 403), "origin_not_allowed", "{origin}");
    }
    let evil = operator.with("Host", "evil.example").with("Origin", "http://evil.example");
    assert_eq!(refused(&ping(&evil), 403), "origin_not_allowed");
    // The Origin is checked before the credential. Without an Origin, a bearer may use any host name.
    let nobody = daemon.anonymous().with("Origin", "http://evil.example");
    assert_eq!(refused(&ping(&nobody), 403), "origin_not_allowed");
    ping(&operator.with("Host", "evil.example")).expect(200);
}

#[test]
fn nobody_is_told_what_to_bring_and_no_cookie_counts() {
    let daemon = Daemon::start();
    let reply = ping(&daemon.anonymous());
    assert_eq!(refused(&reply, 401), "auth_required");
    let told = reply.header("www-authenticate").unwrap();
    let metadata = "resource_metadata=\"http://localhost/.well-known/oauth-protected-resource/mcp\"";
    assert!(told.starts_with("Bearer realm=\"taosd\", resource_metadata") && told.contains(metadata), "{told}");
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": daemon.token}));
    let cookie = opened.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
    let page = daemon.anonymous().with("Host", &daemon.address).with("Cookie", &cookie);
    page.get("/api/auth/whoami").expect(200);
    let reply = ping(&page.with("Origin", &format!("http://{}", daemon.address)));
    assert_eq!(refused(&reply, 401), "auth_required");
    let reply = ping(&daemon.client("taos_user_x"));
    assert_eq!(refused(&reply, 401), "invalid_token");
    let told = reply.header("www-authenticate").unwrap();
    assert!(told.starts_with("Bearer realm=\"taosd\", error=\"invalid_token\", resource_metadata="), "{told}");
    // The operator's socket needs no bearer, and refuses requests of a browser.
    ping(&daemon.on_socket()).expect(200);
    assert_eq!(refused(&ping(&daemon.on_socket().with("Origin", "http://localhost")), 403), "browser_refused");
}

#[test]
fn json_comes_and_json_may_be_answered() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        assert_eq!(refused(&ping(&operator.with("Content-Type", kind)), 415), "unsupported_media_type", "{kind}");
    }
    for accept in ["application/json", "application/*", "*/*", "text/event-stream, application/json;q=0.5"] {
        ping(&operator.with("Accept", accept)).expect(200);
    }
    for accept in ["text/event-stream", "text/html", "application/json;q=0", "application/xml"] {
        assert_eq!(refused(&ping(&operator.with("Accept", accept)), 406), "not_acceptable", "{accept}");
    }
    // The credential is checked first.
    assert_eq!(refused(&ping(&daemon.anonymous().with("Accept", "text/html")), 401), "auth_required");
    let long = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(refused(&operator.send("POST", "/mcp", Some(&long)), 413), "body_too_large");
}

#[test]
fn a_notification_is_taken_and_sessions_are_none_of_ours() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for method in ["notifications/initialized", "notifications/cancelled", "tools/call", "anything"] {
        let taken = operator.post("/mcp", json!({"jsonrpc": "2.0", "method": method})).expect(202);
        assert!(taken.body.is_empty());
        assert_eq!(taken.header("cache-control"), Some("no-store"));
    }
    let with_session = operator.with("Mcp-Session-Id", "x").with("Last-Event-ID", "7");
    let reply = ping(&with_session).expect(200);
    assert_eq!(reply.header("mcp-session-id"), None);
    let asked =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    assert_eq!(operator.ask("initialize", asked).expect(200).header("mcp-session-id"), None);
}

#[test]
fn a_peer_that_fails_too_often_is_held_back_and_a_good_credential_is_not() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    for _ in 0..3 {
        ping(&daemon.client("taos_user_x")).expect(401);
    }
    assert_eq!(refused(&ping(&daemon.client("taos_user_x")), 429), "rate_limited");
    ping(&daemon.operator()).expect(200);
}
