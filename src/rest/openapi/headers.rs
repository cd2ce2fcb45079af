//! The headers of replies in the document: each is declared once, and replies refer to it.

use serde_json::{Map, Value, json};

use crate::rest::codes::{self, Code};

/// Name, description and type of each header.
const ALL: &[(&str, &str, &str)] = &[
    ("X-Request-Id", "The request's id, as in the daemon's log; the client's own if it sent a valid one.", "string"),
    (
        "ETag",
        "In double quotes: for a record its revision, to send in If-Match; for other reads a hash of the body, to send in If-None-Match.",
        "string",
    ),
    ("Location", "The path of what was made, of the operation to follow, or of the page to read.", "string"),
    ("Link", "The next page, if there is one: <URL>; rel=\"next\".", "string"),
    ("Retry-After", "Seconds to wait before the next try.", "integer"),
    (
        "Idempotent-Replayed",
        "true if this is the stored reply to the first request with this Idempotency-Key.",
        "string",
    ),
    ("WWW-Authenticate", "Bearer.", "string"),
    ("Allow", "The methods that the path takes.", "string"),
    ("Accept-Encoding", "identity, if the body was compressed.", "string"),
];

/// The headers that are always in a reply with their status.
const ALWAYS: &[&str] = &["X-Request-Id", "WWW-Authenticate", "Allow"];

/// `components.headers`.
pub fn components() -> Value {
    let header = |(name, about, kind): &(&str, &str, &str)| {
        let required = ALWAYS.contains(name);
        ((*name).to_owned(), json!({"description": about, "required": required, "schema": {"type": kind}}))
    };
    Value::Object(ALL.iter().map(header).collect())
}

fn refer<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let header = |name: &str| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    Value::Object(names.map(header).collect::<Map<_, _>>())
}

/// The headers of a success: those of every reply, `more`, and `Idempotent-Replayed` if the reply is stored.
pub fn of_success(repeatable: bool, more: &[&'static str]) -> Value {
    let replayed = repeatable.then_some("Idempotent-Replayed");
    refer(["X-Request-Id"].into_iter().chain(more.iter().copied()).chain(replayed))
}

/// The headers of a refusal with one of these codes.
pub fn of_refusal(status: u16, codes: &[&'static Code], repeatable: bool) -> Value {
    let waits = matches!(status, 429 | 503) || codes.contains(&codes::IDEMPOTENCY_IN_FLIGHT);
    let stored = repeatable && !matches!(status, 401 | 403 | 408 | 429) && status < 500;
    let more = [
        ("WWW-Authenticate", status == 401),
        ("Allow", status == 405),
        ("Accept-Encoding", status == 415),
        ("Retry-After", waits),
        ("Idempotent-Replayed", stored),
    ];
    refer(["X-Request-Id"].into_iter().chain(more.into_iter().filter(|(_, comes)| *comes).map(|(name, _)| name)))
}
