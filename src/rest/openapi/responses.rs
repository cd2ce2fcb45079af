//! The replies of a route: successes, promises of slow work, and refusals.

use std::collections::{BTreeMap, BTreeSet};

use hyper::http::Method;
use serde_json::{Map, Value, json};

use super::own_codes::{codes_of, second_codes};
use super::refusal::refusal;
use super::{headers, mcp};
use crate::rest::codes::{self, Code};
use crate::rest::error::Dialect;
use crate::rest::field::{Field, object_schema};
use crate::rest::route::{Answer, Repeat, Route};

/// The codes that the edge may refuse with on any path, before or around the route.
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

/// The edge's refusals by status. A route that has codes of its own for a status lists both instead.
pub(super) fn edge_responses() -> Value {
    let mut all = Map::new();
    for dialect in [Dialect::Taos, Dialect::Ax, Dialect::Agentex, Dialect::OAuth, Dialect::Mcp] {
        for (status, codes) in by_status(in_dialect(EDGE, dialect)) {
            all.insert(edge_name(status, dialect), refusal(status, &codes, dialect, false));
        }
    }
    let codes = [codes::METHOD_NOT_ALLOWED];
    let unchanged = json!({
        "description": "The reply is the same as the one whose ETag is in If-None-Match.",
        "headers": headers::of_success(false, &["ETag"]),
    });
    all.insert("NotModified".to_owned(), unchanged);
    all.insert("MethodNotAllowed".to_owned(), refusal(405, &codes, Dialect::Taos, false));
    Value::Object(all)
}

fn edge_name(status: u16, dialect: Dialect) -> String {
    format!("Edge{status}-{}", dialect.name())
}

/// Pairs codes with their statuses in a dialect.
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

/// True for slow work: a route that changes something and has the parameter `wait`.
fn is_slow<P, C, A>(route: &Route<P, C, A>) -> bool {
    route.method != Method::GET && route.query.iter().any(|field| field.name == "wait")
}

/// Describes the 202 reply for slow work that has not ended yet.
fn pending(answer: &Answer, repeatable: bool) -> Value {
    const FIELDS: [Field; 3] = [
        Field::word("status", &["pending"], "It goes on.").required(),
        Field::unbounded("operation_id", "The operation to follow.").required(),
        Field::unbounded("name", "The agent's slug."),
    ];
    let known = if let Answer::Object(fields) = answer { *fields } else { &[] };
    let fields: Vec<Field> = FIELDS.into_iter().chain(known.iter().filter(|field| field.promised).copied()).collect();
    json!({
        "description": "The work continues as an operation.",
        "headers": headers::of_success(repeatable, &["Location"]),
        "content": {"application/json": {"schema": object_schema(&fields)}},
    })
}

/// Describes the reply for slow work that has ended: the same fields, without the operation to follow.
fn done(title: &str, fields: &[Field], repeatable: bool) -> Value {
    let fields: Vec<Field> = fields.iter().filter(|field| field.name != "operation_id").copied().collect();
    let headers = headers::of_success(repeatable, &[]);
    json!({"description": title, "headers": headers, "content": {"application/json": {"schema": object_schema(&fields)}}})
}

/// Describes the content of a success.
fn success(answer: &Answer, title: &str) -> Value {
    let mut success = json!({"description": title});
    // A stream consists of events, not of one text.
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

/// The headers of a success, without those of every reply.
fn of_answer(answer: &Answer) -> &'static [&'static str] {
    match answer {
        Answer::Tagged(_) => &["ETag"],
        Answer::Made(_) => &["Location"],
        Answer::List(_) => &["Link"],
        Answer::Or(answer, _) | Answer::OrSeeOther(answer) | Answer::Fixed(answer) => of_answer(answer),
        _ => &[],
    }
}

pub(super) fn responses<P, C, A>(route: &Route<P, C, A>) -> Value {
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
