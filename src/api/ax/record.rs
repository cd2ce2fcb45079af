//! An agent in the form of the aX dialect: the registry's record and the profile, field by field.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, AgentRole, Caller, Presence};
use crate::rest::field::{Field, Type};
use crate::store;
use crate::store::agents::{Agent, LiveAgent};
use crate::store::grants::Grantee;
use crate::store::profiles::{self, AgentProfile};
use crate::store::spaces::{self, Space};
use crate::time::Micros;

/// The fields of a space in an agent's record.
const SPACE: &[Field] = &[
    Field::shown("space_id", "The space's id."),
    Field::shown("name", "The space's name."),
    Field::flag("is_default", "True for the agent's home space.").required(),
];

/// The fields of the record.
pub const FIELDS: &[Field] = &[
    Field::shown("id", "The id; it is never reused."),
    Field::shown("name", "The name; for an agent from another client family, its slug."),
    Field::shown("display_name", "The display name."),
    Field::shown("handle", "The handle for mentions."),
    Field::shown("origin", "How the agent came to the box."),
    Field::shown("agent_type", "The kind of agent, as a free word."),
    Field::word("status", &["active", "inactive"], "Whether its owner wants it at work.").required(),
    Field::shown("space_id", "The id of the agent's home space."),
    Field::of(
        "allowed_spaces",
        Type::Objects(SPACE),
        "The spaces that the agent may work in, of those that you may see.",
    )
    .required(),
    Field::shown("owner_user_id", "The id of the agent's owner."),
    Field::shown("owner_space_id", "The owner's space in which the agent was created."),
    Field::shown("description", "The agent's purpose."),
    Field::shown("bio", "A short text about the agent."),
    Field::shown("specialization", "The agent's specialization."),
    Field::shown("model", "The model that the agent uses.").nullable(),
    Field::shown("avatar_url", "The address of the agent's picture.").nullable(),
    Field::flag("pinned", "True if the agent stays at the top of its space's list.").required(),
    Field::of("control", Type::Object(CONTROL), "The restrictions that the owner has set.").required(),
    Field::shown("created_at", "When the agent was created."),
    Field::shown("updated_at", "When the agent was last changed."),
    Field::shown("last_seen_at", "When the agent was last seen.").nullable(),
    Field::unbounded("system_prompt", "The system prompt; only the owner and editors see it."),
];

const CONTROL: &[Field] = &[
    Field::flag("is_disabled", "True if the agent is paused or frozen.").required(),
    Field::shown("disabled_reason", "Why: paused or frozen.").nullable(),
    Field::flag("no_reply", "True if the agent must not answer.").required(),
    Field::shown("no_reply_reason", "Why.").nullable(),
];

/// Returns the name of an agent in this dialect.
pub fn name(agent: &Agent) -> &str {
    agent.given_name.as_deref().unwrap_or(&agent.slug)
}

/// Returns when an agent was last seen: in this run of the daemon, or by the last use of its token.
pub fn last_seen(presence: &Presence, live: &LiveAgent) -> Option<Micros> {
    presence.last_seen(&live.agent.id).max(live.last_used_at)
}

/// Returns the JSON object that says whether an agent is paused or frozen.
pub fn control(agent: &Agent) -> Value {
    let reason = if agent.is_frozen() { Some("frozen") } else { agent.paused.then_some("paused") };
    json!({
        "is_disabled": reason.is_some(),
        "disabled_reason": reason,
        "no_reply": false,
        "no_reply_reason": null,
    })
}

/// Returns the spaces that an agent may work in, its own and those it is a member of, as far as the caller may see
/// them.
///
/// # Errors
/// Any `StoreError`.
pub fn allowed_spaces(conn: &Connection, caller: &Caller, agent_id: &str, space_id: &str) -> store::Result<Value> {
    let now = Micros::now();
    let show = |space: &Space| json!({"space_id": space.id, "name": space.name, "is_default": space.id == space_id});
    let mut shown = Vec::new();
    for space in spaces::all_of(conn, &Grantee::Agent(agent_id.to_owned()), now)? {
        if access::space_role_on(conn, caller, &space.id, now)?.is_some() {
            shown.push(show(&space));
        }
    }
    Ok(Value::Array(shown))
}

/// Returns the record as far as the caller may see it.
///
/// # Errors
/// Any `StoreError`.
pub fn show(conn: &Connection, caller: &Caller, presence: &Presence, live: &LiveAgent) -> store::Result<Value> {
    let a = &live.agent;
    let profile = profiles::of(conn, &a.id)?;
    let AgentProfile { description, bio, specialization, agent_type, avatar_url, system_prompt, active, pinned } =
        profile;
    let mut record = json!({
        "id": a.id,
        "name": name(a),
        "display_name": a.display_name,
        "handle": name(a),
        "origin": a.origin,
        "agent_type": agent_type,
        "status": if active { "active" } else { "inactive" },
        "space_id": a.space_id,
        "allowed_spaces": allowed_spaces(conn, caller, &a.id, &a.space_id)?,
        "owner_user_id": a.owner_user_id,
        "owner_space_id": a.owner_space_id,
        "description": description,
        "bio": bio,
        "specialization": specialization,
        "model": a.model,
        "avatar_url": avatar_url,
        "pinned": pinned,
        "control": control(a),
        "created_at": a.created_at.micros(),
        "updated_at": a.updated_at.micros(),
        "last_seen_at": last_seen(presence, live).map(Micros::micros),
    });
    if access::role_on(conn, caller, &a.id)? >= Some(AgentRole::Editor) {
        record["system_prompt"] = json!(system_prompt);
    }
    Ok(record)
}
