//! Which container is an agent's: its record has the name, and the container notes for whom it was made.

use std::sync::Arc;

use super::error::OperationError;
use crate::containers::{ContainerName, ContainerPlace, ContainerState, Driver, Error};
use crate::jobs::operations::{Jobs, within};
use crate::store::agents::Agent;

/// Seconds for finding out whose container it is.
const LOOK: u64 = 10;

/// The name of an agent's container on its machine.
///
/// # Errors
/// `agent_has_no_container`.
pub fn container(agent: &Agent) -> Result<ContainerName, OperationError> {
    Ok(place(agent)?.container)
}

/// The machine and the name of an agent's container.
///
/// # Errors
/// `agent_has_no_container`.
pub fn place(agent: &Agent) -> Result<ContainerPlace, OperationError> {
    let name = agent.container_name.as_deref().ok_or(OperationError::NoContainer)?;
    ContainerPlace::parse(name).map_err(|why| OperationError::Internal(why.to_string()))
}

/// True if a container may be this agent's. The name alone does not say it: after the restore of an older backup it may
/// be another agent's by now.
pub fn is_own(state: &ContainerState, agent_id: &str) -> bool {
    state.owner.as_deref().is_none_or(|owner| owner == agent_id)
}

/// Reads a container that was made for another agent as "there is no such container".
///
/// # Errors
/// The given error, or [`Error::NotFound`].
pub fn own(looked: Result<ContainerState, Error>, agent_id: &str) -> Result<ContainerState, Error> {
    let state = looked?;
    if is_own(&state, agent_id) {
        return Ok(state);
    }
    log::warn!("container {} was made for another agent than {agent_id}: it is left alone", state.name);
    Err(Error::NotFound(state.name.to_string()))
}

/// The runtime and the name of an agent's own container.
///
/// # Errors
/// `agent_has_no_container`, or a driver error, if there is no such container too.
pub fn own_container(jobs: &Jobs, agent: &Agent) -> Result<(ContainerName, Arc<dyn Driver>), OperationError> {
    let (name, driver) = (container(agent)?, jobs.driver_of(agent)?);
    own(driver.brief(&name, within(LOOK)), &agent.id)?;
    Ok((name, driver))
}
