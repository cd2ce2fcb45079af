//! The record of a request in replies.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::limits::REQUEST_DECIDERS;
use crate::rest::field::{Field, Type};
use crate::store;
use crate::store::requests::{self, Request, RequestKind, RequestState};
use crate::time::Micros;

/// The options of a question that names none.
pub(super) const YES_NO: [&str; 2] = ["yes", "no"];
/// The kinds in a record. A join is not stored as a request; it waits in memory.
const KINDS: &[&str] = &["scope", "grant", "confirm", "join"];
/// The states in a record. `not_needed`: the agent already has what it asks for.
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

/// The fields of a request's record.
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
    // Only a join has these.
    Field::unbounded("code", "The code of a join, as its caller sees it."),
    Field::unbounded("peer", "The address that a join comes from."),
];

/// The fields of the reply to a new request: the record, or only the state `not_needed`.
pub const RESULT: &[Field; 20] = &{
    let (mut fields, mut nth) = (*RECORD, 0);
    while nth < fields.len() {
        // Only `state` is always there.
        fields[nth].required = nth == 2;
        nth += 1;
    }
    fields
};

/// Parses a stored JSON value; `null` if that fails.
pub(super) fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Returns the options of a question; none if the answer is free text or the request is not a question.
pub(super) fn options(kind: RequestKind, asked: &Value) -> Vec<String> {
    if kind != RequestKind::Confirm {
        return Vec::new();
    }
    match asked["options"].as_array() {
        Some(all) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        None => YES_NO.map(str::to_owned).to_vec(),
    }
}

/// Returns the answer of a question that has one.
pub fn answer_of(request: &Request) -> Option<Value> {
    request.answer.as_deref().map(stored)
}

/// Returns the record of a request as this caller sees it.
///
/// # Errors
/// Any `StoreError`.
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

/// Returns the record of a request.
pub(super) fn record(request: &Request, deciders: &[String], now: Micros) -> Value {
    let asked = stored(&request.asked);
    let options = options(request.kind, &asked);
    let state = request.state_at(now);
    // A pending request has granted nothing that could end.
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
