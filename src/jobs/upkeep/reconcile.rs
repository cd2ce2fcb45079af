//! The reconciler: makes the stored status of agents agree with their containers. It lists the containers every 10 s
//! and writes only changes. It also tries again what waited for the disk, the runtime or a place in
//! the queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::Connection;

use crate::containers::{ContainerPlace, ContainerState, Detail, Driver, NodeName, Runtime, Status};
use crate::jobs::operations::delivery::UNKNOWN_RUN;
use crate::jobs::operations::nodes::NodeHandle;
use crate::jobs::operations::{Jobs, OperationError, within};
use crate::jobs::operations::{deploy, freeze, lifecycle, progress};
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
/// A thread cannot be started.
pub fn start(jobs: &Arc<Jobs>) -> std::io::Result<Periodic> {
    let jobs: Weak<Jobs> = Arc::downgrade(jobs);
    Periodic::start("reconciler", move |pause| {
        while pause.lasts(PERIOD) {
            let Some(jobs) = jobs.upgrade() else { return };
            progress::write_ends(&jobs);
            start_up::recover_if_due(&jobs);
            start_up::migrate_if_due(&jobs);
            if let Err(error) = look(&jobs) {
                log::debug!("containers could not be looked at: {error}");
            }
        }
    })
}

/// An agent as it was before the containers were listed.
struct SeenAgent {
    agent: Agent,
    /// Its newest operation, and when that ended.
    last: Option<(String, Option<Micros>)>,
}

impl SeenAgent {
    fn all(conn: &Connection) -> store::Result<Vec<Self>> {
        let seen = |agent: Agent| Ok(Self { last: operations::last_of_agent(conn, &agent.id)?, agent });
        agents::with_containers(conn)?.into_iter().map(seen).collect()
    }
}

/// True if an agent has no open operation, and had none since `last` was its newest one. An operation stores the status
/// itself, and a list that was made meanwhile may be older.
fn is_undisturbed(conn: &Connection, agent_id: &str, last: Option<&(String, Option<Micros>)>) -> store::Result<bool> {
    Ok(operations::open_of_agent(conn, agent_id)?.is_none()
        && operations::last_of_agent(conn, agent_id)?.as_ref() == last)
}

fn look(jobs: &Arc<Jobs>) -> Result<(), OperationError> {
    let mut agents: BTreeMap<Option<NodeName>, Vec<SeenAgent>> = BTreeMap::new();
    for seen in jobs.store.lookup(SeenAgent::all)? {
        agents.entry(seen.agent.container_name.as_deref().and_then(ContainerPlace::node_in)).or_default().push(seen);
    }
    let here = agents.remove(&None).unwrap_or_default();
    for (name, there) in agents {
        if let Some(name) = name
            && let Err(error) = look_later(jobs, &name, there)
        {
            log::debug!("node {name} could not be looked at: {error}");
        }
    }
    if here.is_empty() {
        return Ok(());
    }
    let driver = jobs.any_driver()?;
    if driver.runtime() == Runtime::None {
        return Ok(());
    }
    let listed = list(driver.as_ref());
    jobs.note_runtime("a look at the containers", listed.as_ref().map(|_| ()));
    compare(jobs, driver.as_ref(), here, &listed?)
}

fn list(driver: &dyn Driver) -> Result<Vec<ContainerState>, OperationError> {
    driver.list(Detail::Brief, within(CALL)).map_err(|error| error.as_away(driver).into())
}

/// Lists a node's containers on the node's own threads, unless that is running already.
fn look_later(jobs: &Arc<Jobs>, name: &NodeName, agents: Vec<SeenAgent>) -> Result<(), OperationError> {
    let node = jobs.nodes.get(name)?;
    if !node.may_look() {
        return Ok(());
    }
    let looked = NodeLook(Arc::clone(&node));
    jobs.look_on(Some(name), None, move |jobs| {
        let driver = looked.0.driver();
        let listed = list(driver.as_ref());
        looked.0.note(listed.as_ref().map(|_| ()));
        let Ok(containers) = listed else { return };
        if looked.0.take_unserved() {
            start_up::serve(jobs, agents.into_iter().map(|seen| (seen.agent.id, None)).collect());
        } else if let Err(error) = compare(jobs, driver.as_ref(), agents, &containers) {
            log::debug!("the containers of node {} could not be looked at: {error}", looked.0.name);
        }
    })
}

/// A running look at a node; dropping it ends the look.
struct NodeLook(Arc<NodeHandle>);

impl Drop for NodeLook {
    fn drop(&mut self) {
        self.0.looked();
    }
}

/// Compares agents with their runtime's containers.
fn compare(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    agents: Vec<SeenAgent>,
    containers: &[ContainerState],
) -> Result<(), OperationError> {
    for SeenAgent { agent, last } in agents {
        if deploy::is_left_over(jobs, &agent) {
            deploy::take_away(jobs, &agent);
            continue;
        }
        let Ok(name) = lifecycle::container(&agent) else { continue };
        let own = |state: &&ContainerState| state.name == name && lifecycle::is_own(state, &agent.id);
        let Some(state) = containers.iter().find(own) else { continue };
        if !jobs.store.lookup(|conn| is_undisturbed(conn, &agent.id, last.as_ref()))? {
            continue;
        }
        let id = agent.id.clone();
        let still = move |conn: &Connection| is_undisturbed(conn, &id, last.as_ref());
        start_up::note_status_if(jobs, &agent, state.status, still)?;
        if freeze::is_due(&agent, state.status) {
            freeze::settle_later(jobs, &agent.id);
        }
        if agent.is_frozen() {
            continue;
        }
        // The runtime replies again, so it can say which token the container has.
        if jobs.take_undelivered(&agent.id) {
            start_up::serve(jobs, vec![(agent.id, None)]);
            continue;
        }
        if let Err(error) = catch_up(jobs, driver, &agent, state) {
            log::debug!("container {} could not be read: {error}", state.name);
        }
    }
    Ok(())
}

/// Handles a restart that the daemon did not make: the processes now have the new token, and the proxy of classic LXC
/// is closed.
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
        let error = agent.token_delivery_error.clone();
        jobs.store.write(move |conn| -> store::Result<()> {
            // A later delivery has stored another run.
            let same = agents::by_id(conn, &id)?.is_some_and(|live| live.agent.token_delivery_boot == before);
            if !same {
                return Ok(());
            }
            let noted = if before.as_deref() == Some(UNKNOWN_RUN) {
                // The delivery did not learn which run it reached: only the next run certainly has the token.
                Delivery { state: Some(TokenDelivery::PendingRestart), error: error.as_deref(), boot: boot.as_deref() }
            } else {
                Delivery::state(TokenDelivery::Delivered)
            };
            agents::set_delivery(conn, &id, &noted, Micros::now())
        })?;
    }
    Ok(())
}
