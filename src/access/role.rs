//! Roles on an agent: scopes say what a credential may do, grants say to which agent (DESIGN D9).

use rusqlite::Connection;

use super::caller::Caller;
use super::hint;
use crate::closed_set::{UnknownWord, closed_set};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::grants::{GrantRole, Grantee, On};
use crate::store::users::{self, Role};
use crate::store::{self, StoreError, grants};
use crate::time::Micros;

closed_set! {
    /// What a principal may do with one agent; each role includes those before it.
    pub enum AgentRole {
        Viewer "viewer" "Read, logs, export, token metadata.";
        Editor "editor" "Also change, lifecycle, tokens.";
        Owner "owner" "Also permissions, grants, archive, restore, purge.";
    }
}

impl AgentRole {
    /// The role that a grant on an agent gives.
    ///
    /// # Errors
    /// [`StoreError::Other`] for a role that agents do not have.
    fn granted(role: Option<GrantRole>) -> store::Result<Option<Self>> {
        let other = |unknown: UnknownWord| StoreError::Other(format!("the role of a grant: {unknown}"));
        role.map(|role| role.slug().parse()).transpose().map_err(other)
    }
}

/// True while a user is an enabled admin. A caller that was admitted as one may have lost the role since.
///
/// # Errors
/// Any [`StoreError`].
pub(super) fn is_admin_now(conn: &Connection, user_id: &str) -> store::Result<bool> {
    Ok(users::by_id(conn, user_id)?.is_some_and(|user| user.role == Role::Admin && !user.disabled))
}

/// Returns the caller's role on an agent; `None` if it may not even see it.
///
/// # Errors
/// Any [`StoreError`].
pub fn role_on(conn: &Connection, caller: &Caller, agent_id: &str) -> store::Result<Option<AgentRole>> {
    if !caller.may_touch(agent_id) {
        return Ok(None);
    }
    if caller.is_admin() && is_admin_now(conn, &caller.user().id)? {
        return Ok(Some(AgentRole::Owner));
    }
    let granted = grants::role_of(conn, &caller.grantee(), &On::agent(agent_id), Micros::now())?;
    let own = (caller.agent_id() == Some(agent_id)).then_some(AgentRole::Editor);
    Ok(AgentRole::granted(granted)?.max(own))
}

/// True while a user is enabled and at least an editor of the agent: what it gave others to the agent works so long.
///
/// # Errors
/// Any [`StoreError`].
pub fn still_edits(conn: &Connection, user_id: &str, agent_id: &str) -> store::Result<bool> {
    let Some(user) = users::by_id(conn, user_id)?.filter(|user| !user.disabled) else { return Ok(false) };
    let role = grants::role_of(conn, &Grantee::User(user.id), &On::agent(agent_id), Micros::now())?;
    Ok(user.role == Role::Admin || AgentRole::granted(role)? >= Some(AgentRole::Editor))
}

/// Checks that the caller has at least the role `needed` on the agent.
///
/// # Errors
/// `agent_not_found` if it may not see the agent, `forbidden` if its role is too low, or a [`StoreError`].
pub fn require(conn: &Connection, caller: &Caller, agent_id: &str, needed: AgentRole) -> Result<(), ApiError> {
    match role_on(conn, caller, agent_id)? {
        None => Err(codes::AGENT_NOT_FOUND.into()),
        Some(role) if role < needed => {
            let refusal = ApiError::new(codes::FORBIDDEN)
                .detail(format!("This needs the role {needed} on the agent; the caller has {role}."));
            Err(hint::of_role(caller, &format!("agent:{agent_id}"), needed.slug(), refusal))
        }
        Some(_) => Ok(()),
    }
}

/// Checks that the caller may create agents: admins, and whoever holds `creator`.
///
/// # Errors
/// `create_not_allowed`, or a [`StoreError`].
pub fn may_create(conn: &Connection, caller: &Caller) -> Result<(), ApiError> {
    // A key that is restricted to certain agents may not create new ones.
    if caller.only_agents().is_some() {
        return Err(ApiError::new(codes::CREATE_NOT_ALLOWED)
            .detail("This key is for some agents only, so it creates none. Use a key that is for all."));
    }
    if caller.is_admin() || grants::role_of(conn, &caller.grantee(), &On::AllAgents, Micros::now())?.is_some() {
        return Ok(());
    }
    Err(codes::CREATE_NOT_ALLOWED.into())
}
