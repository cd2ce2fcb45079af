//! Every name in a path was set by a field that accepts only names that a path can hold.

use serde_json::json;
use taosd::api::{ApiRoute, routes};
use taosd::rest::field::{Field, TextFormat, Type};
use taosd::rest::route::BodyKind;

use crate::support::Daemon;

/// Where the value of a path parameter comes from.
enum Made {
    /// An id, or another text that the daemon makes.
    Here,
    /// A name from this field of this route. If the handler has its own rule, that rule is narrower than what a path
    /// can hold. A test shows that each refuses names that cannot be looked up.
    By(&'static str, &'static str),
    /// Any text. An unknown text is not found.
    Free,
}

fn made(route: &ApiRoute, parameter: &str) -> Option<Made> {
    Some(match parameter {
        "id" | "credential" | "space" | "key" | "item" | "task" | "file" | "link" | "request" => Made::Here,
        // A context key may contain anything, so its segment is free text.
        "path" | "rest" | "context_key" => Made::Free,
        // A slug is made from the name. Names in the other dialects are used unchanged.
        "name" if route.path.starts_with("/api/") => Made::By("agents_create", "name"),
        "name" => Made::By("agentex_agents_register", "name"),
        "agent" => Made::By("ax_agents_create", "name"),
        "username" => Made::By("users_create", "username"),
        "key_name" => Made::By("agentex_keys_create", "name"),
        "deployment" => Made::By("agentex_agents_register", "registration_metadata"),
        // Set in the settings, with a narrower rule.
        "node" => Made::Free,
        // Created by a request to its own path.
        "source_id" => Made::Free,
        _ => return None,
    })
}

fn all() -> impl Iterator<Item = &'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter())
}

fn field(route: &str, name: &str) -> Field {
    let route = all().find(|row| row.id == route).unwrap_or_else(|| panic!("no route {route}"));
    let BodyKind::Json(fields) = route.body else { panic!("{} has no body", route.id) };
    *fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{} has no {name}", route.id))
}

#[test]
fn every_parameter_that_is_a_name_is_made_by_a_field_for_names() {
    for route in all() {
        for parameter in route.parameters() {
            let how = made(route, parameter)
                .unwrap_or_else(|| panic!("{}: say in the tests what makes {{{parameter}}}", route.path));
            if let Made::By(id, name) = how {
                let field = field(id, name);
                let fits = matches!(field.form, TextFormat::Segment | TextFormat::Told(_))
                    || matches!(field.kind, Type::AnyObject);
                assert!(fits, "{id}: {name} takes names that no path can hold");
            }
        }
    }
}

#[test]
fn a_name_that_no_path_can_hold_is_refused_where_it_is_made() {
    let daemon = Daemon::start();
    daemon.agent("x");
    let operator = daemon.operator();
    let register = |name: &str, deployment: &str| {
        json!({"name": name, "description": "", "acp_url": "http://localhost:1", "acp_type": "async",
            "registration_metadata": {"deployment_id": deployment}})
    };
    for bad in ["a/b", "a\\b", ".", "..", "a\nb", "a\u{7f}", "\u{85}", ""] {
        let told = operator.post("/agent_api_keys", json!({"agent_name": "x", "name": bad}));
        told.expect_agentex(422, "validation_error");
        operator.post("/agents/register", register("mailer", bad)).expect_agentex(422, "validation_error");
        operator.post("/agents/register", register(bad, "d")).expect_agentex(422, "validation_error");
        operator.post("/api/users", json!({"username": bad})).expect_error(422, "validation_error");
        operator.post("/api/v1/agents", json!({"name": bad})).expect(422);
        // A label is never looked up, but may not contain control characters either.
        if bad.contains(char::is_control) {
            operator.post("/api/users/operator/tokens", json!({"label": bad})).expect_error(422, "validation_error");
            operator.post("/api/v1/keys", json!({"name": bad})).expect(422);
        }
    }
}

#[test]
fn every_name_that_is_taken_is_found_again() {
    let daemon = Daemon::start();
    daemon.agent("x");
    let operator = daemon.operator();
    for (name, path) in
        [("a b", "a%20b"), ("50%", "50%25"), (".a", ".a"), ("a?b#c", "a%3Fb%23c"), ("日本", "%E6%97%A5%E6%9C%AC")]
    {
        operator.post("/agent_api_keys", json!({"agent_name": "x", "name": name})).expect(200);
        let found = operator.get(&format!("/agent_api_keys/name/{path}?agent_name=x")).expect(200).json();
        assert_eq!(found["name"], name);
    }
}

#[test]
fn a_key_of_before_with_such_a_name_is_still_found_by_its_id() {
    let daemon = Daemon::start();
    daemon.agent("x");
    let key = daemon.operator().post("/agent_api_keys", json!({"agent_name": "x", "name": "old"})).expect(200).json();
    let id = key["id"].as_str().expect("an id");
    daemon.execute("UPDATE credentials SET label = 'a/b' WHERE id = ?1", [id]);
    assert_eq!(daemon.operator().get(&format!("/agent_api_keys/{id}")).expect(200).json()["name"], "a/b");
    daemon.operator().delete(&format!("/agent_api_keys/{id}")).expect(200);
}
