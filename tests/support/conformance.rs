//! Checks that must hold for every reply. The tests' client runs them on every reply that it receives.
//!
//! They check the standard headers, the envelope of errors, that the route declares the status and the code, and that
//! the body has the shape that `/openapi.json` promises.

use std::sync::OnceLock;

use serde_json::Value;
use taosd::api::{ApiRoute, routes};
use taosd::rest::codes::{self, Code};
use taosd::rest::error::Dialect;
use taosd::rest::openapi;
use taosd::rest::route::Answer;

use super::Reply;
use super::schema;

/// Codes that any route may return and that no route declares: those of the edge, and the daemon's own errors.
pub const GENERAL: &[&Code] = &[
    codes::BAD_REQUEST,
    codes::INVALID_PATH,
    codes::REQUEST_TIMEOUT,
    codes::BODY_TOO_LARGE,
    codes::TARGET_TOO_LONG,
    codes::EXPECTATION_FAILED,
    codes::HEADERS_TOO_LARGE,
    codes::TRANSFER_ENCODING_UNSUPPORTED,
    codes::HTTP_VERSION_UNSUPPORTED,
    codes::TOO_MANY_CONNECTIONS,
    codes::BUSY,
    codes::READ_TOO_SLOW,
    codes::SHUTTING_DOWN,
    codes::HOST_NOT_ALLOWED,
    codes::NOT_FOUND,
    codes::METHOD_NOT_ALLOWED,
    codes::BROWSER_REFUSED,
    codes::WRONG_CHANNEL,
    codes::CANCELLED,
    codes::INTERRUPTED,
    codes::INTERNAL,
    codes::STORAGE_FULL,
    codes::STORAGE_READ_ONLY,
    codes::STORAGE_DAMAGED,
    codes::STORAGE_GONE,
    codes::PAT_NOT_ALLOWED,
    codes::CSRF_REFUSED,
    codes::AUDIENCE_NOT_ALLOWED,
    codes::FINGERPRINT_MISMATCH,
    codes::AGENT_FROZEN,
];

/// Codes that a contract sends with a second status.
const TWICE: &[(&Code, u16)] = &[
    (codes::AUDIENCE_NOT_ALLOWED, 403),
    (codes::FINGERPRINT_MISMATCH, 403),
    (codes::INVALID_REQUEST, 400),
    (codes::AGENT_FROZEN, 401),
];

/// The beginnings of details that a contract words itself, outside the aX dialect.
const WORDED: &[&str] = &["PATs cannot be used on business routes", "Field required: "];

/// The public keys: the only JSON that a client may cache.
const JWKS: &str = "/.well-known/jwks.json";

/// Returns the route that serves this method on this path (without a query). Literal segments win over parameters.
pub fn route_of(method: &str, path: &str) -> Option<&'static ApiRoute> {
    let method = if method == "HEAD" { "GET" } else { method };
    let fits = |route: &&ApiRoute| route.method.as_str() == method && matches(route.path, path);
    let all = routes().iter().flat_map(|table| table.iter());
    all.filter(fits).min_by_key(|route| route.path.split('/').map(|s| s.starts_with('{')).collect::<Vec<_>>())
}

/// Returns true if a path matches this pattern.
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut given = path.split('/').filter(|s| !s.is_empty());
    for wanted in pattern.split('/').filter(|s| !s.is_empty()) {
        match given.next() {
            None => return false,
            Some(_) if wanted.ends_with("...}") => return true,
            Some(_) if wanted.starts_with('{') => {}
            Some(segment) if segment == wanted => {}
            Some(_) => return false,
        }
    }
    given.next().is_none()
}

/// Returns the document of `/openapi.json`, which is built once.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| taosd::api::surface(taosd::api::routes()))
}

/// Fails unless this reply obeys the rules of every reply.
#[track_caller]
pub fn check(method: &str, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap_or(target);
    let route = route_of(method, path);
    headers(method, path, reply);
    // The pages of the console, with their files, and the other HTML pages are for people.
    if is_console(path)
        || route.is_none() && reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    {
        return;
    }
    if method == "HEAD" || reply.status == 204 {
        assert!(reply.body.is_empty(), "{method} {target}: {}", reply.text());
        return;
    }
    match route {
        _ if reply.status >= 400 => error(method, target, reply, route),
        Some(route) => success(route, reply),
        None => {}
    }
}

/// Returns true for the paths of the console.
fn is_console(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/") || path == "/favicon.ico"
}

#[track_caller]
fn headers(method: &str, path: &str, reply: &Reply) {
    let what = format!("{method} {path}: {:?}", reply.headers);
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{what}");
    let id = reply.header("x-request-id").unwrap_or("");
    assert!(
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "{what}"
    );
    assert!(reply.header("server").is_none(), "{what}");
    assert!(!reply.headers.iter().any(|(n, _)| n.to_ascii_lowercase().starts_with("access-control-")), "{what}");
    let opens = ["/api/sessions", "/login/"].iter().any(|start| path.starts_with(start))
        || ["/ui/login", "/ui/logout"].contains(&path);
    assert!(reply.header("set-cookie").is_none() || opens, "{what}");
    let names: std::collections::BTreeSet<_> = reply.headers.iter().map(|(n, _)| n.to_ascii_lowercase()).collect();
    assert_eq!(names.len(), reply.headers.len(), "a header stands twice: {what}");
    let kind = reply.header("content-type").unwrap_or("");
    if path == "/api" || path.starts_with("/api/") || path != JWKS && kind == "application/json" {
        // Downloads have the value of the aX contract, section 10.
        let file = path.starts_with("/api/v1/uploads/files/") && reply.status == 200;
        assert_eq!(reply.header("cache-control"), Some(if file { "private, no-store" } else { "no-store" }), "{what}");
    }
    if kind.starts_with("text/") {
        assert!(kind.ends_with("charset=utf-8"), "{what}");
    }
    if kind.starts_with("text/html") {
        let policy = reply.header("content-security-policy").unwrap_or("");
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{what}");
    }
    if let Some(length) = reply.header("content-length").filter(|_| method != "HEAD") {
        assert_eq!(length.parse(), Ok(reply.body.len()), "{what}");
    }
}

/// Returns true for a sentence, with or without a command at the end, and for `field: problem`.
fn is_plain(told: &str) -> bool {
    let is_field = told.split_once(": ").is_some_and(|(field, _)| !field.contains(' '));
    let is_worded = WORDED.iter().any(|words| told.starts_with(words));
    let is_sentence = !told.starts_with(char::is_lowercase) && told.ends_with(['.', '?', ')']);
    is_field || is_sentence || is_worded || told.contains(". As root: ")
}

#[track_caller]
fn error(method: &str, target: &str, reply: &Reply, route: Option<&ApiRoute>) {
    let what = format!("{method} {target}: {} {}", reply.status, reply.text());
    // A route of a page may send its errors as a page.
    let may_be_page = |route: &ApiRoute| route.answer.1.may_be_page();
    if route.is_some_and(may_be_page) && reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    {
        return;
    }
    assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
    let body = reply.json();
    if path_is_mcp(target) {
        return mcp_error(&what, reply, &body);
    }
    // The aX dialect has the code inside `detail`, and the text for people in `error`.
    let ax = body["detail"].is_object();
    let agentex = body.get("message").is_some();
    let (slug, told) = match (ax, agentex) {
        (true, _) => (&body["detail"]["error"], &body["error"]),
        (_, true) => (&body["error"], &body["message"]),
        _ => (&body["error"], &body["detail"]),
    };
    let code = codes::by_slug(slug.as_str().unwrap_or("")).unwrap_or_else(|| panic!("no such code: {what}"));
    let dialect = route.map_or(Dialect::Taos, |route| route.dialect);
    let own = code.status_in(dialect);
    assert!(reply.status == own || TWICE.contains(&(code, reply.status)), "{what}");
    let fits = |route: &ApiRoute| (ax, agentex) == (route.dialect == Dialect::Ax, route.dialect == Dialect::Agentex);
    assert!(route.is_none_or(fits), "another dialect's envelope: {what}");
    if agentex {
        assert_eq!((&body["code"], &body["data"]), (&Value::from(reply.status), &Value::Null), "{what}");
        let last = matches!(reply.status, 409 | 501) && code != codes::IDEMPOTENCY_IN_FLIGHT;
        assert_eq!(reply.header("x-should-retry"), last.then_some("false"), "{what}");
        assert_eq!(body.get("status_code").is_some(), reply.status == 422, "{what}");
    }
    assert_eq!(body["fix"], code.fix, "{what}");
    assert_eq!(body["doc_url"], code.doc_url_in(dialect), "{what}");
    assert!(told.as_str().is_some_and(|told| !told.is_empty()), "{what}");
    // The aX contract, section 2, words its errors itself. Errors of OAuth begin with the parameter.
    let otherwise = ax || body.get("error_description").is_some();
    assert!(
        otherwise || told.as_str().is_some_and(is_plain),
        "neither a sentence nor a field and what is wrong with it: {what}"
    );
    match reply.status {
        401 => {
            let scheme = reply.header("www-authenticate").unwrap_or_default();
            // An OAuth client that used the `Authorization` header gets the scheme `Basic`.
            let is_client = code == codes::INVALID_CLIENT && scheme == "Basic realm=\"taosd\"";
            assert!(scheme == "Bearer" || is_client, "{what}");
        }
        405 => assert!(reply.header("allow").is_some(), "{what}"),
        429 | 503 => {
            let seconds = reply.header("retry-after").and_then(|s| s.parse::<u64>().ok());
            assert!(seconds.is_some_and(|s| s >= 1), "{what} {:?}", reply.headers);
        }
        _ => {}
    }
    if code == codes::VALIDATION_ERROR {
        let fields = body["fields"].as_array().unwrap_or_else(|| panic!("no fields: {what}"));
        assert!(
            !fields.is_empty() && fields.iter().all(|f| f["field"].is_string() && f["problem"].is_string()),
            "{what}"
        );
    }
    if let Some(route) = route {
        let declared = openapi::codes_of(route).contains(&code) || GENERAL.contains(&code);
        assert!(declared, "{} does not declare {}: {what}", route.id, code.slug);
        let told = matches!(route.dialect, Dialect::OAuth | Dialect::Ax);
        let second = route.dialect == Dialect::Ax && TWICE.contains(&(code, reply.status));
        if told && (second || !GENERAL.contains(&code)) {
            told_as_sent(route, reply, code);
        }
    }
}

/// Fails unless the document names a refusal of an OAuth or aX route under the status that the reply has.
#[track_caller]
fn told_as_sent(route: &ApiRoute, reply: &Reply, code: &Code) {
    let told = operation(route)["responses"][reply.status.to_string()]["description"].as_str().unwrap_or_default();
    let is_told = told.split(", ").any(|slug| slug == code.slug);
    assert!(is_told, "{} has {} {}, its document says {told:?} there", route.id, reply.status, code.slug);
}

/// Returns the document's entry for a route.
fn operation(route: &ApiRoute) -> &'static Value {
    &document()["paths"][route.path.replace("...}", "}")][route.method.as_str().to_lowercase()]
}

/// Returns true for the MCP endpoint, which speaks JSON-RPC.
fn path_is_mcp(target: &str) -> bool {
    target.split('?').next().is_some_and(|path| path.trim_end_matches('/') == "/mcp")
}

/// Checks an error of JSON-RPC. If it has a code of taosd, checks the rest of the envelope too.
#[track_caller]
fn mcp_error(what: &str, reply: &Reply, body: &Value) {
    let schema = &document()["components"]["schemas"]["McpError"];
    let problems = schema::problems(document(), schema, body);
    assert!(problems.is_empty(), "{problems:?}: {what}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
    let data = &body["error"]["data"];
    if let Some(slug) = data["error"].as_str() {
        let code = codes::by_slug(slug).unwrap_or_else(|| panic!("no such code: {what}"));
        assert_eq!(reply.status, code.status, "{what}");
        assert_eq!(data["fix"], code.fix, "{what}");
        assert_eq!(data["doc_url"], code.doc_url(), "{what}");
        assert!(data["detail"].as_str().is_some_and(|told| !told.is_empty()), "{what}");
    }
    match reply.status {
        401 => {
            assert!(reply.header("www-authenticate").is_some_and(|told| told.starts_with("Bearer realm=")), "{what}")
        }
        405 => assert!(reply.header("allow").is_some(), "{what}"),
        _ => {}
    }
}

#[track_caller]
fn success(route: &ApiRoute, reply: &Reply) {
    if matches!(route.answer.1, Answer::Foreign) {
        return;
    }
    let declared = &operation(route)["responses"][reply.status.to_string()];
    assert!(declared.is_object(), "{} does not declare {}: {}", route.id, reply.status, reply.text());
    let kind = reply.header("content-type").unwrap_or("").split(';').next().unwrap_or("").to_owned();
    let Some(content) = declared["content"].as_object() else {
        assert!(reply.body.is_empty(), "{} declares no body: {}", route.id, reply.text());
        return;
    };
    let media = content.get(&kind).unwrap_or_else(|| panic!("{} does not declare {kind:?}", route.id));
    if kind == "application/json" {
        let problems = schema::problems(document(), &media["schema"], &reply.json());
        assert!(problems.is_empty(), "{}: {problems:?} in {}", route.id, reply.text());
    }
}
