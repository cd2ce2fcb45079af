//! The coverage of this target: the success of every route, every code that it declares, and every existing code. A
//! route or a code without a case fails here.

use std::collections::BTreeSet;
use std::path::Path;

use taosd::api::ApiRoute;
use taosd::rest::{codes, openapi};

use crate::cases;
use crate::harness::{Harness, all_routes};

/// Codes that do not belong to one route, each with the test target that provokes it by name.
const ELSEWHERE: &[(&str, &str)] = &[
    ("bad_request", "edge"),
    ("request_timeout", "edge"),
    ("too_many_connections", "edge"),
    ("busy", "edge"),
    ("read_too_slow", "load"),
    ("internal", "edge"),
    ("target_too_long", "contract"),
    ("expectation_failed", "contract"),
    ("headers_too_large", "contract"),
    ("transfer_encoding_unsupported", "contract"),
    ("http_version_unsupported", "contract"),
    ("invalid_path", "contract"),
    ("body_too_large", "contract"),
    ("host_not_allowed", "contract"),
    ("not_found", "contract"),
    ("method_not_allowed", "contract"),
    ("browser_refused", "contract"),
    ("storage_full", "durability"),
    ("storage_read_only", "durability"),
    ("storage_damaged", "durability"),
    ("storage_gone", "durability"),
    ("wrong_channel", "containers"),
    ("interrupted", "containers"),
    ("cancelled", "containers"),
    ("not_authenticated", "ax"),
    ("invalid_credential", "ax"),
    ("token_expired", "ax"),
    ("pat_not_allowed", "ax"),
    ("admin_required", "ax"),
    ("insufficient_scope", "ax"),
    ("class_not_allowed", "ax"),
    ("audience_not_allowed", "ax"),
    ("scope_not_allowed", "ax"),
    ("agent_name_required", "ax"),
    ("binding_not_allowed", "ax"),
    ("invalid_request", "ax"),
    ("credential_not_found", "ax"),
    ("fingerprint_mismatch", "ax"),
    ("space_not_found", "ax"),
    ("member_not_found", "workspace"),
    ("member_at_home", "workspace"),
    ("message_not_found", "workspace"),
    ("too_many_pinned", "workspace"),
    ("too_many_reactions", "workspace"),
    ("task_not_found", "workspace_data"),
    ("task_claimed", "workspace_data"),
    ("task_not_free", "workspace_data"),
    ("lease_lost", "workspace_data"),
    ("too_many_tasks", "workspace_data"),
    ("context_not_found", "workspace_data"),
    ("upload_not_found", "workspace_data"),
    ("quota_exceeded", "workspace_data"),
    ("payload_too_large", "workspace_data"),
    ("allowance_used", "workspace_data"),
    ("user_token_required", "ax"),
    ("link_invalid", "oauth"),
    ("invalid_client", "oauth"),
    ("invalid_grant", "oauth"),
    ("unauthorized_client", "oauth"),
    ("unsupported_grant_type", "oauth"),
    ("invalid_target", "oauth"),
    ("invalid_client_metadata", "oauth"),
    ("authorization_expired", "oauth"),
    ("authorization_pending", "oauth"),
    ("slow_down", "oauth"),
    ("access_denied", "oauth"),
    ("expired_token", "oauth"),
    ("user_code_not_found", "oauth"),
    ("tls_required", "oauth"),
    ("session_not_found", "ax"),
    ("csrf_refused", "ax"),
    ("origin_not_allowed", "mcp"),
    ("not_acceptable", "mcp"),
    ("unauthenticated", "agentex"),
    ("two_credentials", "agentex"),
    ("name_unavailable", "agentex"),
    ("name_taken", "agentex"),
    ("deployment_not_found", "agentex"),
    ("deployment_not_ready", "agentex"),
    ("deployment_in_production", "agentex"),
    ("too_many_deployments", "agentex"),
    ("agent_identifier", "agentex"),
    ("api_key_not_found", "agentex"),
    ("key_type_not_supported", "agentex"),
    ("key_exists", "agentex"),
    ("too_many_keys", "agentex"),
    ("no_acp_url", "agentex"),
    ("acp_url_not_allowed", "agentex"),
    ("forward_failed", "agentex"),
    ("forward_timeout", "agentex"),
    ("not_supported", "agentex"),
];

/// Codes that no target provokes yet. `shutting_down` needs a stop that reaches its time limit, which is hard to
/// provoke. Move a code to [`ELSEWHERE`] once a target provokes it.
const OWED: &[&str] = &["shutting_down"];

/// Replies of routes (empty: success) that need a working container runtime. `tests/containers` has a real one.
const ON_A_RUNTIME: &[(&str, &str)] = &[
    ("agents_start", ""),
    ("agents_stop", ""),
    ("agents_restart", ""),
    ("agents_logs", ""),
    ("tripwires_plant", ""),
    ("nodes_check", ""),
    ("agents_logs", "no_journal"),
    ("agents_deploy", "delivery_failed"),
    ("agents_restore", "delivery_failed"),
];

/// Returns the possible results of a route: success (empty), then its codes.
fn answers(route: &ApiRoute) -> Vec<&'static str> {
    [""].into_iter().chain(openapi::codes_of(route).into_iter().map(|code| code.slug)).collect()
}

#[test]
fn every_route_succeeds_and_answers_with_each_code_it_declares() {
    // There are more routes than failed logins a minute.
    let harness = Harness::with(&[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    for route in all_routes() {
        // This code needs ten seconds, and has its own test.
        for code in answers(route).into_iter().filter(|code| *code != "idempotency_in_flight") {
            if ON_A_RUNTIME.contains(&(route.id, code)) {
                continue;
            }
            let Some(way) = cases::way(route, code) else { panic!("{}: no test provokes {code:?}", route.id) };
            let reply = way.run(&harness, route);
            let (status, got) = match code {
                "" => (route.answer.0, ""),
                code => (codes::by_slug(code).expect("a code").status, code),
            };
            let error =
                if reply.status < 400 { String::new() } else { reply.json()["error"].as_str().unwrap_or("").into() };
            assert_eq!((reply.status, error.as_str()), (status, got), "{}: {}", route.id, reply.text());
        }
    }
}

#[test]
fn a_repeat_of_a_request_that_never_ends_is_told_so_after_ten_seconds() {
    let harness = Harness::new();
    std::thread::scope(|scope| {
        for route in all_routes().filter(|route| answers(route).contains(&"idempotency_in_flight")) {
            let way = cases::way(route, "idempotency_in_flight").expect("a way");
            let harness = &harness;
            scope.spawn(move || way.run(harness, route).expect_error(409, "idempotency_in_flight"));
        }
    });
}

#[test]
fn every_case_is_about_a_route_and_a_code_that_there_are() {
    let mut seen = BTreeSet::new();
    for case in cases::own() {
        assert!(seen.insert((case.route, case.code)), "{} {} twice", case.route, case.code);
        let route = crate::harness::route(case.route);
        assert!(answers(route).contains(&case.code), "{} does not declare {}", case.route, case.code);
    }
}

#[test]
fn every_code_is_provoked_by_some_route_or_by_a_target_that_names_it() {
    let of_routes: BTreeSet<_> = all_routes().flat_map(answers).collect();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for code in codes::ALL.iter().filter(|code| !OWED.contains(&code.slug)) {
        let elsewhere = ELSEWHERE.iter().find(|(slug, _)| *slug == code.slug);
        assert!(of_routes.contains(code.slug) != elsewhere.is_some(), "{}: declared nowhere, or twice", code.slug);
        if let Some((slug, target)) = elsewhere {
            assert!(names(&tests.join(target), &format!("\"{slug}\"")), "no test under tests/{target} names {slug}");
        }
    }
}

/// Returns true if a file below `dir`, except this one, contains the text.
fn names(dir: &Path, text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return names(&path, text);
        }
        !path.ends_with(Path::new(file!()).file_name().expect("a name"))
            && std::fs::read_to_string(&path).is_ok_and(|source| source.contains(text))
    })
}
