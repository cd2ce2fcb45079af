//! `/openapi.json`: OpenAPI 3.1.0, made from the table of routes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::action::Action;
use super::codes::{self};
use super::error::Dialect;
use super::field::{Field, request_schema};
use super::route::{BodyKind, Repeat, Route};
use super::tags;
use super::text::SEGMENT_PATTERN;

mod headers;
mod mcp;
mod own_codes;
mod refusal;
mod responses;

pub use own_codes::{codes_of, second_codes};
use responses::{edge_responses, responses};

/// Builds the document for these tables.
///
/// `rules` are conditions between the fields of a body: a route's id, and keywords of JSON Schema.
pub fn document<P, C, A>(tables: &[&'static [Route<P, C, A>]], rules: &[(&str, &str)]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    // The console's pages are for people.
    for route in tables.iter().flat_map(|table| table.iter()).filter(|route| route.dialect != Dialect::Html) {
        let path = route.path.replace("...}", "}");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        let mut operation = operation(route);
        let between =
            rules.iter().find(|(id, _)| *id == route.id).and_then(|(_, text)| serde_json::from_str(text).ok());
        let body = operation.pointer_mut("/requestBody/content/application~1json/schema");
        if let (Some(Value::Object(between)), Some(schema)) = (between, body.and_then(Value::as_object_mut)) {
            schema.extend(between);
            operation["requestBody"]["required"] = json!(true);
        }
        item[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "taosd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Identity authority and control plane for the AI agents on one small box.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "A taos_user_ or taos_agent_ token, or a short-lived token from POST /auth/exchange.",
            }, "agentKey": {
                "type": "apiKey",
                "in": "header",
                "name": "x-agent-api-key",
                "description": "A taos_key_ or a taos_agent_ token, from an agent.",
            }},
            "schemas": {"Error": error_schema(), "AgentexError": agentex_error_schema(), "McpError": mcp::error_schema(), "Scope": scope_schema()},
            "headers": headers::components(),
            "responses": edge_responses(),
        },
    })
}

/// The schema of a scope: `*`, every action, and every prefix of one.
fn scope_schema() -> Value {
    let mut all = BTreeSet::from(["*".to_owned()]);
    for action in Action::ALL {
        let slug = action.slug();
        all.insert(slug.to_owned());
        all.extend(slug.match_indices('.').map(|(dot, _)| format!("{}*", &slug[..=dot])));
    }
    json!({"type": "string", "description": "An action, a prefix of actions with .*, or * for all.", "enum": all})
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong, how to fix it, and a page that explains it. Some codes add fields.",
        "required": ["error", "detail", "fix", "doc_url"],
        "properties": {
            "error": {"type": "string", "description": "A stable code."},
            "detail": {"description": "What went wrong in this case."},
            "fix": {"type": "string", "description": "What to do."},
            "doc_url": {"type": "string", "description": "A path on this daemon."},
        },
    })
}

fn agentex_error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong, in the format of Agentex clients, how to fix it, and a page that explains it.",
        "required": ["message", "code", "data", "error", "fix", "doc_url"],
        "properties": {
            "message": {"type": "string", "description": "What went wrong in this case."},
            "code": {"type": "integer", "description": "The status."},
            "data": {"type": "null", "description": "Always null."},
            "error": {"type": "string", "description": "A stable code."},
            "status_code": {"type": "integer", "description": "10422 if an input is refused."},
            "fix": {"type": "string", "description": "What to do."},
            "doc_url": {"type": "string", "description": "A path on this daemon."},
        },
    })
}

fn operation<P, C, A>(route: &Route<P, C, A>) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.title,
        "description": route.about,
        "tags": [route.id.split('_').next().unwrap_or(route.id)],
        "x-action": route.action().map_or("public", |action| action.slug()),
        "x-doc-url": format!("/docs/agents/{}", route.doc),
        "security": security(route),
        "responses": responses(route),
    });
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    match route.body {
        BodyKind::Raw if route.dialect == Dialect::Mcp => operation["requestBody"] = mcp::request_body(route.example),
        BodyKind::Json(fields) if !fields.is_empty() => {
            operation["requestBody"] = request_body(route, "application/json", fields);
        }
        BodyKind::RawOf(media_type, fields) => {
            operation["requestBody"] = request_body(route, media_type, fields);
        }
        BodyKind::Multipart(fields) => {
            operation["requestBody"] = request_body(route, "multipart/form-data", fields);
        }
        _ => {}
    }
    operation
}

fn security<P, C, A>(route: &Route<P, C, A>) -> Value {
    match (route.action(), route.dialect) {
        (None, _) => json!([]),
        (Some(_), Dialect::Agentex) => json!([{"bearer": []}, {"agentKey": []}]),
        (Some(_), _) => json!([{"bearer": []}]),
    }
}

fn request_body<P, C, A>(route: &Route<P, C, A>, media_type: &str, fields: &[Field]) -> Value {
    let mut media = json!({"schema": request_schema(fields, route.dialect == Dialect::Taos)});
    if let Ok(example) = serde_json::from_str::<Value>(route.example) {
        media["example"] = example;
    }
    json!({"required": fields.iter().any(|field| field.required), "content": {media_type: media}})
}

fn parameters<P, C, A>(route: &Route<P, C, A>) -> Vec<Value> {
    let mut parameters: Vec<Value> = route
        .parameters()
        .into_iter()
        .map(|name| {
            let schema = json!({"type": "string", "minLength": 1, "pattern": SEGMENT_PATTERN});
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    parameters.extend(route.query.iter().map(|field| {
        json!({
            "name": field.name,
            "in": "query",
            "required": field.required,
            "description": field.about,
            "schema": field.given_schema(),
        })
    }));
    if route.repeat == Repeat::Key {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Makes it safe to repeat the request: a repeat gets the first reply, and the work is not done again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }));
    }
    if takes_if_match(route) {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": false,
            "description": "Change the record only if one of these tags is its ETag, or * for any.",
            "schema": {"type": "string", "pattern": tags::PATTERN},
        }));
    }
    parameters
}

/// True for a change that accepts `If-Match`.
fn takes_if_match<P, C, A>(route: &Route<P, C, A>) -> bool {
    route.errors.contains(&codes::PRECONDITION_FAILED)
}
