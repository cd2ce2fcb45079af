//! Start, stop, restart, pause and resume of an agent's container.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{OperationError, OperationResult};
use super::mounts;
pub use super::own::{container, is_own, own, own_container, place};
use super::progress::{agent_of, step};
use crate::closed_set::closed_set;
use crate::containers::{ContainerName, Driver, Status};
use crate::jobs::operations::{Jobs, within};
use crate::store::agents::{self, Agent, AgentStatus, Delivery, TokenDelivery};
use crate::store::operations::{Operation, OperationKind};
use crate::store::{self, tasks};
use crate::time::Micros;

/// How long a container may take to shut down by itself.
const GRACE: Duration = Duration::from_secs(10);
/// Seconds for a whole call, longer than the grace period.
const CALL: u64 = 40;

closed_set! {
    /// An action on a whole container.
    pub enum LifecycleAction {
        Start "start" "Starts it.";
        Stop "stop" "Stops it.";
        Restart "restart" "Stops it and starts it again.";
        Pause "pause" "Freezes it.";
        Resume "resume" "Thaws it.";
    }
}

impl From<LifecycleAction> for OperationKind {
    fn from(action: LifecycleAction) -> Self {
        match action {
            LifecycleAction::Start => Self::Start,
            LifecycleAction::Stop => Self::Stop,
            LifecycleAction::Restart => Self::Restart,
            LifecycleAction::Pause => Self::Pause,
            LifecycleAction::Resume => Self::Resume,
        }
    }
}

/// Carries out an action on the container of the operation's agent.
pub fn run(jobs: &Arc<Jobs>, op: &Operation, action: LifecycleAction) -> OperationResult {
    let agent = agent_of(jobs, op)?;
    if agent.is_frozen() {
        return Err(OperationError::Frozen);
    }
    let (name, driver) = own_container(jobs, &agent)?;
    step(jobs, op, doing(action), 10)?;
    // Starting a container that runs or is frozen does nothing to its processes.
    let renews = match action {
        LifecycleAction::Start => {
            !matches!(driver.brief(&name, within(CALL))?.status, Status::Running | Status::Frozen)
        }
        LifecycleAction::Stop | LifecycleAction::Restart => true,
        LifecycleAction::Pause | LifecycleAction::Resume => false,
    };
    match action {
        LifecycleAction::Start => mounts::start(jobs, driver.as_ref(), &name, within(CALL).into())?,
        LifecycleAction::Stop => driver.stop(&name, GRACE, true, within(CALL))?,
        LifecycleAction::Restart => {
            // Checked before the stop: a container that could not start again should keep running.
            if driver.node().is_none() {
                mounts::check(&jobs.mount_roots.now(), &driver.brief(&name, within(CALL))?.mounts)?;
            }
            driver.stop(&name, GRACE, true, within(CALL))?;
            mounts::start(jobs, driver.as_ref(), &name, within(CALL).into())?;
        }
        LifecycleAction::Pause => driver.freeze(&name, within(CALL))?,
        LifecycleAction::Resume => driver.unfreeze(&name, within(CALL))?,
    }
    if matches!(action, LifecycleAction::Start | LifecycleAction::Restart) {
        open_way(jobs, driver.as_ref(), &agent, &name)?;
    }
    note(jobs, &agent, action, renews)?;
    Ok(result(action, &agent))
}

fn doing(action: LifecycleAction) -> &'static str {
    match action {
        LifecycleAction::Start => "starting",
        LifecycleAction::Stop => "stopping",
        LifecycleAction::Restart => "restarting",
        LifecycleAction::Pause => "freezing",
        LifecycleAction::Resume => "unfreezing",
    }
}

/// Makes sure that the container's proxy leads to the agent's socket. A container on a node has no proxy.
///
/// # Errors
/// A driver error, or the socket cannot be opened.
pub fn open_way(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    agent: &Agent,
    name: &ContainerName,
) -> Result<(), OperationError> {
    if driver.node().is_some() {
        return Ok(());
    }
    let socket = jobs
        .sockets
        .open(&agent.id)
        .map_err(|error| OperationError::NoSocket(format!("the agent's socket: {error}")))?;
    Ok(driver.ensure_proxy(name, &socket, within(CALL))?)
}

/// Stores the agent's new state. `renews`: no process of before is left, so those that run now or will run have the
/// environment of the last delivery.
fn note(jobs: &Arc<Jobs>, agent: &Agent, action: LifecycleAction, renews: bool) -> Result<(), OperationError> {
    let (status, paused) = match action {
        LifecycleAction::Start | LifecycleAction::Restart => (AgentStatus::Running, false),
        LifecycleAction::Stop => (AgentStatus::Stopped, false),
        LifecycleAction::Pause => (agent.status, true),
        LifecycleAction::Resume => (agent.status, false),
    };
    let fresh = renews && agent.token_delivery == Some(TokenDelivery::PendingRestart);
    let id = agent.id.clone();
    jobs.store.write(move |conn| -> store::Result<()> {
        let now = Micros::now();
        agents::set_status(conn, &id, status, paused, now)?;
        agents::sleeps_since(conn, &id, None)?;
        if paused {
            tasks::free_all_of_agent(conn, &id, now)?;
        }
        if fresh {
            agents::set_delivery(conn, &id, &Delivery::state(TokenDelivery::Delivered), now)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The result of the operation, in the form of the route's reply.
pub fn result(action: LifecycleAction, agent: &Agent) -> Value {
    match action {
        LifecycleAction::Start => json!({"status": "started", "name": agent.slug}),
        LifecycleAction::Stop => json!({"status": "stopped", "name": agent.slug}),
        LifecycleAction::Restart => json!({"status": "restarted", "name": agent.slug}),
        LifecycleAction::Pause => json!({"status": "paused", "name": agent.slug, "paused": true}),
        LifecycleAction::Resume => json!({"status": "resumed", "name": agent.slug, "paused": false}),
    }
}
