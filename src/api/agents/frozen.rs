//! What a frozen agent is refused, and who may end a freeze.

use rusqlite::Connection;

use crate::access::Caller;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent};

/// Refuses what would start a frozen agent, change its run or give it a credential.
///
/// # Errors
/// `agent_frozen`.
pub fn refuse(agent: &Agent) -> Result<(), ApiError> {
    if agent.is_frozen() { Err(codes::AGENT_FROZEN.into()) } else { Ok(()) }
}

/// The same where only the agent's id is known.
///
/// # Errors
/// `agent_frozen`, or the store's.
pub fn refuse_by_id(conn: &Connection, agent_id: &str) -> Result<(), ApiError> {
    if agents::is_frozen(conn, agent_id)? { Err(codes::AGENT_FROZEN.into()) } else { Ok(()) }
}

/// Refuses to let the caller end a freeze that only an admin may end.
///
/// # Errors
/// `forbidden`.
pub fn may_end(caller: &Caller, by_admin: bool) -> Result<(), ApiError> {
    if by_admin && !caller.is_admin() {
        return Err(ApiError::new(codes::FORBIDDEN).detail("An admin froze this agent: only an admin may thaw it."));
    }
    Ok(())
}
