//! Shared context: values that the members of a space leave for each other (aX contract, section 10).

use std::sync::Arc;

use hyper::http::Method;
use serde_json::{Value, json};

use super::{ID_CHARS, allowance, checked};
use crate::access::{Action, SpaceRole, resolve_space};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Written};
use crate::api::engine::paging::{self, Listing};
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams::{self, Streams};
use crate::limits::{CONTEXT_KEY_CHARS, CONTEXT_TTL, CONTEXT_VALUE_BYTES};
use crate::rest::class::UA_AG;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::tool::{Effect, Tool};
use crate::store::context::{self, ContextEntry, ContextRange, NewEntry};
use crate::time::Micros;

const DOC: &str = "recipes/sharing-a-file#context";

pub(super) const SPACE: Field = Field::text("space_id", ID_CHARS, "The space; the caller's default one if absent.");

const TTL: Field = Field::integer("ttl", 1, CONTEXT_TTL.0, "The lifetime in seconds that the value was set with.")
    .required()
    .nullable();
/// The key of the path, as an argument of a tool.
const PATH_KEY: Field = Field::text("key", CONTEXT_KEY_CHARS, "The key, as it is.");
const ENTRY: &[Field] = &[
    Field::shown("key", "The key."),
    Field::shown("value", "The value."),
    Field::integer("size", 0, i64::MAX, "The value's bytes.").required(),
    Field::shown("space_id", "The space's id."),
    TTL,
    Field::shown("expires_at", "When the value expires; null after a promotion.").nullable(),
    Field::shown("artifact_type", "The type that the value was promoted as.").nullable(),
    Field::shown("created_by", "The member that last set the value."),
    Field::shown("created_at", "When the value was first set."),
    Field::shown("updated_at", "When the value was last set."),
];

const KEY: Field =
    Field::text("key", CONTEXT_KEY_CHARS, "The key, without control characters.").required().not_empty().line();
const VALUE: Field = Field::text("value", CONTEXT_VALUE_BYTES, "The value, at most 384 KiB.").required();
const PREFIX: Field = Field::text("prefix", CONTEXT_KEY_CHARS, "Only keys that begin with this text.");
const ARTIFACT_TYPE: Field =
    Field::text("artifact_type", 64, "The type of the value, such as RESEARCH.").required().not_empty();
/// The rows of the route table for shared context.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/api/v1/context", UA_AG, Action::ContextWrite, set)
        .described(
            "context_set",
            "Set a context value",
            "Stores the value under its key in the space and replaces an earlier one. The value expires after ttl seconds.",
            DOC,
        )
        .taking(
            &[
                KEY,
                VALUE,
                SPACE,
                Field::integer("ttl", 1, CONTEXT_TTL.0, "Seconds until the value expires; 86400 if absent."),
            ],
            r#"{"key": "spec:build", "value": "ready", "ttl": 3600}"#,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::flag("ok", "Always true.").required(),
                Field::shown("key", "The key."),
                Field::shown("space_id", "The space's id."),
                Field::integer("ttl", 1, CONTEXT_TTL.0, "Seconds until the value expires.").required(),
                Field::shown("expires_at", "When the value expires."),
            ]),
        )
        .repeatable()
        .failing(WRITE)
        .offering(Tool::new(
            "context_set",
            Effect::Changes,
            "Leave a value for the other members of a space under a key, in place of the value before. It ends after ttl \
                seconds (a day if absent). Not for secrets.",
        )),
    checked(Method::GET, "/api/v1/context", UA_AG, Action::ContextList, list)
        .described(
            "context_list",
            "List the context",
            "The values in the order of their keys. A page also ends after max_page_bytes; the Link header leads to the next page.",
            DOC,
        )
        .asking(&[
            PREFIX,
            SPACE,
            paging::LIMIT,
            Field::text(
                "cursor",
                6 * CONTEXT_KEY_CHARS,
                "The position in the list, from the Link header of the previous page.",
            ),
        ])
        .answering(200, Answer::List(ENTRY))
        .failing(&[codes::SPACE_NOT_FOUND, codes::INVALID_CURSOR])
        .offering(
            Tool::new(
                "context_list",
                Effect::Reads,
                "List the keys of a space's shared context, with the size of each value, who set it and when it ends. \
                    Read a value with context_get.",
            )
            .leaving_out(&["value", "space_id", "ttl", "artifact_type", "created_at", "updated_at"]),
        ),
    checked(Method::GET, "/api/v1/context/{context_key}", UA_AG, Action::ContextRead, get)
        .described("context_read", "Read a context value", "The path takes the key in percent-encoding, slashes included.", DOC)
        .asking(&[SPACE])
        .answering(200, Answer::Object(ENTRY))
        .failing(&[codes::SPACE_NOT_FOUND, codes::CONTEXT_NOT_FOUND])
        .offering(
            Tool::new("context_get", Effect::Reads, "Read a value of a space's shared context by its key.").with_path(&[PATH_KEY]),
        ),
    checked(Method::DELETE, "/api/v1/context/{context_key}", UA_AG, Action::ContextDelete, delete)
        .described("context_delete", "Delete a context value", "The path takes the key in percent-encoding, slashes included.", DOC)
        .asking(&[SPACE])
        .answering(204, Answer::Empty)
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::CONTEXT_NOT_FOUND])
        .offering(
            Tool::new("context_delete", Effect::Changes, "Delete a key of a space's shared context, for everybody.")
                .with_path(&[PATH_KEY]),
        ),
    checked(Method::POST, "/api/v1/spaces/{space}/intelligence/promote", UA_AG, Action::ContextWrite, promote)
        .described("context_promote", "Keep a context value permanently", "The value no longer expires.", DOC)
        .taking(
            &[
                Field::text("key", CONTEXT_KEY_CHARS, "The key.").required().not_empty().line(),
                ARTIFACT_TYPE,
                Field::text("agent_id", ID_CHARS, "Ignored: the author comes from the credential."),
            ],
            r#"{"key": "spec:build", "artifact_type": "RESEARCH"}"#,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::flag("ok", "Always true.").required(),
                Field::shown("key", "The key."),
                Field::shown("artifact_type", "The type that the value was promoted as."),
            ]),
        )
        .repeatable()
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::CONTEXT_NOT_FOUND]),
];

/// The error codes of a request that sets a value.
const WRITE: &[&crate::rest::codes::Code] =
    &[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::PAYLOAD_TOO_LARGE, codes::QUOTA_EXCEEDED, codes::ALLOWANCE_USED];

fn show(entry: &ContextEntry) -> Value {
    json!({
        "key": entry.key,
        "value": entry.value,
        "size": entry.value.len(),
        "space_id": entry.space_id,
        "ttl": entry.ttl,
        "expires_at": entry.expires_at.map(Micros::micros),
        "artifact_type": entry.artifact_type,
        "created_by": entry.created_by,
        "created_at": entry.created_at.micros(),
        "updated_at": entry.updated_at.micros(),
    })
}

/// Returns the key if it may be set.
///
/// # Errors
/// 422 for one that is empty, too long, or has control characters.
pub fn key(text: &str) -> Result<&str, ApiError> {
    if text.is_empty() || text.chars().count() > CONTEXT_KEY_CHARS || text.contains(char::is_control) {
        let problem = format!("must have 1 to {CONTEXT_KEY_CHARS} characters, none of them a control character");
        return Err(ApiError::field("key", problem).in_dialect(Dialect::Ax));
    }
    Ok(text)
}

fn set(app: &App, call: Call) -> Handled {
    key(call.input.body.text(&KEY).unwrap_or(""))?;
    if call.input.body.text(&VALUE).is_some_and(|value| value.len() > CONTEXT_VALUE_BYTES) {
        return Err(
            ApiError::new(codes::PAYLOAD_TOO_LARGE).detail(format!("A value has at most {CONTEXT_VALUE_BYTES} bytes."))
        );
    }
    let (settings, streams) = (app.config.read(|now| now.workspace), Arc::clone(&app.streams));
    let clock = Arc::clone(&app.clock);
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let space_id = resolve_space(tx.conn, tx.caller, body.text(&SPACE), SpaceRole::Editor)?;
        let (key, value) = (body.text(&KEY).unwrap_or(""), body.text(&VALUE).unwrap_or(""));
        let ttl = body.integer(&TTL).unwrap_or(CONTEXT_TTL.1);
        let entry = NewEntry { space_id: &space_id, key, value, ttl, created_by: tx.caller.name() };
        allowance::spend(tx, &settings, context::bytes_of(key, value), 1)?;
        let (keys, bytes) = (settings.context_keys, settings.context_bytes);
        let expires_at =
            context::set(tx.conn, &entry, keys, bytes, tx.now, clock.judging())?.ok_or_else(|| full(keys, bytes))?;
        let reply = Reply::ok(
            &json!({"ok": true, "key": key, "space_id": space_id, "ttl": ttl, "expires_at": expires_at.micros()}),
        );
        Ok(told(streams, &space_id, key, reply))
    })
}

/// Returns the reply to a change of a value. Once it is on disk, the followers of the space's context get the key.
fn told(streams: Arc<Streams>, space_id: &str, key: &str, reply: Reply) -> Written {
    let (topic, event) = (streams::context(space_id), Event::new(key, &Value::Null));
    let after: After = Box::new(move |reply, _| {
        streams.tell(&topic, event);
        Outcome::Done(reply)
    });
    Written::Then(reply, after)
}

fn full(keys: u64, bytes: u64) -> ApiError {
    ApiError::new(codes::QUOTA_EXCEEDED)
        .detail(format!("A space's context holds at most {keys} keys and {bytes} bytes."))
        .with("setting", "workspace.context_keys, workspace.context_bytes")
}

fn list(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let mut list = Listing::of(&call.input, "context")?;
    let after = list.page().after.map(|(_, key)| key);
    let prefix = query.text(&PREFIX).unwrap_or("");
    // A cursor before the first key with this prefix would list keys with other prefixes.
    let after = after.as_deref().filter(|after| *after >= prefix);
    app.store.read(|conn| {
        let space_id = resolve_space(conn, &call.caller, query.text(&SPACE), SpaceRole::Viewer)?;
        let mut take = |entry: ContextEntry| list.push((Micros(0), entry.key.clone()), &show(&entry));
        Ok::<_, ApiError>(context::list(conn, &space_id, ContextRange { prefix, after }, Micros::now(), &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

fn get(app: &App, call: Call) -> Handled {
    let found = app.store.read(|conn| {
        let named = call.input.query.text(&SPACE);
        let space_id = resolve_space(conn, &call.caller, named, SpaceRole::Viewer)?;
        Ok::<_, ApiError>(context::get(conn, &space_id, call.input.param(0), Micros::now())?)
    })?;
    Ok(Reply::ok(&show(&found.ok_or(codes::CONTEXT_NOT_FOUND)?)).into())
}

fn delete(app: &App, call: Call) -> Handled {
    let streams = Arc::clone(&app.streams);
    call.write(app, move |tx| {
        let named = tx.input.query.text(&SPACE);
        let space_id = resolve_space(tx.conn, tx.caller, named, SpaceRole::Editor)?;
        if !context::delete(tx.conn, &space_id, tx.input.param(0), tx.now)? {
            return Err(codes::CONTEXT_NOT_FOUND.into());
        }
        Ok(told(streams, &space_id, tx.input.param(0), Reply::no_content()))
    })
}

fn promote(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let body = &tx.input.body;
        let space_id = resolve_space(tx.conn, tx.caller, Some(tx.input.param(0)), SpaceRole::Editor)?;
        let (key, kind) = (body.text(&KEY).unwrap_or(""), body.text(&ARTIFACT_TYPE).unwrap_or(""));
        if !context::promote(tx.conn, &space_id, key, kind, tx.now)? {
            return Err(codes::CONTEXT_NOT_FOUND.into());
        }
        Ok(Reply::ok(&json!({"ok": true, "key": key, "artifact_type": kind})))
    })
}
