//! Reports of agents about their work: sent to those who follow the space now, and not stored (aX contract, section 9).

use std::sync::Arc;

use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::change::between;
use super::fields::{SPACE, bad};
use super::show::visible;
use crate::access::{self, SpaceRole, resolve_space};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams;
use crate::limits::PROCESSING_BYTES;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;

const MESSAGE_ID: Field = Field::text("message_id", 64, "The message that the agent works on.").required();
/// The fields of a report about the work on a message.
pub(super) const PROCESSING: &[Field] = &[
    MESSAGE_ID,
    Field::text("status", 64, "The state of the work: accepted, thinking, working, completed or error.")
        .not_empty()
        .required(),
    Field::text("space_id", 64, "The space; if absent, that of the message, or the agent's home space."),
    Field::text("activity", 500, "A sentence for people about the work."),
    Field::text("tool_name", 128, "The tool in use."),
    Field::of("progress", Type::AnyObject, "The progress of the work."),
    Field::of("detail", Type::AnyObject, "Further details."),
    Field::text("reason", 500, "The reason for the state."),
    Field::text("error_message", 1000, "The error message."),
    Field::integer("retry_after_seconds", 0, i64::MAX, "Seconds until the agent tries again."),
    Field::text("parent_message_id", 64, "The parent of that message."),
];

/// The fields of a report about a tool call.
pub(super) const TOOL_CALL: &[Field] = &[
    Field::text("tool_name", 128, "The tool that was called.").required(),
    Field::text("tool_call_id", 128, "The id of the call."),
    Field::text("status", 64, "The outcome of the call."),
    Field::text("message_id", 64, "The message that the call was for."),
    Field::text("space_id", 64, "The space."),
];

fn accepted() -> Reply {
    Reply::json(StatusCode::ACCEPTED, &json!({"ok": true}))
}

pub(super) fn processing(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let mut told: Map<String, Value> =
        PROCESSING.iter().filter_map(|field| Some((field.name.to_owned(), body.value(field)?.clone()))).collect();
    told.insert("agent_id".into(), json!(call.caller.agent_id()));
    told.insert("agent_name".into(), json!(call.caller.name()));
    let told = Value::Object(told);
    if told.to_string().len() > PROCESSING_BYTES {
        return Err(bad("detail", format!("all fields together must be at most {PROCESSING_BYTES} bytes of JSON")));
    }
    let event = Event::new("agent_processing", &told);
    let (space_id, event) =
        app.store.read(|conn| match visible(conn, &call.caller, body.text(&MESSAGE_ID).unwrap_or("")) {
            Ok(message) => {
                access::require_space(conn, &call.caller, &message.space_id, SpaceRole::Editor)?;
                let event = between(&message, event);
                Ok((message.space_id, event))
            }
            Err(error) if error.code == codes::MESSAGE_NOT_FOUND => {
                let named = body.text(&SPACE).filter(|id| !id.is_empty());
                Ok((resolve_space(conn, &call.caller, named, SpaceRole::Editor)?, event))
            }
            Err(error) => Err::<_, ApiError>(error),
        })?;
    Arc::clone(&app.streams).tell(&streams::space(&space_id), event);
    Ok(accepted().into())
}

pub(super) fn tool_call(_: &App, _: Call) -> Handled {
    Ok(accepted().into())
}
