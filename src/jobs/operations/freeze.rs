//! Freezes and thaws the containers of agents. The agent's row holds the wanted state; this module makes the container
//! agree with it. So it may run at any time and any number of times: after the request, after a crash, and whenever the
//! reconciler finds a difference.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::lifecycle::{container, own};
use super::progress;
use super::settles::{FreezePart, FreezeTally, SettleWanted};
use super::{Jobs, OperationError, within};
use crate::containers::{Error, Status};
use crate::store::agents::{self, Agent, Freezable};
use crate::store::operations::{self, Operation, OperationKind, OperationStatus};
use crate::store::{self, tasks};
use crate::time::Micros;

/// Seconds for one call.
const CALL: u64 = 40;

/// Queues the work of an operation: each agent is settled under its own key, so after earlier work on that agent. Runs
/// on the writer's thread too, so nothing here waits for a write.
pub fn take_up(jobs: &Arc<Jobs>, op: &Operation) {
    let payload: Value = serde_json::from_str(&op.payload).unwrap_or_default();
    let agents: Vec<(String, String)> = serde_json::from_value(payload["agents"].clone()).unwrap_or_default();
    let tally = FreezeTally::new(op, payload["answer"].clone(), agents.len());
    if agents.is_empty() {
        progress::finish_later(jobs, op, Ok(tally.result()));
    }
    for (id, slug) in agents {
        queue(jobs, &id, Some(FreezePart { tally: Arc::clone(&tally), slug }));
    }
}

/// Queues the settle of an agent, unless one is queued. `part` waits for it.
fn queue(jobs: &Arc<Jobs>, agent_id: &str, part: Option<FreezePart>) {
    match jobs.settles.want(agent_id, part) {
        SettleWanted::Queued => {}
        SettleWanted::TooMany(part) => end_part(jobs, part, &Err(OperationError::Busy)),
        SettleWanted::New => {
            let id = agent_id.to_owned();
            let queued = jobs.run(Some(agent_id), move |jobs| {
                let parts = jobs.settles.take(&id);
                end(jobs, &id, parts, &settle(jobs, &id));
            });
            if queued.is_err() {
                end(jobs, agent_id, jobs.settles.take(agent_id), &queued);
            }
        }
    }
}

fn end(jobs: &Arc<Jobs>, agent_id: &str, parts: Vec<FreezePart>, result: &Result<(), OperationError>) {
    if let Err(error) = result {
        let cause = error.cause().unwrap_or_else(|| "-".into());
        // The reconciler tries every few seconds; only what somebody asked for is worth an error.
        let level = if parts.is_empty() { log::Level::Warn } else { log::Level::Error };
        log::log!(
            level,
            "agent {agent_id}: its container is not settled: {error} ({cause}); the reconciler tries again"
        );
    }
    for part in parts {
        end_part(jobs, part, result);
    }
}

fn end_part(jobs: &Arc<Jobs>, part: FreezePart, result: &Result<(), OperationError>) {
    // If one failed, the others are frozen all the same, and the reply says which one failed.
    if let Some((op, answer)) = part.ended(result) {
        progress::finish_later(jobs, &op, Ok(answer));
    }
}

/// Makes an agent's container agree with its row.
///
/// # Errors
/// A driver error or a store error; the reconciler tries again.
pub fn settle(jobs: &Arc<Jobs>, agent_id: &str) -> Result<(), OperationError> {
    let Some(live) = jobs.store.lookup(|conn| agents::by_id(conn, agent_id))? else { return Ok(()) };
    let agent = live.agent;
    if agent.container_name.is_none() || !(agent.is_frozen() || agent.thawing) {
        return Ok(());
    }
    let (name, driver) = (container(&agent)?, jobs.driver_of(&agent)?);
    let status = match own(driver.brief(&name, within(CALL)), &agent.id) {
        Ok(state) => state.status,
        Err(Error::NotFound(_)) => Status::Stopped,
        Err(error) => return Err(error.into()),
    };
    if agent.is_frozen() {
        if status == Status::Running {
            driver.freeze(&name, within(CALL))?;
            log::info!("agent {}: its container is frozen", agent.slug);
        }
        return Ok(());
    }
    // A container that its owner paused before the freeze stays paused, and one that slept goes on sleeping.
    if status == Status::Frozen && !agent.paused && agent.asleep_at.is_none() {
        driver.unfreeze(&name, within(CALL))?;
        log::info!("agent {}: its container runs again", agent.slug);
    }
    let id = agent.id;
    Ok(jobs.store.write(move |conn| agents::settled(conn, &id))?)
}

/// True if a container does not agree with its agent's row.
pub fn is_due(agent: &Agent, status: Status) -> bool {
    agent.thawing || (agent.is_frozen() && status == Status::Running)
}

/// Settles one agent in the background.
pub fn settle_later(jobs: &Arc<Jobs>, agent_id: &str) {
    queue(jobs, agent_id, None);
}

/// Who freezes an agent, and why.
#[derive(Debug, Clone)]
pub struct Freezing {
    /// The actor's name: `user:NAME`, `agent:SLUG` or `taosd`.
    pub by: String,
    /// The admin's id, if an admin freezes. If the agent has another owner, only an admin may thaw it.
    pub admin: Option<String>,
    /// The reason.
    pub reason: String,
    /// The time.
    pub at: Micros,
}

/// Marks an agent as frozen in the caller's transaction. This suspends its credentials, frees the tasks that it holds,
/// and cancels an operation that would start it. False if it was frozen before.
///
/// # Errors
/// Any `StoreError`.
pub fn mark(conn: &Connection, agent: &Freezable, freezing: &Freezing) -> store::Result<bool> {
    let Freezing { by, admin, reason, at } = freezing;
    let by_admin = admin.as_ref().is_some_and(|admin| *admin != agent.owner_user_id);
    if !agents::freeze(conn, &agent.id, &agents::Freeze { by, by_admin, reason, at: *at })? {
        return Ok(false);
    }
    tasks::free_all_of_agent(conn, &agent.id, *at)?;
    if let Some(open) = operations::open_of_agent(conn, &agent.id)?
        && operations::by_id(conn, &open)?.is_some_and(|open| starts(open.kind))
    {
        operations::cancel(conn, &open)?;
    }
    Ok(true)
}

fn starts(kind: OperationKind) -> bool {
    use OperationKind::{Deploy, Restart, Resume, Start, Wake};
    matches!(kind, Deploy | Restart | Resume | Start | Wake)
}

/// Stores an operation that freezes or thaws the containers of these agents, as running; `None` if no agent has a
/// container.
///
/// # Errors
/// Any `StoreError`.
pub fn promise(
    conn: &Connection,
    mut op: Operation,
    agents: &[Freezable],
    answer: &Value,
) -> store::Result<Option<Operation>> {
    let with: Vec<(&str, &str)> = agents
        .iter()
        .filter(|agent| agent.container.is_some())
        .map(|agent| (agent.id.as_str(), agent.slug.as_str()))
        .collect();
    if with.is_empty() {
        return Ok(None);
    }
    // The row has no agent id: another operation on the agent may be open, and must not stop this one.
    op.agent_name = answer["name"].as_str().map(str::to_owned);
    op.status = OperationStatus::Running;
    op.started_at = Some(op.created_at);
    op.payload = json!({"agents": with, "answer": answer}).to_string();
    operations::insert(conn, &op)?;
    Ok(Some(op))
}
