//! Changing an agent's settings, persona, memory plugin and model.

use serde_json::{Value, json};

use super::fields::{AGENT_MD, COLOR, DISPLAY_NAME, EMOJI, MEMORY, MEMORY_PLUGIN, MODEL, PERSONA, SOUL};
use super::{fields, model, record};
use crate::access::AgentRole;
use crate::api::agents::find;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::TEXT_BYTES;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::store::agents::{self, Agent, LiveAgent, MemoryPlugin};

/// Checks what the declarations of the fields cannot say.
///
/// # Errors
/// `validation_error`.
pub fn check(body: &Fields) -> Result<(), ApiError> {
    if let Some(color) = body.text(&COLOR) {
        let hex = color.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if hex.is_none() {
            return Err(ApiError::field("color", "must be #rrggbb"));
        }
    }
    for field in [&fields::SOUL, &fields::AGENT_MD] {
        if body.text(field).is_some_and(|text| text.len() > TEXT_BYTES) {
            return Err(ApiError::field(field.name, format!("must be at most {TEXT_BYTES} bytes long")));
        }
    }
    match body.text(&DISPLAY_NAME) {
        Some(name) if name.trim().is_empty() || name.contains(char::is_control) => {
            Err(ApiError::field("display_name", "must have a visible character and no control character"))
        }
        _ => Ok(()),
    }
}

/// Sets the simple settings that were sent in the agent.
pub fn apply(agent: &mut Agent, body: &Fields) {
    let set = |place: &mut String, field: &Field| {
        if let Some(text) = body.text(field) {
            text.clone_into(place);
        }
    };
    set(&mut agent.host, &fields::HOST);
    set(&mut agent.qmd_index, &fields::QMD_INDEX);
    set(&mut agent.color, &fields::COLOR);
    if let Some(name) = body.text(&DISPLAY_NAME) {
        name.trim().clone_into(&mut agent.display_name);
    }
    if let Some(emoji) = body.text(&EMOJI) {
        agent.emoji = (!emoji.is_empty()).then(|| emoji.to_owned());
    }
    if let Some(flag) = body.flag(&MEMORY) {
        agent.can_read_user_memory = flag;
    }
}

/// Returns the field `model`, trimmed.
///
/// # Errors
/// `invalid_model` if it is blank.
pub fn model_name(body: &Fields) -> Result<Option<String>, ApiError> {
    match body.text(&MODEL).map(str::trim) {
        Some("") => Err(codes::INVALID_MODEL.into()),
        name => Ok(name.map(str::to_owned)),
    }
}

/// Finds the agent of the path, compares `If-Match`, applies `change` and stores the agent if its record differs.
/// Returns the agent as it is afterwards.
pub(crate) fn change(
    tx: &Tx<'_>,
    needed: AgentRole,
    change: impl FnOnce(&mut Agent) -> Result<(), ApiError>,
) -> Result<LiveAgent, ApiError> {
    let mut live = find(tx.conn, tx.caller, tx.input.param(0), needed)?;
    tx.input.if_match(live.agent.revision)?;
    let before = json!(record::show(&live));
    change(&mut live.agent)?;
    if json!(record::show(&live)) != before {
        agents::update(tx.conn, &live.agent, tx.now)?;
        live.agent.revision += 1;
        live.agent.updated_at = tx.now;
        tx.audit(format!("agent:{}", live.agent.id))?;
    }
    Ok(live)
}

pub(crate) fn update(app: &App, call: Call) -> Handled {
    check(&call.input.body)?;
    call.write(app, |tx| {
        let live = change(tx, AgentRole::Editor, |agent| {
            apply(agent, &tx.input.body);
            Ok(())
        })?;
        Ok(Reply::ok(&json!({
            "status": "updated",
            "name": live.agent.slug,
            "revision": live.agent.revision,
        })))
    })
}

pub(crate) fn persona(app: &App, call: Call) -> Handled {
    check(&call.input.body)?;
    call.write(app, |tx| {
        let body = &tx.input.body;
        let live = change(tx, AgentRole::Editor, |agent| {
            if let Some(text) = body.text(&SOUL) {
                text.clone_into(&mut agent.soul_md);
            }
            if let Some(text) = body.text(&AGENT_MD) {
                text.clone_into(&mut agent.agent_md);
            }
            if let Some(id) = body.text(&PERSONA) {
                agent.source_persona_id = Some(id.to_owned());
            }
            Ok(())
        })?;
        Ok(ok_agent(&live))
    })
}

pub(crate) fn memory(app: &App, call: Call) -> Handled {
    let plugin = call.input.body.required(&MEMORY_PLUGIN).parse::<MemoryPlugin>();
    let plugin = plugin.map_err(|_| codes::INVALID_MEMORY_PLUGIN)?;
    call.write(app, move |tx| {
        let live = change(tx, AgentRole::Editor, |agent| {
            agent.memory_plugin = plugin;
            Ok(())
        })?;
        Ok(ok_agent(&live))
    })
}

pub(crate) fn model(app: &App, call: Call) -> Handled {
    let wanted = model_name(&call.input.body)?.unwrap_or_default();
    let config = app.config.now();
    call.write(app, move |tx| {
        let (mut location, mut resumed) = (None, false);
        change(tx, AgentRole::Editor, |agent| {
            location = model::locate(&config.models, &wanted, agent.target_worker.as_deref().map(model::worker))?;
            // With a container only an operation resumes it, and what is frozen stays as it is until it is thawed.
            resumed = agent.paused && agent.container_name.is_none() && !agent.is_frozen();
            agent.paused &= !resumed;
            agent.model = Some(wanted.clone());
            Ok(())
        })
        .map(|live| {
            Reply::ok(&json!({
                "status": "updated",
                "name": live.agent.slug,
                "model": wanted,
                "location": location.map(model::Location::as_str),
                "resumed": resumed,
            }))
        })
    })
}

fn ok_agent(live: &LiveAgent) -> Reply {
    let body: Value = json!({"status": "ok", "agent": record::show(live)});
    Reply::ok(&body)
}
