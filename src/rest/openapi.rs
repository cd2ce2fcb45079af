//! `/openapi.json`: OpenAPI 3.1.0, made from the table of routes.

use std::collections::{BTreeMap, BTreeSet};

use hyper::http::Method;
use serde_json::{Map, Value, json};

use super::class::Class;
use super::codes::{self, Code};
use super::error::{ApiError, Dialect};
use super::field::{Field, Type, object_schema};
use super::route::{Access, Answer, BodyKind, Repeat, Route};

/// The document for these tables.
pub fn document<P, C, A>(tables: &[&'static [Route<P, C, A>]]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in tables.iter().flat_map(|table| table.iter()) {
        let path = route.path.replace("...}", "}");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_lowercase()] = operation(route);
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
            "schemas": {"Error": error_schema(), "AgentexError": agentex_error_schema()},
        },
    })
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
        "description": "What went wrong, in the shape Agentex clients read, how to fix it, and a page that explains it.",
        "required": ["message", "code", "data", "error", "fix", "doc_url"],
        "properties": {
            "message": {"type": "string", "description": "What went wrong in this case."},
            "code": {"type": "integer", "description": "The status."},
            "data": {"type": "null", "description": "Always null."},
            "error": {"type": "string", "description": "A stable code."},
            "status_code": {"type": "integer", "description": "10422 where an input is refused."},
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
    if let BodyKind::Json(fields) = route.body
        && !fields.is_empty()
    {
        operation["requestBody"] = request_body(route, fields);
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

fn request_body<P, C, A>(route: &Route<P, C, A>, fields: &[Field]) -> Value {
    let mut media = json!({"schema": object_schema(fields)});
    if let Ok(example) = serde_json::from_str::<Value>(route.example) {
        media["example"] = example;
    }
    json!({"required": fields.iter().any(|field| field.required), "content": {"application/json": media}})
}

fn parameters<P, C, A>(route: &Route<P, C, A>) -> Vec<Value> {
    let mut parameters: Vec<Value> = route
        .parameters()
        .into_iter()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(route.query.iter().map(|field| {
        json!({
            "name": field.name,
            "in": "query",
            "required": field.required,
            "description": field.about,
            "schema": field.schema(),
        })
    }));
    if route.repeat == Repeat::Key {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Makes a repeat of the request safe: it is answered, not done again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    }
    parameters
}

/// The codes a route can answer with: its own and those every route of its kind has.
pub fn codes_of<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all: Vec<&'static Code> = route.errors.to_vec();
    if route.dialect == Dialect::Ax {
        all.extend(ax_codes(route));
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.dialect == Dialect::Agentex {
        all.extend(agentex_codes(route));
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.action().is_some() {
        all.extend([codes::AUTH_REQUIRED, codes::INVALID_TOKEN, codes::RATE_LIMITED]);
        if !route.action().is_some_and(|action| action.is_implied()) {
            all.push(codes::SCOPE_DENIED);
        }
    }
    all.push(codes::VALIDATION_ERROR);
    all.push(codes::INVALID_JSON);
    all.push(codes::UNSUPPORTED_MEDIA_TYPE);
    if route.repeat == Repeat::Key {
        all.extend([codes::INVALID_IDEMPOTENCY_KEY, codes::IDEMPOTENCY_IN_FLIGHT, codes::IDEMPOTENCY_KEY_REUSED]);
    }
    let mut seen = BTreeSet::new();
    all.retain(|code| seen.insert(code.slug));
    all
}

/// What every route of the Agentex dialect can answer. What is not known is ignored there, and so is a body where none
/// is taken.
fn agentex_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all = Vec::new();
    if route.action().is_some() {
        all.extend([codes::UNAUTHENTICATED, codes::TWO_CREDENTIALS, codes::PAT_NOT_ALLOWED, codes::RATE_LIMITED]);
        all.push(codes::SCOPE_DENIED);
    }
    if matches!(route.body, BodyKind::Json(_)) {
        all.push(codes::UNSUPPORTED_MEDIA_TYPE);
    }
    let is_checked = |field: &Field| !matches!(field.kind, Type::Text { max: usize::MAX, .. });
    if matches!(route.body, BodyKind::Json(_)) || route.query.iter().any(is_checked) {
        all.push(codes::VALIDATION_ERROR);
    }
    if route.repeat == Repeat::Key {
        all.extend([codes::INVALID_IDEMPOTENCY_KEY, codes::IDEMPOTENCY_IN_FLIGHT, codes::IDEMPOTENCY_KEY_REUSED]);
    }
    all
}

/// What every route of the aX dialect can answer, by who may call it.
fn ax_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all = vec![codes::INVALID_REQUEST, codes::UNSUPPORTED_MEDIA_TYPE, codes::RATE_LIMITED];
    if let Access::Class(classes, ..) = route.access {
        all.extend([
            codes::NOT_AUTHENTICATED,
            codes::INVALID_TOKEN,
            codes::TOKEN_EXPIRED,
            codes::INVALID_CREDENTIAL,
            codes::INSUFFICIENT_SCOPE,
        ]);
        if !classes.contains(&Class::User) {
            all.push(codes::ADMIN_REQUIRED);
        } else if !classes.contains(&Class::Agent) {
            all.push(codes::USER_REQUIRED);
        }
    }
    all
}

/// True for slow work: what takes `wait` and changes something.
fn is_slow<P, C, A>(route: &Route<P, C, A>) -> bool {
    route.method != Method::GET && route.query.iter().any(|field| field.name == "wait")
}

/// The promise of slow work that has not ended yet.
fn pending() -> Value {
    const FIELDS: &[Field] = &[
        Field::word("status", &["pending"], "It goes on.").required(),
        Field::text("operation_id", usize::MAX, "The operation to follow.").required(),
        Field::text("name", usize::MAX, "The agent's slug."),
    ];
    json!({
        "description": "The work goes on as an operation.",
        "headers": {"Location": {"description": "The operation's path.", "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": object_schema(FIELDS)}},
    })
}

/// The end of slow work that is promised with the same fields: it has no operation to follow any more.
fn done(title: &str, fields: &[Field]) -> Value {
    let fields: Vec<Field> = fields.iter().filter(|field| field.name != "operation_id").copied().collect();
    json!({"description": title, "content": {"application/json": {"schema": object_schema(&fields)}}})
}

/// What a success carries beside its description.
fn success(answer: &Answer, title: &str) -> Value {
    let mut success = json!({"description": title});
    let text = |media: &&str| ((*media).to_owned(), json!({"schema": {"type": "string"}}));
    match answer {
        Answer::Object([]) => {
            success["content"] = json!({"application/json": {"schema": {"type": "object"}}});
        }
        Answer::Object(fields) | Answer::Upsert(fields) => {
            success["content"] = json!({"application/json": {"schema": object_schema(fields)}})
        }
        Answer::List(fields) => {
            success["content"] =
                json!({"application/json": {"schema": {"type": "array", "items": object_schema(fields)}}});
            success["headers"] = json!({"Link": {
                "description": "The next page, if there is one: <URL>; rel=\"next\".",
                "schema": {"type": "string"},
            }});
        }
        Answer::Array(fields) => {
            success["content"] =
                json!({"application/json": {"schema": {"type": "array", "items": object_schema(fields)}}});
        }
        Answer::Text => success["content"] = json!({"application/json": {"schema": {"type": "string"}}}),
        Answer::Foreign => success["content"] = json!({"*/*": {"schema": {}}}),
        Answer::Empty => {}
        Answer::Other(media) => success["content"] = Value::Object(media.iter().map(text).collect()),
        Answer::Or(answer, media) => {
            success = self::success(answer, title);
            if let Value::Object(content) = &mut success["content"] {
                content.extend(media.iter().map(text));
            }
        }
    }
    success
}

fn responses<P, C, A>(route: &Route<P, C, A>) -> Value {
    let (status, answer) = &route.answer;
    let success = success(answer, route.title);
    let mut responses = Map::from_iter([(status.to_string(), success.clone())]);
    if let Answer::Upsert(_) = answer {
        responses.insert("200".to_owned(), success);
    }
    match answer {
        Answer::Object(fields) if is_slow(route) && *status == 202 => {
            responses.insert("200".to_owned(), done(route.title, fields));
        }
        _ if is_slow(route) => {
            responses.insert("202".to_owned(), pending());
        }
        _ => {}
    }
    let mut by_status: BTreeMap<u16, Vec<&'static Code>> = BTreeMap::new();
    for code in codes_of(route) {
        by_status.entry(code.status).or_default().push(code);
    }
    for (status, codes) in by_status {
        let names: Vec<&str> = codes.iter().map(|code| code.slug).collect();
        responses.insert(
            status.to_string(),
            json!({
                "description": names.join(", "),
                "content": {"application/json": {
                    "schema": {"$ref": if route.dialect == Dialect::Agentex {
                        "#/components/schemas/AgentexError"
                    } else {
                        "#/components/schemas/Error"
                    }},
                    "example": ApiError::new(codes[0]).envelope(route.dialect),
                }},
            }),
        );
    }
    Value::Object(responses)
}
