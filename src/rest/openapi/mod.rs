//! `/openapi.json`: OpenAPI 3.1.0, made from the table of routes.

use std::collections::{BTreeMap, BTreeSet};

use hyper::http::Method;
use serde_json::{Map, Value, json};

use super::action::Action;
use super::class::Class;
use super::codes::{self, Code};
use super::error::{ApiError, Dialect};
use super::field::{Field, Type, object_schema, request_schema};
use super::route::{Access, Answer, BodyKind, Repeat, Route};
use super::tags;
use super::text::SEGMENT_PATTERN;

mod headers;
mod mcp;

/// The document for these tables.
///
/// `rules` says what holds between the fields of a route's body: the route's id, and keywords of JSON Schema.
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

/// `*`, every action, and every beginning of one.
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
            "description": "Makes a repeat of the request safe: it is answered, not done again.",
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
    if route.dialect == Dialect::OAuth {
        if matches!(route.body, BodyKind::Json(_) | BodyKind::RawOf(..)) {
            all.push(codes::UNSUPPORTED_MEDIA_TYPE);
        }
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.dialect == Dialect::Mcp {
        all.extend(mcp::CODES);
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
    if !matches!(route.answer.1, Answer::Foreign) {
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

/// What a route answers under another status than the code's own: the aX contract gives some a second one.
pub fn second_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<(u16, &'static Code)> {
    let mut all = Vec::new();
    if route.dialect != Dialect::Ax {
        return all;
    }
    if matches!(route.body, BodyKind::Json(fields) if !fields.is_empty()) {
        all.push((400, codes::INVALID_REQUEST));
    }
    match route.access {
        Access::Class(..) => all.extend([
            (401, codes::AGENT_FROZEN),
            (403, codes::PAT_NOT_ALLOWED),
            (403, codes::AUDIENCE_NOT_ALLOWED),
            (403, codes::FINGERPRINT_MISMATCH),
        ]),
        Access::Bearer(..) => all.push((401, codes::AGENT_FROZEN)),
        _ => {}
    }
    all
}

/// True for a change that can be bound to a revision.
fn takes_if_match<P, C, A>(route: &Route<P, C, A>) -> bool {
    route.errors.contains(&codes::PRECONDITION_FAILED)
}

/// What the edge may refuse on any path, before or around the route.
const EDGE: &[&Code] = &[
    codes::BAD_REQUEST,
    codes::INVALID_PATH,
    codes::HOST_NOT_ALLOWED,
    codes::BROWSER_REFUSED,
    codes::REQUEST_TIMEOUT,
    codes::BODY_TOO_LARGE,
    codes::TARGET_TOO_LONG,
    codes::EXPECTATION_FAILED,
    codes::HEADERS_TOO_LARGE,
    codes::INTERNAL,
    codes::BUSY,
    codes::SHUTTING_DOWN,
];

/// The edge's refusals by status, where a route has none of its own under the same.
fn edge_responses() -> Value {
    let mut all = Map::new();
    for dialect in [Dialect::Taos, Dialect::Ax, Dialect::Agentex, Dialect::OAuth, Dialect::Mcp] {
        for (status, codes) in by_status(in_dialect(EDGE, dialect)) {
            all.insert(edge_name(status, dialect), refusal(status, &codes, dialect, false));
        }
    }
    let codes = [codes::METHOD_NOT_ALLOWED];
    let unchanged = json!({
        "description": "The reply is still the one whose ETag the request names in If-None-Match.",
        "headers": headers::of_success(false, &["ETag"]),
    });
    all.insert("NotModified".to_owned(), unchanged);
    all.insert("MethodNotAllowed".to_owned(), refusal(405, &codes, Dialect::Taos, false));
    Value::Object(all)
}

fn edge_name(status: u16, dialect: Dialect) -> String {
    format!("Edge{status}-{}", dialect.name())
}

/// Codes with their statuses in a dialect.
fn in_dialect(codes: &[&'static Code], dialect: Dialect) -> impl Iterator<Item = (u16, &'static Code)> {
    codes.iter().map(move |code| (code.status_in(dialect), *code))
}

fn by_status(codes: impl Iterator<Item = (u16, &'static Code)>) -> BTreeMap<u16, Vec<&'static Code>> {
    let mut by_status: BTreeMap<u16, Vec<&'static Code>> = BTreeMap::new();
    for (status, code) in codes {
        let of_status = by_status.entry(status).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    by_status
}

/// The refusal with one of these codes.
fn refusal(status: u16, codes: &[&'static Code], dialect: Dialect, repeatable: bool) -> Value {
    let names: Vec<&str> = codes.iter().map(|code| code.slug).collect();
    let schema = match dialect {
        Dialect::Agentex => "AgentexError",
        Dialect::Mcp => "McpError",
        Dialect::Taos | Dialect::Ax | Dialect::OAuth | Dialect::Html => "Error",
    };
    json!({
        "description": names.join(", "),
        "headers": headers::of_refusal(status, codes, repeatable),
        "content": {"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{schema}")},
            "example": ApiError::new(codes[0]).envelope(dialect),
        }},
    })
}

/// True for slow work: what takes `wait` and changes something.
fn is_slow<P, C, A>(route: &Route<P, C, A>) -> bool {
    route.method != Method::GET && route.query.iter().any(|field| field.name == "wait")
}

/// The promise of slow work that has not ended yet.
fn pending(answer: &Answer, repeatable: bool) -> Value {
    const FIELDS: [Field; 3] = [
        Field::word("status", &["pending"], "It goes on.").required(),
        Field::unbounded("operation_id", "The operation to follow.").required(),
        Field::unbounded("name", "The agent's slug."),
    ];
    /// What of the reply is known at once.
    const KNOWN: &str = "frozen_at";
    let known = if let Answer::Object(fields) = answer { *fields } else { &[] };
    let fields: Vec<Field> =
        FIELDS.into_iter().chain(known.iter().filter(|field| field.name == KNOWN).copied()).collect();
    json!({
        "description": "The work continues as an operation.",
        "headers": headers::of_success(repeatable, &["Location"]),
        "content": {"application/json": {"schema": object_schema(&fields)}},
    })
}

/// The end of slow work that is promised with the same fields: it has no operation to follow any more.
fn done(title: &str, fields: &[Field], repeatable: bool) -> Value {
    let fields: Vec<Field> = fields.iter().filter(|field| field.name != "operation_id").copied().collect();
    let headers = headers::of_success(repeatable, &[]);
    json!({"description": title, "headers": headers, "content": {"application/json": {"schema": object_schema(&fields)}}})
}

/// What a success carries beside its description.
fn success(answer: &Answer, title: &str) -> Value {
    let mut success = json!({"description": title});
    // What a stream holds is events, and no one text.
    let text = |media: &&str| match *media {
        "text/event-stream" => ("text/event-stream".to_owned(), json!({})),
        media => (media.to_owned(), json!({"schema": {"type": "string"}})),
    };
    match answer {
        Answer::Object([]) => {
            success["content"] = json!({"application/json": {"schema": {"type": "object"}}});
        }
        Answer::Object(fields) | Answer::Upsert(fields) | Answer::Tagged(fields) | Answer::Made(fields) => {
            success["content"] = json!({"application/json": {"schema": object_schema(fields)}})
        }
        Answer::List(fields) => {
            success["content"] =
                json!({"application/json": {"schema": {"type": "array", "items": object_schema(fields)}}});
        }
        Answer::Array(fields) => {
            success["content"] =
                json!({"application/json": {"schema": {"type": "array", "items": object_schema(fields)}}});
            success["headers"] = json!({"Link": {
                "description": "The rest of a page that is too long for one answer: <URL>; rel=\"next\".",
                "schema": {"type": "string"},
            }});
        }
        Answer::Text => success["content"] = json!({"application/json": {"schema": {"type": "string"}}}),
        Answer::Foreign => success["content"] = json!({"*/*": {"schema": {}}}),
        Answer::Empty | Answer::EmptyOr(_) => {}
        Answer::Other(media) => success["content"] = Value::Object(media.iter().map(text).collect()),
        Answer::OrSeeOther(answer) | Answer::Fixed(answer) => return self::success(answer, title),
        Answer::Or(answer, media) => {
            success = self::success(answer, title);
            if let Value::Object(content) = &mut success["content"] {
                content.extend(media.iter().map(text));
            }
        }
    }
    success
}

/// The headers of a success, beside those of every reply.
fn of_answer(answer: &Answer) -> &'static [&'static str] {
    match answer {
        Answer::Tagged(_) => &["ETag"],
        Answer::Made(_) => &["Location"],
        Answer::List(_) => &["Link"],
        Answer::Or(answer, _) | Answer::OrSeeOther(answer) | Answer::Fixed(answer) => of_answer(answer),
        _ => &[],
    }
}

fn responses<P, C, A>(route: &Route<P, C, A>) -> Value {
    let (status, answer) = &route.answer;
    let repeatable = route.repeat == Repeat::Key;
    let mut success = success(answer, route.title);
    let tag: &[&str] = if route.is_tagged() { &["ETag"] } else { &[] };
    success["headers"] = headers::of_success(repeatable, &[of_answer(answer), tag].concat());
    let mut responses = Map::from_iter([(status.to_string(), success.clone())]);
    match answer {
        Answer::Upsert(_) => {
            responses.insert("200".to_owned(), success);
        }
        Answer::EmptyOr(fields) => {
            responses.insert("200".to_owned(), self::success(&Answer::Object(fields), route.title));
        }
        Answer::OrSeeOther(_) => {
            let headers = headers::of_success(false, &["Location"]);
            let description = "The page for people, where HTML is asked for.";
            responses.insert("303".to_owned(), json!({"description": description, "headers": headers}));
        }
        Answer::Object(fields) if is_slow(route) && *status == 202 => {
            responses.insert("200".to_owned(), done(route.title, fields, repeatable));
        }
        _ if is_slow(route) => {
            responses.insert("202".to_owned(), pending(answer, repeatable));
        }
        _ => {}
    }
    if route.is_tagged() {
        responses.insert("304".to_owned(), json!({"$ref": "#/components/responses/NotModified"}));
    }
    let mut own: Vec<_> = in_dialect(&codes_of(route), route.dialect).collect();
    own.extend(second_codes(route));
    let has_own: BTreeSet<u16> = own.iter().map(|(status, _)| *status).collect();
    for (status, codes) in by_status(own.into_iter().chain(in_dialect(EDGE, route.dialect))) {
        let response = if has_own.contains(&status) || answer.may_be_page() {
            let mut refusal = refusal(status, &codes, route.dialect, repeatable);
            if answer.may_be_page() {
                refusal["content"]["text/html"] = json!({"schema": {"type": "string"}});
            }
            refusal
        } else {
            json!({"$ref": format!("#/components/responses/{}", edge_name(status, route.dialect))})
        };
        responses.insert(status.to_string(), response);
    }
    if route.dialect == Dialect::Mcp {
        mcp::add_responses(&mut responses);
    }
    Value::Object(responses)
}
