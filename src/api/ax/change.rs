//! Creating, changing, placing and deleting agents in the aX dialect.

use std::sync::Arc;

use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use super::fields::NAME;
use super::fields::{ORIGIN, PINNED, SPACE_ID};
use super::record;
use crate::access::scopes::ax_scopes;
use crate::access::{self, AgentRole, Caller, Scopes, SpaceRole};
use crate::api::agents::archive;
use crate::api::agents::create::{self, Birth};
use crate::api::agents::name;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::TEXT_BYTES;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::store::agents::{self, Agent, AgentOrigin, LiveAgent};
use crate::store::is_id;
use crate::store::profiles::{self, AgentProfile};

/// The origin of an agent if the request names none.
const DEFAULT_ORIGIN: AgentOrigin = AgentOrigin::Mcp;

/// The fields that an agent may change in its own record.
const OWN: &[&str] = &["description", "bio", "specialization", "avatar_url"];

const AVATAR_URL: Field =
    Field::text("avatar_url", 512, "The address of the agent's picture. An empty text removes it.");
const STATUS: Field = Field::word("status", &["active", "inactive"], "Whether its owner wants it at work.");
const MODEL: Field = Field::text("model", 128, "The model it uses.");
const DESCRIPTION: Field = Field::text("description", 4096, "The agent's purpose.");
const BIO: Field = Field::text("bio", 4096, "A short text about the agent.");
const SPECIALIZATION: Field = Field::text("specialization", 255, "The agent's specialization.");
const SYSTEM_PROMPT: Field = Field::text("system_prompt", TEXT_BYTES, "The agent's system prompt.");
const AGENT_TYPE: Field = Field::text("agent_type", 64, "The kind of agent, as a free word.").not_empty();
/// The fields of a change.
pub const CHANGEABLE: &[Field] =
    &[DESCRIPTION, BIO, SPECIALIZATION, AVATAR_URL, SYSTEM_PROMPT, MODEL, AGENT_TYPE, STATUS];

/// Returns the live agent of a path segment, an id or a name, if the caller has at least the role `needed` on it.
pub fn find(conn: &Connection, caller: &Caller, given: &str, needed: AgentRole) -> Result<LiveAgent, ApiError> {
    let live = agents::resolve(conn, given)?.ok_or(codes::AGENT_NOT_FOUND)?;
    access::require(conn, caller, &live.agent.id, needed)?;
    Ok(live)
}

/// Returns the live agent of a field that takes only ids, if the caller has at least the role `needed` on it.
pub(super) fn find_by_id(
    conn: &Connection,
    caller: &Caller,
    given: &str,
    needed: AgentRole,
) -> Result<LiveAgent, ApiError> {
    if is_id(given) { find(conn, caller, given, needed) } else { Err(codes::AGENT_NOT_FOUND.into()) }
}

/// Creates an agent with this name that belongs to the caller, with its grants and audit row. It may do what agents do,
/// as far as `issuer` may. The name must be free.
///
/// # Errors
/// `create_not_allowed`, `invalid_request` for the name, `name_conflict`, `space_forbidden`, or a `StoreError`.
pub fn born(tx: &Tx<'_>, given: &str, space_id: Option<String>, issuer: &Scopes) -> Result<Agent, ApiError> {
    make(tx, given, space_id, DEFAULT_ORIGIN, None, issuer)
}

fn make(
    tx: &Tx<'_>,
    given: &str,
    space_id: Option<String>,
    origin: AgentOrigin,
    model: Option<String>,
    issuer: &Scopes,
) -> Result<Agent, ApiError> {
    access::may_create(tx.conn, tx.caller)?;
    let given = name::given_name(given).map_err(|error| error.in_dialect(Dialect::Ax))?;
    if agents::name_is_taken(tx.conn, &given.to_ascii_lowercase())? {
        return Err(codes::NAME_CONFLICT.into());
    }
    if let Some(id) = &space_id {
        access::require_space(tx.conn, tx.caller, id, SpaceRole::Editor)?;
    }
    let scopes = ax_scopes::of_new_agent(issuer);
    let birth = Birth {
        slug: name::free_slug(tx.conn, &name::slug_of(given))?,
        display_name: given.to_owned(),
        given_name: Some(given.to_owned()),
        origin: Some(origin),
        space_id,
        scopes: &scopes,
    };
    let mut agent = create::fresh(tx, birth)?;
    agent.model = model;
    create::add(tx, &agent).map_err(|error| error.in_dialect(Dialect::Ax))?;
    Ok(agent)
}

/// Copies the sent fields into a profile.
fn apply(profile: &mut AgentProfile, body: &Fields) {
    let set = |place: &mut String, field: &Field| {
        if let Some(text) = body.text(field) {
            text.clone_into(place);
        }
    };
    set(&mut profile.description, &DESCRIPTION);
    set(&mut profile.bio, &BIO);
    set(&mut profile.specialization, &SPECIALIZATION);
    set(&mut profile.agent_type, &AGENT_TYPE);
    set(&mut profile.system_prompt, &SYSTEM_PROMPT);
    if let Some(url) = body.text(&AVATAR_URL) {
        profile.avatar_url = (!url.is_empty()).then(|| url.to_owned());
    }
    if let Some(status) = body.text(&STATUS) {
        profile.active = status == "active";
    }
}

fn model(body: &Fields) -> Option<String> {
    body.text(&MODEL).map(str::trim).filter(|model| !model.is_empty()).map(str::to_owned)
}

pub(super) fn create(app: &App, call: Call) -> Handled {
    let origin = call.input.body.word(&ORIGIN)?.unwrap_or(DEFAULT_ORIGIN);
    let gate = Arc::clone(&app.gate);
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let space_id = body.text(&SPACE_ID).filter(|id| !id.is_empty()).map(str::to_owned);
        let issuer = tx.caller.credential_scopes();
        let agent = make(tx, body.text(&NAME).unwrap_or(""), space_id, origin, model(body), issuer)?;
        let mut profile = AgentProfile::default();
        apply(&mut profile, body);
        profiles::put(tx.conn, &agent.id, &profile)?;
        let live = LiveAgent { agent, issued_at: None, expires_at: None, last_used_at: None };
        Ok(Reply::json(StatusCode::CREATED, &record::show(tx.conn, tx.caller, &gate.presence, &live)?))
    })
}

pub(super) fn update(app: &App, call: Call) -> Handled {
    let gate = Arc::clone(&app.gate);
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let mut live = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?;
        if let Some(own) = tx.caller.agent_id() {
            let foreign = CHANGEABLE.iter().any(|field| !OWN.contains(&field.name) && body.text(field).is_some());
            if own != live.agent.id || foreign {
                return Err(ApiError::new(codes::FORBIDDEN)
                    .detail(format!("An agent may change only its own record, and only {}.", OWN.join(", "))));
            }
        }
        let before = profiles::of(tx.conn, &live.agent.id)?;
        let mut profile = before.clone();
        apply(&mut profile, body);
        let model = model(body).or_else(|| live.agent.model.clone());
        if profile != before || model != live.agent.model {
            live.agent.model = model;
            profiles::put(tx.conn, &live.agent.id, &profile)?;
            agents::update(tx.conn, &live.agent, tx.now)?;
            live.agent.updated_at = tx.now;
            tx.audit(format!("agent:{}", live.agent.id))?;
        }
        Ok(Reply::ok(&record::show(tx.conn, tx.caller, &gate.presence, &live)?))
    })
}

/// Archives an agent at once: its name becomes free, and all its credentials end. An operation archives its container.
pub(super) fn delete(app: &App, call: Call) -> Handled {
    let jobs = Arc::clone(&app.jobs);
    call.write(app, |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        let deleted = json!({"message": format!("Agent {} deleted", record::name(&agent)), "id": agent.id});
        archive::retire(jobs, tx, &agent, Reply::ok(&deleted))
    })
}

pub(super) fn place(app: &App, call: Call) -> Handled {
    let gate = Arc::clone(&app.gate);
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let mut live = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?;
        let mut profile = profiles::of(tx.conn, &live.agent.id)?;
        if let Some(id) = body.text(&SPACE_ID) {
            access::require_space(tx.conn, tx.caller, id, SpaceRole::Editor)?;
            agents::place(tx.conn, &live.agent.id, id, tx.now)?;
            live.agent.space_id = id.to_owned();
            live.agent.updated_at = tx.now;
        }
        if let Some(pinned) = body.flag(&PINNED) {
            profile.pinned = pinned;
            profiles::put(tx.conn, &live.agent.id, &profile)?;
        }
        tx.audit(format!("agent:{}", live.agent.id))?;
        Ok(Reply::ok(&json!({"agent": record::show(tx.conn, tx.caller, &gate.presence, &live)?})))
    })
}
