//! A credential's scopes and the route table decide which routes it may call, for every route.

use std::collections::BTreeSet;

use serde_json::json;
use taosd::access::{Action, Scopes};

use crate::harness::{Harness, all_routes, path_with};
use crate::support::Client;

/// Calls every route on things that do not exist, because the scope is checked before any lookup. Returns the ids of
/// the routes that the credential may call.
fn let_through(client: &Client) -> BTreeSet<&'static str> {
    let passed = all_routes().filter(|route| {
        let reply = client.send(route.method.as_str(), &format!("{}?no_such=1", path_with(route, "x")), None);
        let code = if reply.status < 400 { json!(null) } else { reply.json()["error"].clone() };
        match (reply.status, code.as_str()) {
            (403, Some("scope_denied")) => false,
            (422, Some("validation_error")) => true,
            // Public routes accept any parameter.
            (200, _) | (404, Some("doc_not_found")) if route.action().is_none() => true,
            (403, Some("forbidden")) if route.action().is_some_and(Action::is_admin) => true,
            other => panic!("{}: {other:?}", route.id),
        }
    });
    passed.map(|route| route.id).collect()
}

fn covered(scopes: &[&str]) -> BTreeSet<&'static str> {
    let scopes = Scopes::parse(scopes.iter().copied()).expect("scopes");
    all_routes()
        .filter(|route| route.action().is_none_or(|action| scopes.allow(action)))
        .map(|route| route.id)
        .collect()
}

#[test]
fn an_agents_token_is_allowed_exactly_where_its_scopes_say() {
    let harness = Harness::new();
    let name = harness.agent();
    let default: Vec<String> =
        serde_json::from_value(harness.daemon.record(&name)["scope"].clone()).expect("the default scopes");
    let default: Vec<&str> = default.iter().map(String::as_str).collect();
    for scopes in [&default[..], &[], &["*"], &["agents.*"], &["agents.token.*"], &["users.*", "audit.read"]] {
        assert_eq!(let_through(&harness.daemon.agent_token(&name, scopes)), covered(scopes), "{scopes:?}");
    }
    let allowed = covered(&default);
    for id in ["agents_get", "agents_list", "auth_whoami"] {
        assert!(allowed.contains(id), "{id}");
    }
    for id in ["agents_create", "agents_token_issue", "agents_update", "users_list", "audit_list", "grants_create"] {
        assert!(!allowed.contains(id), "{id}");
    }
}

#[test]
fn a_users_token_with_one_action_is_allowed_that_action_alone() {
    let harness = Harness::with(&[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let actions: BTreeSet<&str> = all_routes().filter_map(|route| route.action()).map(|action| action.slug()).collect();
    for action in actions {
        assert_eq!(let_through(&harness.daemon.user_token("operator", &[action])), covered(&[action]), "{action}");
    }
}

#[test]
fn a_list_of_scopes_is_of_at_most_32_known_entries() {
    let harness = Harness::new();
    let path = format!("/api/agents/{}/permissions", harness.agent());
    let put = |scope: serde_json::Value| harness.operator().put(&path, json!({"scope": scope}));
    put(json!(vec!["agents.read"; 32])).expect(200);
    put(json!(vec!["agents.read"; 33])).expect_error(422, "invalid_scope");
    let long = format!("agents.{}", "x".repeat(58));
    for bad in [
        "",
        "agents",
        "agents.",
        "agents.?",
        "[a]",
        "agents.*.read",
        "**",
        "*.read",
        "Agents.*",
        " *",
        "no.such",
        &long,
    ] {
        put(json!([bad])).expect_error(422, "invalid_scope");
    }
    for good in ["*", "agents.*", "agents.token.*", "agents.token.issue", "auth.whoami"] {
        put(json!([good])).expect(200);
    }
}
