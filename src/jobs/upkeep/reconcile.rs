//! Keeps agents' status true to what their containers do: one list every few seconds, a write only for a change.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::containers::{ContainerState, Detail, Driver, Runtime, Status};
use crate::jobs::operations::{Jobs, OperationError, within};
use crate::jobs::operations::{deploy, freeze, lifecycle};
use crate::jobs::start_up;
use crate::store::agents::{self, Agent, Delivery, TokenDelivery};
use crate::store::{self, operations};
use crate::threads::Periodic;
use crate::time::Micros;

const PERIOD: Duration = Duration::from_secs(10);
const CALL: u64 = 5;

/// Starts the thread.
///
/// # Errors
/// Where there is no thread to be had.
pub fn start(jobs: &Arc<Jobs>) -> std::io::Result<Periodic> {
    let jobs: Weak<Jobs> = Arc::downgrade(jobs);
    Periodic::start("reconciler", move |pause| {
        while pause.lasts(PERIOD) {
            let Some(jobs) = jobs.upgrade() else { return };
            start_up::migrate_if_due(&jobs);
            if let Err(error) = look(&jobs) {
                log::debug!("containers could not be looked at: {error}");
            }
        }
    })
}

fn look(jobs: &Arc<Jobs>) -> Result<(), OperationError> {
    let agents = jobs.store.lookup(agents::with_containers)?;
    if agents.is_empty() {
        return Ok(());
    }
    let driver = jobs.any_driver()?;
    if driver.runtime() == Runtime::None {
        return Ok(());
    }
    let listed =
        driver.list(Detail::Brief, within(CALL)).map_err(|error| OperationError::from(error.as_away(driver.runtime())));
    jobs.note_runtime("a look at the containers", listed.as_ref().map(|_| ()));
    let containers = listed?;
    for agent in agents {
        if deploy::is_left_over(jobs, &agent) {
            deploy::take_away(jobs, &agent);
            continue;
        }
        let found = containers.iter().find(|c| Some(c.name.as_str()) == agent.container_name.as_deref());
        let Some(state) = found else { continue };
        // What an operation is at, it will note itself.
        if jobs.store.lookup(|conn| operations::open_of_agent(conn, &agent.id))?.is_some() {
            continue;
        }
        start_up::note_status(jobs, &agent, state.status)?;
        if freeze::is_due(&agent, state.status) {
            freeze::settle_later(jobs, &agent.id);
        }
        if agent.is_frozen() {
            continue;
        }
        if let Err(error) = catch_up(jobs, driver.as_ref(), &agent, state) {
            log::debug!("container {} could not be read: {error}", state.name);
        }
    }
    Ok(())
}

/// What a restart by somebody else changes: its processes have the new token, and classic LXC's way in has closed.
fn catch_up(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    agent: &Agent,
    state: &ContainerState,
) -> Result<(), OperationError> {
    if state.status != Status::Running {
        return Ok(());
    }
    if driver.runtime() == Runtime::Lxc {
        lifecycle::open_way(jobs, driver, agent, &state.name)?;
    }
    if agent.token_delivery != Some(TokenDelivery::PendingRestart) {
        return Ok(());
    }
    let boot = driver.get(&state.name, within(CALL))?.boot;
    if boot.is_some() && boot != agent.token_delivery_boot {
        let (id, before) = (agent.id.clone(), agent.token_delivery_boot.clone());
        jobs.store.write(move |conn| -> store::Result<()> {
            // A delivery since then noted another run.
            let same = agents::by_id(conn, &id)?.is_some_and(|live| live.agent.token_delivery_boot == before);
            if same {
                agents::set_delivery(conn, &id, &Delivery::state(TokenDelivery::Delivered), Micros::now())
            } else {
                Ok(())
            }
        })?;
    }
    Ok(())
}
