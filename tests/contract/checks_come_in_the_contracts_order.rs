//! The order of checks: path, method, credential, scope, role, query and body, idempotency, visibility, grant, state.
//! Each request here also fails all later checks.

use serde_json::json;
use taosd::rest::route::Repeat;

use crate::harness::{Harness, all_routes, path_with};
use crate::support::conformance::matches;
use crate::support::{Client, Reply};

/// Sends a request that no route accepts: an unknown parameter, and a body that is not JSON.
fn garbage(client: &Client, method: &str, path: &str) -> Reply {
    client.send(method, &format!("{path}?no_such=1"), Some(b"{"))
}

#[test]
fn an_unknown_path_is_told_before_anything_else() {
    let harness = Harness::new();
    for path in ["/nothing", "/api/nothing", "/api/agents/a/b/c/d", "/healthz/x", "/api//agents", "/api/%61gents/x/y"] {
        let reply = garbage(&harness.daemon.anonymous(), "POST", path);
        let code = if path.contains("//") { (400, "invalid_path") } else { (404, "not_found") };
        reply.expect_error(code.0, code.1);
    }
    harness.operator().get("/api/agents/%2e%2e").expect_error(400, "invalid_path");
    harness.operator().get("/api/agents/").expect(200);
}

#[test]
fn an_unknown_method_is_told_before_the_credential_with_what_the_path_takes() {
    let harness = Harness::new();
    for route in all_routes() {
        let path = path_with(route, "x");
        // Of the matching patterns, the one with the earliest literal words wins. A literal word is no parameter of
        // another pattern.
        let literal = |path: &str| path.split('/').map(|s| s.starts_with('{')).collect::<Vec<_>>();
        let best = all_routes().filter(|r| matches(r.path, &path)).map(|r| literal(r.path)).min();
        let mut takes: Vec<&str> = all_routes()
            .filter(|r| matches(r.path, &path) && Some(literal(r.path)) == best)
            .map(|r| r.method.as_str())
            .chain(["OPTIONS"])
            .collect();
        if takes.contains(&"GET") {
            takes.push("HEAD");
        }
        takes.sort_unstable();
        takes.dedup();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
            if takes.contains(&method) {
                continue;
            }
            let reply = garbage(&harness.daemon.anonymous(), method, &path);
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some(takes.join(", ").as_str()), "{method} {path}");
        }
        let options = harness.daemon.anonymous().send("OPTIONS", &path, None).expect(204);
        assert_eq!(options.header("allow"), Some(takes.join(", ").as_str()), "{path}");
    }
    harness.daemon.anonymous().post("/api/agents/x/y", json!({})).expect_error(404, "not_found");
    harness.daemon.anonymous().put("/api/agents", json!({})).expect_error(405, "method_not_allowed");
}

#[test]
fn credential_scope_and_role_come_before_query_and_body() {
    // There are more routes than failed logins a minute.
    let harness = Harness::with(&[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let (narrow, member) = (harness.daemon.user_token("operator", &[]), harness.member());
    let bad = harness.daemon.client("taos_user_no");
    for route in all_routes() {
        let (method, path) = (route.method.as_str(), path_with(route, "x"));
        let Some(action) = route.action() else {
            // A public route ignores credentials, even bad ones, and unknown parameters.
            assert_eq!(garbage(&bad, method, &path).status, 400, "{}", route.id);
            continue;
        };
        garbage(&harness.daemon.anonymous(), method, &path).expect_error(401, "auth_required");
        garbage(&bad, method, &path).expect_error(401, "invalid_token");
        if !action.is_implied() {
            let refused = garbage(&narrow, method, &path).expect_error(403, "scope_denied");
            assert_eq!(refused.json()["action"], action.slug());
        }
        if action.is_admin() {
            garbage(&member, method, &path).expect_error(403, "forbidden");
        }
    }
}

#[test]
fn query_body_and_key_come_before_what_may_be_seen() {
    let harness = Harness::new();
    for route in all_routes().filter(|route| route.action().is_some()) {
        let (method, path) = (route.method.as_str(), path_with(route, "nobody"));
        let operator = harness.operator().with("Idempotency-Key", "");
        operator.send(method, &format!("{path}?no_such=1"), Some(b"{")).expect_error(422, "validation_error");
        let needed: Vec<String> =
            route.query.iter().filter(|field| field.required).map(|field| format!("{}=x", field.name)).collect();
        let asked = format!("{path}?{}", needed.join("&"));
        operator.send(method, &asked, Some(b"{")).expect_error(400, "invalid_json");
        operator.send(method, &asked, Some(br#"{"no_such":1}"#)).expect_error(422, "validation_error");
        if route.repeat == Repeat::Key {
            let request = harness.request(route);
            request.at(path).by(&operator).expect_error(400, "invalid_idempotency_key");
        }
    }
}

#[test]
fn what_may_be_seen_comes_before_the_role_and_that_before_the_state() {
    let harness = Harness::new();
    let (mine, member) = (harness.agent(), harness.member());
    let deliver = json!({"deliver": true});
    let path = format!("/api/agents/{mine}/token/issue");
    member.post(&path, deliver.clone()).expect_error(404, "agent_not_found");
    harness.member_on(&mine, "viewer").post(&path, deliver.clone()).expect_error(403, "forbidden");
    harness.member_on(&mine, "editor").post(&path, deliver).expect_error(409, "agent_has_no_container");
}
