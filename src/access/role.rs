//! Roles on an agent: scopes say what a credential may do, grants say to which agent (DESIGN D9).

use rusqlite::Connection;

use super::caller::Caller;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::grants::On;
use crate::store::{self, grants};
use crate::time::Micros;

/// What a principal may do with one agent; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentRole {
    /// Read, logs, export, token metadata.
    Viewer,
    /// Also change, lifecycle, tokens.
    Editor,
    /// Also permissions, grants, archive, restore, purge.
    Owner,
}

impl AgentRole {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }
}

/// The caller's role on an agent; `None` if it may not even see it.
///
/// # Errors
/// The store's.
pub fn role_on(conn: &Connection, caller: &Caller, agent_id: &str) -> store::Result<Option<AgentRole>> {
    if !caller.may_touch(agent_id) {
        return Ok(None);
    }
    if caller.is_admin() {
        return Ok(Some(AgentRole::Owner));
    }
    let granted = grants::role_of(conn, &caller.grantee(), &On::agent(agent_id), Micros::now())?;
    let own = (caller.agent_id() == Some(agent_id)).then_some(AgentRole::Editor);
    Ok(granted.as_deref().and_then(AgentRole::named).max(own))
}

/// Lets the caller pass if it has at least `needed` on the agent.
///
/// # Errors
/// `agent_not_found` if it may not see the agent, `forbidden` if its role is too small, or the store's.
pub fn require(conn: &Connection, caller: &Caller, agent_id: &str, needed: AgentRole) -> Result<(), ApiError> {
    match role_on(conn, caller, agent_id)? {
        None => Err(codes::AGENT_NOT_FOUND.into()),
        Some(role) if role < needed => Err(ApiError::new(codes::FORBIDDEN).detail(format!(
            "This needs the role {} on the agent; the caller has {}.",
            needed.as_str(),
            role.as_str()
        ))),
        Some(_) => Ok(()),
    }
}

/// Lets the caller pass if it may create agents: admins, and whoever holds `creator`.
///
/// # Errors
/// `create_not_allowed`, or the store's.
pub fn may_create(conn: &Connection, caller: &Caller) -> Result<(), ApiError> {
    // A key for certain agents is none for new ones.
    if caller.only_agents().is_some() {
        return Err(codes::CREATE_NOT_ALLOWED.into());
    }
    if caller.is_admin() || grants::role_of(conn, &caller.grantee(), &On::AllAgents, Micros::now())?.is_some() {
        return Ok(());
    }
    Err(codes::CREATE_NOT_ALLOWED.into())
}
