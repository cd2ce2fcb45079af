//! The agents that an Agentex caller may access, and the refusals for all others (Agentex contract, section 2).

use rusqlite::Connection;

use super::row::{AGENT_ID, AGENT_NAME};
use crate::access::{self, AgentRole, Caller};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::store;
use crate::store::agents;
use crate::store::registrations::{self, RegisteredAgent};

/// The maximum characters of an identifier that a refusal repeats.
const ECHO_CHARS: usize = 256;

/// The way in which a request names its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentRef {
    /// The agent's id.
    Id(String),
    /// The agent's name.
    Name(String),
}

impl AgentRef {
    /// Returns the agent that `agent_id` or `agent_name` names.
    ///
    /// # Errors
    /// `agent_identifier` unless exactly one was sent.
    pub fn in_fields(fields: &Fields) -> Result<Self, ApiError> {
        match (fields.text(&AGENT_ID), fields.text(&AGENT_NAME)) {
            (Some(id), None) => Ok(Self::Id(id.to_owned())),
            (None, Some(name)) => Ok(Self::Name(name.to_owned())),
            (None, None) => Err(ApiError::new(codes::AGENT_IDENTIFIER)
                .detail("Either 'agent_id' or 'agent_name' must be provided to say which agent is meant.")),
            (Some(_), Some(_)) => Err(ApiError::new(codes::AGENT_IDENTIFIER)
                .detail("Only one of 'agent_id' and 'agent_name' may be provided, not both.")),
        }
    }

    /// Returns the id or name, as the caller sent it.
    pub fn text(&self) -> &str {
        match self {
            Self::Id(text) | Self::Name(text) => text,
        }
    }
}

/// Shortens a text from a caller, so that a refusal can repeat it.
fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS).collect()
}

/// Returns the refusal for an agent that is hidden, absent or archived, or for an id that is not an agent's. All look
/// the same.
pub fn no_agent(given: &str) -> ApiError {
    ApiError::new(codes::AGENT_NOT_FOUND)
        .detail(format!("Agent '{}' not found: it does not exist or you may not see it.", echo(given)))
}

/// Returns the same kind of refusal for a key.
pub fn no_key(given: &str) -> ApiError {
    ApiError::new(codes::API_KEY_NOT_FOUND)
        .detail(format!("Agent api_key '{}' not found: it does not exist or you may not see it.", echo(given)))
}

/// Returns the same kind of refusal for a deployment.
pub fn no_deployment(given: &str) -> ApiError {
    ApiError::new(codes::DEPLOYMENT_NOT_FOUND)
        .detail(format!("Deployment not found: '{}' does not exist or you may not see it.", echo(given)))
}

/// Returns the caller's role on an agent. An agent may read itself and no other agent, whatever its grants.
///
/// # Errors
/// Any `StoreError`.
pub fn role(conn: &Connection, caller: &Caller, agent_id: &str) -> store::Result<Option<AgentRole>> {
    match caller.agent_id() {
        Some(own) => Ok((own == agent_id && caller.may_touch(own)).then_some(AgentRole::Viewer)),
        None => access::role_on(conn, caller, agent_id),
    }
}

/// Refuses a role that is lower than `needed`.
///
/// # Errors
/// `forbidden` if the role is too low.
pub fn at_least(role: AgentRole, needed: AgentRole) -> Result<(), ApiError> {
    if role >= needed {
        return Ok(());
    }
    Err(ApiError::new(codes::FORBIDDEN)
        .detail(format!("This needs the role {} on the agent; the caller has {}.", needed, role)))
}

/// Returns the live agent with this name in any dialect, without a check of the caller.
///
/// # Errors
/// Any `StoreError`.
pub fn by_name(conn: &Connection, name: &str) -> store::Result<Option<RegisteredAgent>> {
    match agents::by_name(conn, name)? {
        Some(live) => registrations::by_id(conn, &live.agent.id),
        None => Ok(None),
    }
}

/// Returns the live agent that a request names, with the caller's role on it.
///
/// # Errors
/// `agent_not_found`, or a `StoreError`.
pub fn reach(conn: &Connection, caller: &Caller, named: &AgentRef) -> Result<(RegisteredAgent, AgentRole), ApiError> {
    let entry = match named {
        AgentRef::Id(id) => registrations::by_id(conn, id)?,
        AgentRef::Name(name) => by_name(conn, name)?,
    };
    let Some(entry) = entry else { return Err(no_agent(named.text())) };
    match role(conn, caller, &entry.id)? {
        Some(role) => Ok((entry, role)),
        None => Err(no_agent(named.text())),
    }
}

/// Returns the live agent that a request names, if the caller has at least the role `needed` on it.
///
/// # Errors
/// `agent_not_found`, `forbidden`, or a `StoreError`.
pub fn find(
    conn: &Connection,
    caller: &Caller,
    named: &AgentRef,
    needed: AgentRole,
) -> Result<RegisteredAgent, ApiError> {
    let (entry, role) = reach(conn, caller, named)?;
    at_least(role, needed)?;
    Ok(entry)
}
