//! Finding agents with a caller's eyes.

use rusqlite::Connection;

use crate::access::{self, AgentRole, Caller};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, AgentFilter, AgentViewer, LiveAgent};

/// The live agent of this name, if the caller has at least `needed` on it.
///
/// # Errors
/// `agent_not_found`, `forbidden`, or the store's.
pub fn find(conn: &Connection, caller: &Caller, name: &str, needed: AgentRole) -> Result<LiveAgent, ApiError> {
    let live = agents::by_name(conn, name)?.ok_or(codes::AGENT_NOT_FOUND)?;
    access::require(conn, caller, &live.agent.id, needed)?;
    Ok(live)
}

/// Whose eyes the registry is looked at with.
pub fn seen_by(caller: &Caller) -> AgentViewer {
    if caller.is_admin() { AgentViewer::All } else { AgentViewer::By(caller.grantee()) }
}

/// A filter that shows all the caller's credential may touch.
pub fn visible(caller: &Caller) -> AgentFilter {
    AgentFilter { only: caller.only_agents().map(<[String]>::to_vec), ..AgentFilter::default() }
}
