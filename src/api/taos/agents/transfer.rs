//! Exporting an agent's settings and making an agent from them.

use serde_json::{Value, json};

use super::fields::AGENT;
use super::fields::VERSION;
use super::fields::{FALLBACK_MODELS, MEMORY_PLUGIN, NAME, ON_WORKER_FAILURE, TARGET_WORKER};
use super::{fields, model, record, settings};
use crate::access::{self, AgentRole, Scopes};
use crate::api::agents::create::{self, Birth};
use crate::api::agents::{find, name};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::taos::scope;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::store::agents::{self, Agent};

/// The only version of an export.
const THIS_VERSION: i64 = 1;

/// The fields of an export: the record's from `name` to `memory_plugin`, and `scope`.
pub const EXPORTED: &[Field] = &{
    let mut fields = [record::FIELDS[0]; 17];
    let mut at = 0;
    while at < 16 {
        fields[at] = record::FIELDS[at + 1];
        at += 1;
    }
    fields[16] = record::FIELDS[24];
    fields
};

pub(crate) fn export(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    Ok(Reply::ok(&json!({
        "version": THIS_VERSION,
        "agent": settings_of(&live.agent),
        "channels": [],
        "groups": [],
    }))
    .into())
}

/// The settings of an agent as exported: the record from `name` to `memory_plugin`, and `scope`.
fn settings_of(agent: &Agent) -> Value {
    json!({
        "name": agent.slug,
        "display_name": agent.display_name,
        "host": agent.host,
        "qmd_index": agent.qmd_index,
        "color": agent.color,
        "emoji": agent.emoji,
        "can_read_user_memory": agent.can_read_user_memory,
        "framework": agent.framework,
        "model": agent.model,
        "fallback_models": record::list(&agent.fallback_models),
        "target_worker": agent.target_worker,
        "on_worker_failure": agent.on_worker_failure,
        "soul_md": agent.soul_md,
        "agent_md": agent.agent_md,
        "source_persona_id": agent.source_persona_id,
        "memory_plugin": agent.memory_plugin,
        "scope": record::list(&agent.scope),
    })
}

/// Creates an agent with exactly the name of the export. A name that is taken is refused.
pub(crate) fn import(app: &App, call: Call) -> Handled {
    if call.input.body.integer(&VERSION) != Some(THIS_VERSION) {
        return Err(codes::INVALID_EXPORT_DATA.into());
    }
    let given = call.input.body.object(&AGENT).unwrap_or_default();
    let slug = given.text(&NAME).unwrap_or("").to_owned();
    if !name::is_slug(&slug) {
        return Err(ApiError::new(codes::INVALID_AGENT_NAME)
            .detail("The name in an export must be a slug that is not reserved."));
    }
    settings::check(&given)?;
    let scopes = scope::asked(&given)?.unwrap_or_else(Scopes::agent_default);
    scope::within(&call.caller, &scopes)?;
    let model = settings::model_name(&given)?;
    let config = app.config.now();
    call.write(app, move |tx| {
        access::may_create(tx.conn, tx.caller)?;
        if let Some(model) = &model {
            model::locate(&config.models, model, given.text(&TARGET_WORKER).map(model::worker))?;
        }
        if agents::name_is_taken(tx.conn, &slug)? {
            return Err(codes::AGENT_EXISTS.into());
        }
        let mut agent = create::fresh(tx, Birth::named(slug.clone(), slug, &scopes))?;
        settings::apply(&mut agent, &given);
        let text = |field: &Field| given.text(field).map(str::to_owned);
        agent.framework = text(&fields::FRAMEWORK).unwrap_or(agent.framework);
        agent.model = model;
        agent.fallback_models =
            given.texts(&FALLBACK_MODELS).map_or(agent.fallback_models, |m| Value::from(m).to_string());
        agent.target_worker = text(&fields::TARGET_WORKER);
        agent.on_worker_failure = given.word(&ON_WORKER_FAILURE)?.unwrap_or(agent.on_worker_failure);
        agent.soul_md = text(&fields::SOUL).unwrap_or_default();
        agent.agent_md = text(&fields::AGENT_MD).unwrap_or_default();
        agent.source_persona_id = text(&fields::PERSONA);
        agent.memory_plugin = given.word(&MEMORY_PLUGIN)?.unwrap_or(agent.memory_plugin);
        create::add(tx, &agent)?;
        Ok(Reply::ok(&json!({"status": "imported", "id": agent.id, "name": agent.slug})))
    })
}
