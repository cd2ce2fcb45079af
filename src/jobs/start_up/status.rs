//! An agent's status, from the state of its container.

use std::sync::Arc;

use rusqlite::Connection;

use crate::containers::Status;
use crate::jobs::operations::Jobs;
use crate::store;
use crate::store::agents::{self, Agent, AgentStatus};
use crate::time::Micros;

/// Stores the state of a container as its agent's status, if that differs.
pub(super) fn note_status(jobs: &Arc<Jobs>, agent: &Agent, status: Status) -> store::Result<()> {
    note_status_if(jobs, agent, status, |_| Ok(true))
}

/// As [`note_status`], if `is_true` says in the same transaction that the container's state still holds. An agent that
/// was changed since it was read, for example frozen, keeps its status: the state may be older than the change.
///
/// # Errors
/// Any `StoreError`.
pub fn note_status_if(
    jobs: &Arc<Jobs>,
    agent: &Agent,
    status: Status,
    is_true: impl FnOnce(&Connection) -> store::Result<bool> + Send + 'static,
) -> store::Result<()> {
    let runs = status == Status::Running;
    let (status, paused) = match status {
        Status::Running if agent.is_frozen() => (AgentStatus::Running, agent.paused),
        Status::Running => (AgentStatus::Running, false),
        // Containers that the daemon froze, because the agent is frozen or sleeps, do not count as paused.
        Status::Frozen if agent.is_frozen() || agent.thawing => (AgentStatus::Running, agent.paused),
        Status::Frozen => (AgentStatus::Running, agent.asleep_at.is_none()),
        Status::Stopped => (AgentStatus::Stopped, agent.paused),
        Status::Error => (AgentStatus::Failed, agent.paused),
        Status::Other => return Ok(()),
    };
    let woke = runs && agent.asleep_at.is_some();
    if agent.status == status && agent.paused == paused && !woke {
        return Ok(());
    }
    let read = agent.clone();
    jobs.store.write(move |conn| {
        let unchanged = agents::by_id(conn, &read.id)?.is_some_and(|live| live.agent.is_in_state_of(&read));
        if !unchanged || !is_true(conn)? {
            return Ok(());
        }
        if woke {
            agents::sleeps_since(conn, &read.id, None)?;
        }
        agents::set_status(conn, &read.id, status, paused, Micros::now()).map(|_| ())
    })
}
