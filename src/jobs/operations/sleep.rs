//! Wakes the container of a sleeping agent, and puts an agent's container to sleep (workspace contract, section 4).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::lifecycle::{open_way, own_container};
use super::progress::{agent_of, step};
use super::{Jobs, OperationError, OperationResult, inbox, mounts, within};
use crate::containers::{ContainerName, Driver, Error, Status};
use crate::store::agents::{self, Agent, AgentStatus, Delivery, TokenDelivery, Wake};
use crate::store::operations::Operation;
use crate::store::{self, news};
use crate::time::Micros;

/// How long a container may take to shut down by itself.
const GRACE: Duration = Duration::from_secs(10);
/// Seconds for a whole call, longer than the grace period.
const CALL: u64 = 40;

/// Starts or thaws the container of the operation's agent. The waiting news counts as delivered with that. If the
/// runtime does not reply, the agent was not woken: it is woken again once the runtime replies.
pub fn wake(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = agent_of(jobs, op)?;
    let woken = wake_agent(jobs, op, &agent);
    if let Err(error) = &woken
        && error.is_away()
    {
        jobs.note_away(&agent, "a wake", error);
        let id = agent.id.clone();
        jobs.store.write(move |conn| news::forget_wake(conn, &id))?;
    }
    woken
}

fn wake_agent(jobs: &Arc<Jobs>, op: &Operation, agent: &Agent) -> OperationResult {
    if agent.is_frozen() {
        return Err(OperationError::Frozen);
    }
    let (name, driver) = own_container(jobs, agent)?;
    if agent.paused {
        return Ok(json!({"status": "paused", "name": agent.slug}));
    }
    step(jobs, op, "waking", 10)?;
    let status = driver.brief(&name, within(CALL))?.status;
    match status {
        Status::Running => {}
        Status::Frozen => driver.unfreeze(&name, within(CALL))?,
        Status::Stopped | Status::Error | Status::Other => {
            mounts::start(jobs, driver.as_ref(), &name, within(CALL).into())?;
            open_way(jobs, driver.as_ref(), agent, &name)?;
        }
    }
    let started = !matches!(status, Status::Running | Status::Frozen);
    note_awake(jobs, agent, started)?;
    inbox::write(jobs, &agent.id);
    Ok(json!({"status": "woken", "name": agent.slug}))
}

fn note_awake(jobs: &Arc<Jobs>, agent: &Agent, started: bool) -> store::Result<()> {
    let fresh = started && agent.token_delivery == Some(TokenDelivery::PendingRestart);
    let id = agent.id.clone();
    jobs.store.write(move |conn| {
        let now = Micros::now();
        agents::set_status(conn, &id, AgentStatus::Running, false, now)?;
        agents::sleeps_since(conn, &id, None)?;
        news::settle(conn, &id)?;
        if fresh { agents::set_delivery(conn, &id, &Delivery::state(TokenDelivery::Delivered), now) } else { Ok(()) }
    })
}

/// Stops or freezes the container of the operation's agent, unless it is needed by now.
pub fn sleep(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = agent_of(jobs, op)?;
    if agent.is_frozen() {
        return Err(OperationError::Frozen);
    }
    let (name, driver) = own_container(jobs, &agent)?;
    let id = agent.id.clone();
    let needed = jobs
        .store
        .lookup(|conn| Ok::<_, store::StoreError>(news::waits(conn, &id)? || news::holds_a_lease(conn, &id)?))?;
    if needed || agent.paused {
        return Ok(json!({"status": "needed", "name": agent.slug}));
    }
    step(jobs, op, "falling asleep", 10)?;
    // Written before the container is frozen: if this run ends in between, the agent must not look paused.
    let id = agent.id.clone();
    jobs.store.write(move |conn| agents::sleeps_since(conn, &id, Some(Micros::now())))?;
    // After an error too the container may be frozen. If it runs, the reconciler notes that the agent is awake.
    let status = rest(driver.as_ref(), &name, agent.wake)?;
    let id = agent.id.clone();
    jobs.store.write(move |conn| agents::set_status(conn, &id, status, false, Micros::now()))?;
    Ok(json!({"status": "asleep", "name": agent.slug}))
}

/// Freezes or stops a container. Returns the agent's status after that.
fn rest(driver: &dyn Driver, name: &ContainerName, wake: Wake) -> Result<AgentStatus, Error> {
    match wake {
        Wake::Resume => match driver.freeze(name, within(CALL)) {
            // The container has stopped by itself.
            Err(Error::Refused(_)) => Ok(AgentStatus::Stopped),
            frozen => frozen.map(|()| AgentStatus::Running),
        },
        Wake::None | Wake::Start => {
            driver.stop(name, GRACE, true, within(CALL))?;
            Ok(AgentStatus::Stopped)
        }
    }
}
