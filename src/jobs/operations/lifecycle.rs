//! Start, stop, restart, pause and resume of an agent's container.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::mounts;
use super::progress::{Ended, agent_of, step};
use crate::containers::{ContainerName, Driver};
use crate::jobs::operations::{Jobs, within};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent, Delivery};
use crate::store::operations::Operation;
use crate::store::{self, tasks};
use crate::time::Micros;

/// How long a container may take to shut down by itself.
const GRACE: Duration = Duration::from_secs(10);
/// Seconds for a whole call, longer than the grace.
const CALL: u64 = 40;

/// The name of an agent's container.
///
/// # Errors
/// `agent_has_no_container`.
pub fn container(agent: &Agent) -> Result<ContainerName, ApiError> {
    let name = agent.container_name.as_deref().ok_or(codes::AGENT_HAS_NO_CONTAINER)?;
    ContainerName::parse(name).map_err(|why| ApiError { cause: Some(why.to_string()), ..codes::INTERNAL.into() })
}

/// Carries out one of the five.
pub fn run(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let agent = agent_of(jobs, op)?;
    let (name, driver) = (container(&agent)?, jobs.driver()?);
    step(jobs, op, doing(&op.kind), 10)?;
    match op.kind.as_str() {
        "start" => mounts::start(jobs, driver.as_ref(), &name, within(CALL).into())?,
        "stop" => driver.stop(&name, GRACE, true, within(CALL))?,
        "restart" => {
            // One that could not start again had better run on.
            mounts::check(&jobs.mount_roots.now(), &driver.get(&name, within(CALL))?.mounts)?;
            driver.stop(&name, GRACE, true, within(CALL))?;
            mounts::start(jobs, driver.as_ref(), &name, within(CALL).into())?;
        }
        "pause" => driver.freeze(&name, within(CALL))?,
        "resume" => driver.unfreeze(&name, within(CALL))?,
        other => return Err(ApiError { cause: Some(format!("kind {other}")), ..codes::INTERNAL.into() }),
    }
    if matches!(op.kind.as_str(), "start" | "restart") {
        open_way(jobs, driver.as_ref(), &agent, &name)?;
    }
    note(jobs, &agent, &op.kind)?;
    Ok(result(&op.kind, &agent))
}

fn doing(kind: &str) -> &'static str {
    match kind {
        "start" => "starting",
        "stop" => "stopping",
        "restart" => "restarting",
        "pause" => "freezing",
        _ => "unfreezing",
    }
}

/// Makes sure that the container's own address leads to the agent's socket.
///
/// # Errors
/// The driver's.
pub fn open_way(jobs: &Arc<Jobs>, driver: &dyn Driver, agent: &Agent, name: &ContainerName) -> Result<(), ApiError> {
    let socket = jobs.sockets.open(&agent.id).map_err(|error| ApiError {
        cause: Some(format!("the agent's socket: {error}")),
        ..ApiError::new(codes::CONTAINER_FAILED).detail("The agent's socket could not be opened.")
    })?;
    Ok(driver.ensure_proxy(name, &socket, within(CALL))?)
}

/// Notes the agent's new state; after a start its processes have the environment of the last delivery.
fn note(jobs: &Arc<Jobs>, agent: &Agent, kind: &str) -> Result<(), ApiError> {
    let (status, paused) = match kind {
        "start" | "restart" => ("running", false),
        "stop" => ("stopped", false),
        "pause" => (agent.status.as_str(), true),
        _ => (agent.status.as_str(), false),
    };
    let fresh =
        matches!(kind, "start" | "restart" | "stop") && agent.token_delivery.as_deref() == Some("pending_restart");
    let (id, status) = (agent.id.clone(), status.to_owned());
    jobs.store.write(move |conn| -> store::Result<()> {
        let now = Micros::now();
        agents::set_status(conn, &id, &status, paused, now)?;
        if paused {
            tasks::free_all_of_agent(conn, &id, now)?;
        }
        if fresh {
            agents::set_delivery(conn, &id, &Delivery::state("delivered"), now)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// What the route answers.
pub fn result(kind: &str, agent: &Agent) -> Value {
    match kind {
        "start" => json!({"status": "started", "name": agent.slug}),
        "stop" => json!({"status": "stopped", "name": agent.slug}),
        "restart" => json!({"status": "restarted", "name": agent.slug}),
        "pause" => json!({"status": "paused", "name": agent.slug, "paused": true}),
        _ => json!({"status": "resumed", "name": agent.slug, "paused": false}),
    }
}
