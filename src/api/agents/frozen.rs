//! Refusing requests on frozen agents, and who may end a freeze.

use rusqlite::Connection;

use crate::access::Caller;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent};

/// Returns an error if the agent is frozen. For requests that would start it, change its run or give it a credential.
///
/// # Errors
/// `agent_frozen`.
pub fn refuse(agent: &Agent) -> Result<(), ApiError> {
    if agent.is_frozen() { Err(codes::AGENT_FROZEN.into()) } else { Ok(()) }
}

/// The same as [`refuse`], by the agent's id.
///
/// # Errors
/// `agent_frozen`, or a `StoreError`.
pub fn refuse_by_id(conn: &Connection, agent_id: &str) -> Result<(), ApiError> {
    if agents::is_frozen(conn, agent_id)? { Err(codes::AGENT_FROZEN.into()) } else { Ok(()) }
}

/// Checks that the caller may end a freeze. Only an admin may end one that an admin made.
///
/// # Errors
/// `forbidden`.
pub fn may_end(caller: &Caller, by_admin: bool) -> Result<(), ApiError> {
    if by_admin && !caller.is_admin() {
        return Err(ApiError::new(codes::FORBIDDEN).detail("An admin froze this agent: only an admin may thaw it."));
    }
    Ok(())
}
