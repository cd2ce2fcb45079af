//! Every route of the dialect returns each code that it declares. The other tests meet no other code.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::codes;
use taosd::rest::error::Dialect;
use taosd::rest::openapi;
use taosd::rest::route::BodyKind;

use crate::agentex::harness::{built, key, registration};
use crate::support::{Client, Daemon, Reply, text};

/// Codes that need a scenario, which other tests of the dialect have. The contract tests have the reservation that
/// never ends.
const ELSEWHERE: &[&str] = &[
    "create_not_allowed",
    "name_unavailable",
    "name_taken",
    "slug_collision_unresolvable",
    "too_many_deployments",
    "deployment_in_production",
    "deployment_not_ready",
    "key_type_not_supported",
    "key_exists",
    "too_many_keys",
    "no_acp_url",
    "acp_url_not_allowed",
    "forward_failed",
    "forward_timeout",
    "idempotency_in_flight",
    "agent_busy",
];

static NEXT: AtomicU32 = AtomicU32::new(1);

struct Things {
    daemon: Daemon,
    limited: Daemon,
}

/// A request for this route that succeeds when the operator sends it.
fn request(daemon: &Daemon, route: &ApiRoute) -> (String, String, Option<Value>, String) {
    let operator = daemon.operator();
    let name = format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut body = registration(&name);
    body["registration_metadata"] = json!({"agent_commit": "c", "branch_name": "b"});
    let id = text(&operator.post("/agents/register", body).expect(200).json(), "id");
    let mut path = route
        .path
        .replace("...}", "}")
        .replace("{id}", &id)
        .replace("{name}", &name)
        .replace("{path}", "x")
        .replace("{rest}", "x");
    if path.contains("{deployment}") {
        let mut body = registration(&name);
        body["registration_metadata"] = json!({"deployment_id": "d1"});
        operator.post("/agents/register", body).expect(200);
        path = path.replace("{deployment}", "d1");
    }
    if path.contains("{item}") {
        let items = operator.get(&format!("/deployment-history?agent_name={name}")).expect(200).json();
        path = path.replace("{item}", &text(&items[0], "id"));
    }
    if path.contains("{key") {
        let key = key(&operator, &name, "k", "external");
        path = path.replace("{key}", &text(&key, "id")).replace("{key_name}", "k");
    }
    if route.query.iter().any(|field| field.name == "agent_name") {
        path += &format!("?agent_name={name}");
    }
    let body = matches!(route.body, BodyKind::Json(_)).then(|| {
        let mut body: Value = serde_json::from_str(route.example).expect("an example");
        for field in ["name", "agent_name"].into_iter().filter(|field| {
            route.id == "agentex_keys_create" && *field == "agent_name"
                || route.id.contains("register") && *field == "name"
        }) {
            body[field] = json!(name);
        }
        body
    });
    (route.method.to_string(), path, body, id)
}

fn send(client: &Client, (method, path, body, _): &(String, String, Option<Value>, String)) -> Reply {
    client.call(method, path, body.as_ref())
}

fn provoke(things: &Things, route: &ApiRoute, code: &str) -> Reply {
    let daemon = &things.daemon;
    let operator = daemon.operator();
    let mut asked = request(daemon, route);
    match code {
        "" => send(&operator, &asked),
        "unauthenticated" => send(&daemon.anonymous(), &asked),
        "two_credentials" => send(&operator.with("x-agent-api-key", "x"), &asked),
        "pat_not_allowed" => send(&daemon.client("axp_u_ABCDEFGHIJ.a"), &asked),
        "scope_denied" => send(&daemon.user_token("operator", &[]), &asked),
        "rate_limited" => {
            let _ = things.limited.operator().get("/api/auth/whoami");
            send(&things.limited.operator(), &asked)
        }
        "unsupported_media_type" => operator.with("Content-Encoding", "gzip").send(&asked.0, &asked.1, Some(b"{}")),
        "validation_error" if asked.2.is_some() => operator.call(&asked.0, &asked.1, Some(&json!({}))),
        "validation_error" => {
            let field =
                if route.query.iter().any(|field| field.name == "limit") { "limit=0" } else { "api_key_type=x" };
            let mark = if asked.1.contains('?') { '&' } else { '?' };
            operator.call(&asked.0, &format!("{}{mark}{field}", asked.1), None)
        }
        "invalid_cursor" => {
            let mark = if asked.1.contains('?') { '&' } else { '?' };
            operator.call(&asked.0, &format!("{}{mark}cursor=bm8", asked.1), None)
        }
        "invalid_idempotency_key" => send(&operator.with("Idempotency-Key", &"k".repeat(256)), &asked),
        "idempotency_key_reused" => {
            let keyed = operator.with("Idempotency-Key", &asked.3);
            send(&keyed, &asked).expect(200);
            asked.2 = Some(json!({"docker_image": "another"}));
            send(&keyed, &asked)
        }
        "agent_identifier" => {
            asked.1 = asked.1.split('?').next().expect("a path").to_owned();
            asked.2 = asked.2.map(|_| json!({"name": "k"}));
            send(&operator, &asked)
        }
        "agent_not_found" => not_found(route, &operator, asked),
        "api_key_not_found" | "deployment_not_found"
            if route.path.contains("{key}") || route.path.contains("{item}") =>
        {
            let path = asked.1.rsplit_once('/').expect("a path").0;
            operator.call(&asked.0, &format!("{path}/nobody"), None)
        }
        "api_key_not_found" => operator.call(&asked.0, &asked.1.replace("/k?", "/nobody?"), None),
        "deployment_not_found" if route.id == "agentex_agents_register" => {
            operator.post(&format!("/agents/{}/deployments", asked.3), json!({"docker_image": "x"})).expect(200);
            let made = operator.get(&format!("/agents/{}/deployments", asked.3)).expect(200).json();
            let deployment = text(&made[0], "id");
            operator.delete(&format!("/agents/{}/deployments/{deployment}", asked.3)).expect(200);
            let mut body = asked.2.expect("a body");
            body["registration_metadata"] = json!({"deployment_id": deployment});
            operator.post("/agents/register", body)
        }
        "deployment_not_found" => operator.call(&asked.0, &asked.1.replace("/d1", "/nobody"), None),
        "forbidden" => {
            let username = format!("v{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let viewer = daemon.member(&username, &["*"]);
            daemon.grant(&format!("user:{username}"), &asked.3, "viewer");
            send(&viewer, &asked)
        }
        "agent_frozen" => {
            let name = text(&operator.get(&format!("/agents/{}", asked.3)).expect(200).json(), "name");
            operator.post(&format!("/api/agents/{name}/freeze"), json!({"reason": "a test"}));
            send(&operator, &asked)
        }
        "scope_exceeds_issuer" => send(&daemon.user_token("operator", &["agents.keys.create"]), &asked),
        "not_supported" => send(&operator, &asked),
        other => panic!("{}: nobody provokes {other}", route.id),
    }
}

fn not_found(route: &ApiRoute, operator: &Client, mut asked: (String, String, Option<Value>, String)) -> Reply {
    if route.id == "agentex_keys_create" {
        asked.2 = Some(json!({"agent_name": "nobody", "name": "k"}));
    } else if route.id == "agentex_agents_register" {
        asked.2.as_mut().expect("a body")["agent_id"] = json!("nobody");
    } else if let Some((path, _)) = asked.1.split_once('?') {
        asked.1 = format!("{path}?agent_name=nobody");
    } else if route.path.contains("{name}") {
        let name = asked.1.split('/').skip_while(|segment| *segment != "name").nth(1).expect("a name").to_owned();
        asked.1 = asked.1.replacen(&name, "nobody", 1);
    } else {
        asked.1 = asked.1.replace(&asked.3, "nobody");
    }
    send(operator, &asked)
}

#[test]
fn every_route_succeeds_and_answers_with_each_code_it_declares() {
    let generous = [("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")];
    let things = Things {
        daemon: Daemon::with(&[], &generous),
        limited: Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "1")]),
    };
    let all = routes().iter().flat_map(|table| table.iter()).filter(|route| route.dialect == Dialect::Agentex);
    for route in all {
        // Whether a forwarded request succeeds depends on the agent.
        if !route.path.contains("/forward/") && route.answer.0 != 501 {
            assert_eq!(provoke(&things, route, "").status, route.answer.0, "{}", route.id);
        }
        for code in openapi::codes_of(route).into_iter().filter(|code| !ELSEWHERE.contains(&code.slug)) {
            let reply = provoke(&things, route, code.slug);
            let got = (reply.status, reply.json()["error"].as_str().unwrap_or("").to_owned());
            assert_eq!(got, (code.status, code.slug.to_owned()), "{}: {}", route.id, reply.text());
        }
    }
}

#[test]
fn an_operation_that_has_not_ended_keeps_the_agent() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let id = built(&operator, "mailer");
    daemon.execute(
        "INSERT INTO operations (id, kind, status, agent_id, actor, request_id, created_at) VALUES ('o', 'stop', 'running', ?1, 'x', 'r', 1)",
        [&id],
    );
    let refused = operator.delete(&format!("/agents/{id}")).expect_agentex(409, "agent_busy");
    assert_eq!(refused.json()["operation_id"], "o");
    assert_eq!(codes::AGENT_BUSY.status, 409);
}
