//! A request's record on the wire.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::limits::REQUEST_DECIDERS;
use crate::rest::field::{Field, Type};
use crate::store;
use crate::store::requests::{self, Request, RequestKind, RequestState};
use crate::time::Micros;

/// What a question is answered with where it names no options.
pub(super) const YES_NO: [&str; 2] = ["yes", "no"];
/// The kinds on the wire: a join is no row, it lives in memory.
const KINDS: &[&str] = &["scope", "grant", "confirm", "join"];
/// The state of a reply to a request for something that the agent already has.
const STATES: &[&str] = &["pending", "approved", "denied", "expired", "withdrawn", "ended", "revoked", "not_needed"];

const AGENT: &[Field] = &[
    Field::shown("id", "The agent's id."),
    Field::shown("name", "Its name."),
    Field::unbounded("last_used_at", "kind join: when its token was last used.").nullable(),
];
const ANSWER: &[Field] = &[
    Field::integer("option", 0, 16, "The option, counted from 0.").required().nullable(),
    Field::shown("text", "The option in words, or the answer."),
];

/// A request's record.
pub const RECORD: &[Field; 20] = &[
    Field::shown("id", "The id."),
    Field::word("kind", KINDS, "What it asks for.").required(),
    Field::word("state", STATES, "Where it stands.").required(),
    Field::of("agent", Type::Object(AGENT), "The agent that asks.").required().nullable(),
    Field::shown("requester", "Who asks: agent:NAME, of a join peer:ADDRESS."),
    Field::shown("reason", "Why."),
    Field::of("asked", Type::AnyObject, "What is asked for.").required(),
    Field::of("granted", Type::AnyObject, "What was granted.").required().nullable(),
    Field::integer("duration_seconds", 60, i64::MAX, "For how long; null: until it is taken back.")
        .required()
        .nullable(),
    Field::shown("until", "When what was granted ends.").nullable(),
    Field::unbounded_texts("options", "The options of a question.").required().nullable(),
    Field::of("answer", Type::Object(ANSWER), "The answer to a question.").required().nullable(),
    Field::shown("note", "What the decider says to it.").nullable(),
    Field::unbounded_texts("deciders", "Who may decide, by username.").required(),
    Field::shown("decided_by", "Who decided, by username.").nullable(),
    Field::shown("created_at", "When it was asked."),
    Field::shown("expires_at", "Until when it can be decided."),
    Field::shown("decided_at", "When it was decided.").nullable(),
    // Of a join alone.
    Field::unbounded("code", "The code of a join, as its caller sees it."),
    Field::unbounded("peer", "The address that a join comes from."),
];

/// The reply to a request: the record, or only the state `not_needed`.
pub const RESULT: &[Field; 20] = &{
    let (mut fields, mut nth) = (*RECORD, 0);
    while nth < fields.len() {
        // `state` always comes.
        fields[nth].required = nth == 2;
        nth += 1;
    }
    fields
};

/// A JSON value as stored.
pub(super) fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The options of a question; none for one that is answered in words, and for what is no question.
pub(super) fn options(kind: RequestKind, asked: &Value) -> Vec<String> {
    if kind != RequestKind::Confirm {
        return Vec::new();
    }
    match asked["options"].as_array() {
        Some(all) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        None => YES_NO.map(str::to_owned).to_vec(),
    }
}

/// The answer of an answered question.
pub fn answer_of(request: &Request) -> Option<Value> {
    request.answer.as_deref().map(stored)
}

/// A request as this caller sees it.
///
/// # Errors
/// The store's.
pub fn show(conn: &Connection, request: &Request, caller: &Caller, now: Micros) -> store::Result<Value> {
    // Do not tell an agent who owns something, or whether it exists.
    let on = match caller.agent_id() {
        Some(_) => (None, None),
        None => (request.target_agent_id.as_deref(), request.target_space_id.as_deref()),
    };
    let found = requests::deciders(conn, &request.owner_id, on, now, REQUEST_DECIDERS)?;
    let mut deciders: Vec<String> = Vec::new();
    for (_, name) in found {
        if !deciders.contains(&name) {
            deciders.push(name);
        }
    }
    Ok(record(request, &deciders, now))
}

/// The record.
pub(super) fn record(request: &Request, deciders: &[String], now: Micros) -> Value {
    let asked = stored(&request.asked);
    let options = options(request.kind, &asked);
    let state = request.state_at(now);
    // What nobody decided has no end of its own.
    let until = request.until.filter(|_| state != RequestState::Pending);
    json!({
        "id": request.id,
        "kind": request.kind,
        "state": state,
        "agent": {"id": request.agent_id, "name": request.agent},
        "requester": format!("agent:{}", request.agent),
        "reason": request.reason,
        "asked": asked,
        "granted": request.granted.as_deref().map(stored),
        "duration_seconds": request.duration_seconds,
        "until": until.map(Micros::millis),
        "options": if options.is_empty() { Value::Null } else { json!(options) },
        "answer": answer_of(request),
        "note": request.note,
        "deciders": deciders,
        "decided_by": request.decided_by,
        "created_at": request.created_at.millis(),
        "expires_at": request.expires_at.millis(),
        "decided_at": request.decided_at.map(Micros::millis),
    })
}
