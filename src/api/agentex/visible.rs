//! Which agents an Agentex caller reaches, and in which words it is told of those it does not (Agentex contract,
//! section 2).

use rusqlite::Connection;

use super::row::{AGENT_ID, AGENT_NAME};
use crate::access::{self, AgentRole, Caller};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::store;
use crate::store::agents;
use crate::store::registrations::{self, RegisteredAgent};

/// Characters of an identifier that are told back.
const ECHO_CHARS: usize = 256;

/// How a request names its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentRef {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

impl AgentRef {
    /// The agent that `agent_id` or `agent_name` names.
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

    /// As the caller sent it.
    pub fn text(&self) -> &str {
        match self {
            Self::Id(text) | Self::Name(text) => text,
        }
    }
}

/// What a caller sent, cut, to be told back.
fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS).collect()
}

/// The one answer for an agent that is hidden, absent, archived or no agent at all.
pub fn no_agent(given: &str) -> ApiError {
    ApiError::new(codes::AGENT_NOT_FOUND)
        .detail(format!("Agent '{}' not found: it does not exist or you may not see it.", echo(given)))
}

/// The same for a key.
pub fn no_key(given: &str) -> ApiError {
    ApiError::new(codes::API_KEY_NOT_FOUND)
        .detail(format!("Agent api_key '{}' not found: it does not exist or you may not see it.", echo(given)))
}

/// The same for a deployment.
pub fn no_deployment(given: &str) -> ApiError {
    ApiError::new(codes::DEPLOYMENT_NOT_FOUND)
        .detail(format!("Deployment not found: '{}' does not exist or you may not see it.", echo(given)))
}

/// The caller's role on an agent. An agent reads itself and nothing else, whatever its grants.
///
/// # Errors
/// The store's.
pub fn role(conn: &Connection, caller: &Caller, agent_id: &str) -> store::Result<Option<AgentRole>> {
    match caller.agent_id() {
        Some(own) => Ok((own == agent_id && caller.may_touch(own)).then_some(AgentRole::Viewer)),
        None => access::role_on(conn, caller, agent_id),
    }
}

/// Refuses a role that is too small.
///
/// # Errors
/// `forbidden`.
pub fn at_least(role: AgentRole, needed: AgentRole) -> Result<(), ApiError> {
    if role >= needed {
        return Ok(());
    }
    Err(ApiError::new(codes::FORBIDDEN)
        .detail(format!("This needs the role {} on the agent; the caller has {}.", needed, role)))
}

/// The live agent of this name in any dialect, whoever may see it.
///
/// # Errors
/// The store's.
pub fn by_name(conn: &Connection, name: &str) -> store::Result<Option<RegisteredAgent>> {
    match agents::by_name(conn, name)? {
        Some(live) => registrations::by_id(conn, &live.agent.id),
        None => Ok(None),
    }
}

/// The live agent that a request names, with the caller's role on it.
///
/// # Errors
/// `agent_not_found`, or the store's.
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

/// The live agent that a request names, if the caller has at least `needed` on it.
///
/// # Errors
/// `agent_not_found`, `forbidden`, or the store's.
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
