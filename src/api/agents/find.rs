//! Finding agents, as far as the caller may see them.

use rusqlite::Connection;

use crate::access::{self, AgentRole, Caller};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, AgentFilter, AgentViewer, LiveAgent};

/// Returns the live agent of this name if the caller has at least the role `needed` on it.
///
/// # Errors
/// `agent_not_found`, `forbidden`, or a `StoreError`.
pub fn find(conn: &Connection, caller: &Caller, name: &str, needed: AgentRole) -> Result<LiveAgent, ApiError> {
    let live = agents::by_name(conn, name)?.ok_or(codes::AGENT_NOT_FOUND)?;
    access::require(conn, caller, &live.agent.id, needed)?;
    Ok(live)
}

/// Returns the caller as a viewer of agents. An admin sees all.
pub fn seen_by(caller: &Caller) -> AgentViewer {
    if caller.is_admin() { AgentViewer::All } else { AgentViewer::By(caller.grantee()) }
}

/// Returns a filter for the agents that the caller's credential may touch.
pub fn visible(caller: &Caller) -> AgentFilter {
    AgentFilter { only: caller.only_agents().map(<[String]>::to_vec), ..AgentFilter::default() }
}
