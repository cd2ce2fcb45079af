//! Replies that all routes of a kind give for the same reason.

use serde_json::json;
use taosd::api::ApiRoute;

use crate::harness::{Harness, path_with};
use crate::support::Reply;

type Run = fn(&Harness, &'static ApiRoute) -> Reply;

/// Returns how to provoke a code, if that is the same for all routes that declare it.
pub fn way(code: &str) -> Option<Run> {
    Some(match code {
        "auth_required" => |w, r| w.request(r).by(&w.daemon.anonymous()),
        "invalid_token" => |w, r| w.request(r).by(&w.daemon.client(&format!("taos_user_{}", "A".repeat(43)))),
        "scope_denied" => |w, r| w.request(r).by(&w.daemon.user_token(&w.user(), &[])),
        "rate_limited" => rate_limited,
        "validation_error" => |w, r| {
            let request = w.request(r);
            if r.action().is_none() && r.query.is_empty() {
                // These routes ignore unknown parameters, because monitors and caches add some. An unknown field in the
                // body is an error.
                return w.operator().send(&request.method, &request.path, Some(br#"{"no_such_field":1}"#));
            }
            request.at(format!("{}?no_such_parameter=1", request.path)).by(&w.operator())
        },
        "invalid_json" => |w, r| {
            let request = w.request(r);
            w.operator().send(&request.method, &request.path, Some(br#"{"a":1,"a":2}"#))
        },
        "unsupported_media_type" => |w, r| {
            let request = w.request(r);
            w.operator().with("Content-Type", "text/plain").send(&request.method, &request.path, Some(b"{}"))
        },
        "invalid_idempotency_key" => |w, r| w.request(r).by(&w.operator().with("Idempotency-Key", &"k".repeat(256))),
        "idempotency_key_reused" => reused,
        "idempotency_in_flight" => in_flight,
        "invalid_cursor" => |w, r| {
            let request = w.request(r);
            let before = if request.path.contains('?') { '&' } else { '?' };
            request.at(format!("{}{before}cursor=bm8", request.path)).by(&w.operator())
        },
        "agent_not_found" | "archived_agent_not_found" | "user_not_found" => {
            |w, r| w.request(r).at(path_with(r, "nobody")).by(&w.operator())
        }
        "operation_not_found" => |w, r| w.request(r).at(path_with(r, "nobody")).by(&w.operator()),
        "agent_has_no_container" => |w, r| w.request(r).by(&w.operator()),
        "container_runtime_unavailable" => |_, r| with_container(&Harness::without_runtime(), r),
        "container_failed" | "delivery_failed" => |w, r| with_container(w, r),
        "agent_busy" => |w, r| {
            let request = w.request(r);
            w.give_container(&request);
            let open = w.operation("migrate", "queued", Some(&w.agent_of(&request)));
            let reply = request.by(&w.operator());
            assert_eq!(reply.json()["operation_id"], open);
            reply
        },
        "agent_frozen" => |w, r| {
            let request = w.request(r);
            let id = w.agent_of(&request);
            let sql = "UPDATE agents SET frozen_at = 1, frozen_by = 'user:x', frozen_reason = 'r' WHERE id = ?1";
            w.daemon.execute(sql, [id]);
            request.by(&w.operator())
        },
        "forbidden" => forbidden,
        "precondition_failed" => |w, r| w.request(r).by(&w.operator().with("If-Match", "\"999\"")),
        "invalid_scope" => |w, r| w.request(r).with("scope", json!(["agents.?"])).by(&w.operator()),
        "scope_exceeds_issuer" => |w, r| {
            let action = r.action().expect("an action").slug();
            w.request(r).with("scope", json!(["*"])).by(&w.daemon.user_token("operator", &[action]))
        },
        _ => return None,
    })
}

/// Starts slow work, and waits for it, on an agent whose container cannot be reached.
fn with_container(harness: &Harness, route: &'static ApiRoute) -> Reply {
    let request = harness.request(route);
    harness.give_container(&request);
    let waits = route.query.iter().any(|field| field.name == "wait");
    let path = if waits { format!("{}?wait=60", request.path) } else { request.path.clone() };
    request.at(path).by(&harness.operator())
}

/// Uses a credential whose rate is used up. The limit is a setting, so this starts its own daemon.
fn rate_limited(harness: &Harness, route: &'static ApiRoute) -> Reply {
    let request = harness.request(route);
    let limited = Harness::with(&[("TAOSD_REQUESTS_PER_MINUTE", "1")]);
    limited.operator().get("/api/auth/whoami").expect(200);
    request.by(&limited.operator())
}

/// A member calls an admin's route, or a viewer changes an agent.
fn forbidden(harness: &Harness, route: &'static ApiRoute) -> Reply {
    let request = harness.request(route);
    if route.action().is_some_and(|action| action.is_admin()) {
        return request.by(&harness.member());
    }
    let agent = request.path.split('/').nth(3).expect("an agent's name").to_owned();
    request.by(&harness.member_on(&agent, "viewer"))
}

/// Sends the same key with another body: one more space makes another body.
fn reused(harness: &Harness, route: &'static ApiRoute) -> Reply {
    let request = harness.request(route);
    let client = harness.operator().with("Idempotency-Key", &harness.name());
    // A refusal is stored too.
    assert!([200, 201, 202, 409].contains(&request.by(&client).status));
    let other = format!("{} ", request.body.unwrap_or_else(|| json!({})));
    client.send(&request.method, &request.path, Some(other.as_bytes()))
}

/// Uses a key that is reserved by a request that never ends.
fn in_flight(harness: &Harness, route: &'static ApiRoute) -> Reply {
    let request = harness.request(route);
    let key = harness.name();
    let operator = harness.daemon.text("SELECT 'user:' || id FROM users WHERE username = 'operator'", []);
    let body = request.body.as_ref().map(ToString::to_string).unwrap_or_default();
    harness.daemon.execute(
        "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at) VALUES (?1, ?2, ?3, ?4, 'gone', 1)",
        (operator, format!("{} {}", request.method, request.path), &key, blake3::hash(body.as_bytes()).as_bytes()),
    );
    let reply = request.by(&harness.operator().with("Idempotency-Key", &key));
    assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
    reply
}
