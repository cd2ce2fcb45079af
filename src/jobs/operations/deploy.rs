//! Deploys an agent: container, limits, proxy to the daemon, token, first start. Any failure undoes all of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::delivery::Terms;
use super::progress::{agent_of, asker, is_cancelled, step};
use super::{delivery, lifecycle, mounts};
use crate::containers::{
    ContainerName, ContainerPath, ContainerPlace, CreateSpec, Driver, EnvKey, EnvValue, Error, ImageName, Mount,
    Status, Until,
};
use crate::jobs::operations::{Jobs, OperationError, OperationResult, within};
use crate::store;
use crate::store::agents::{self, Agent, AgentStatus, Delivery};
use crate::store::credentials;
use crate::store::operations::{self, Operation, OperationKind, OperationStatus};
use crate::threads::lock;
use crate::time::Micros;

/// Seconds for making a container: an image may have to be unpacked onto a slow SD card.
const CREATE: u64 = 600;
/// Seconds for a start.
const START: u64 = 60;
/// Seconds for removing a container.
const REMOVE: u64 = 120;
/// Seconds for a query.
const ASK: u64 = 10;
/// Seconds in which a container may still appear after its creation was given up. Later, the reconciler finds it.
const LATE: u64 = 60;
/// How many times a removal is tried, and the pause in between.
const REMOVE_TRIES: u32 = 6;
const REMOVE_PAUSE: Duration = Duration::from_millis(500);

/// Environment variables in addition to the daemon's own. They may be secrets, so they are only in memory, with the
/// work that needs them, and are dropped when it ends. A crash undoes the deployment anyway.
pub type Env = Vec<(String, Zeroizing<String>)>;

/// The requested container, as the operation stores it. It never contains a secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeploySpec {
    /// The name of the image.
    pub image: String,
    /// The memory limit in bytes.
    pub memory_bytes: Option<u64>,
    /// The number of processors.
    pub cpus: Option<u32>,
    /// The size of the root disk in bytes.
    pub root_bytes: Option<u64>,
    /// The folders of the host to mount: source, target, read-only.
    pub mounts: Vec<(String, String, bool)>,
    /// The group of cluster members that may run it.
    #[serde(default)]
    pub group: Option<String>,
}

fn unusable(what: impl ToString) -> OperationError {
    OperationError::Unusable(what.to_string())
}

impl DeploySpec {
    fn spec(&self, agent: &Agent, env: &Env) -> Result<CreateSpec, OperationError> {
        let mut spec = CreateSpec::new(ImageName::parse(&self.image).map_err(unusable)?, &agent.id);
        spec.memory_bytes = self.memory_bytes;
        spec.cpus = self.cpus;
        spec.root_bytes = self.root_bytes;
        spec.group = self.group.clone();
        for (key, value) in env {
            spec.env.push((EnvKey::parse(key).map_err(unusable)?, EnvValue::parse(value).map_err(unusable)?));
        }
        for (source, target, read_only) in &self.mounts {
            let target = ContainerPath::parse(target).map_err(unusable)?;
            spec.mounts.push(Mount { source: source.into(), target, read_only: *read_only });
        }
        Ok(spec)
    }
}

/// Carries out a deployment.
pub fn deploy(jobs: &Arc<Jobs>, op: &Operation, env: &Env) -> OperationResult {
    let agent = agent_of(jobs, op)?;
    match attempt(jobs, op, &agent, env) {
        Ok(()) => Ok(json!({"status": "success", "name": agent.slug, "id": agent.id})),
        Err(error) => {
            let error = why(jobs, &agent, error);
            if let Err(error) = roll_back(jobs, &agent, Left::of(&error)) {
                log::warn!("the container of agent {} may still exist, looking for it again: {error}", agent.slug);
            }
            Err(error)
        }
    }
}

/// If the runtime does not reply now, the failure is reported as that.
fn why(jobs: &Arc<Jobs>, agent: &Agent, error: OperationError) -> OperationError {
    use OperationError as E;
    if !matches!(error, E::Container(_) | E::NoRuntime | E::Away(..) | E::NotDelivered(_) | E::NoSocket(_)) {
        return error;
    }
    match jobs.ask_runtime(agent.container_name.as_deref().and_then(ContainerPlace::node_in).as_ref()) {
        Err(E::Away(away, _)) => E::Away(away, error.cause()),
        Err(away) => away,
        Ok(_) => error,
    }
}

/// What remains of a deployment that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The record, as failed.
    Record,
    /// Nothing: the runtime was away, and the client may send the same request again.
    Nothing,
}

impl Left {
    fn of(error: &OperationError) -> Self {
        if error.is_unreachable() { Self::Nothing } else { Self::Record }
    }
}

/// True for the record of a failed deployment whose container may still exist.
pub fn is_left_over(jobs: &Arc<Jobs>, agent: &Agent) -> bool {
    agent.status == AgentStatus::Failed && agent.container_name.is_some() && last_failed(jobs, agent).is_some()
}

/// The last deployment of an agent, if it has failed and nothing has worked since: an agent whose container somebody
/// started is in use.
fn last_failed(jobs: &Arc<Jobs>, agent: &Agent) -> Option<Operation> {
    let last = jobs.store.lookup(|conn| {
        let last = operations::newest_of_agent(conn, &agent.id, OperationKind::Deploy)?;
        let used = |op: &Operation| operations::has_worked_since(conn, &agent.id, op.created_at);
        Ok::<_, store::StoreError>(match last {
            Some(op) if !used(&op)? => Some(op),
            _ => None,
        })
    });
    last.ok().flatten().filter(|op| matches!(op.status, OperationStatus::Failed | OperationStatus::Cancelled))
}

/// Queues the removal of what a failed deployment left behind, now that the runtime replies. It runs under the agent's
/// own key, once at a time.
pub fn take_away(jobs: &Arc<Jobs>, agent: &Agent) {
    if !lock(&jobs.removals).insert(agent.id.clone()) {
        return;
    }
    let id = agent.id.clone();
    let queued = jobs.run(Some(&agent.id), move |jobs| {
        // Reads the agent again: it may have changed in the meantime.
        if let Ok(Some(live)) = jobs.store.lookup(|conn| agents::by_id(conn, &id))
            && is_left_over(jobs, &live.agent)
        {
            take_away_now(jobs, &live.agent);
        }
        lock(&jobs.removals).remove(&id);
    });
    if queued.is_err() {
        lock(&jobs.removals).remove(&agent.id);
    }
}

fn take_away_now(jobs: &Arc<Jobs>, agent: &Agent) {
    let Some(op) = last_failed(jobs, agent) else { return };
    let away = op.error.is_some_and(|error| error.contains(OperationError::NoRuntime.slug()));
    let left = if away { Left::Nothing } else { Left::Record };
    match roll_back(jobs, agent, left) {
        Ok(()) => log::info!("the container that the failed deployment of agent {} left behind is removed", agent.slug),
        Err(error) => log::debug!("the container of agent {} could not be removed yet: {error}", agent.slug),
    }
}

fn attempt(jobs: &Arc<Jobs>, op: &Operation, agent: &Agent, env: &Env) -> Result<(), OperationError> {
    let wanted: DeploySpec = serde_json::from_str(&op.payload).map_err(unusable)?;
    let (name, driver) = (lifecycle::container(agent)?, jobs.driver_of(agent)?);
    let unwanted = || is_cancelled(jobs, op);
    step(jobs, op, "creating the container", 10)?;
    let mut spec = wanted.spec(agent, env)?;
    if driver.node().is_none() {
        spec.proxy_socket = Some(jobs.sockets.open(&agent.id).map_err(unusable)?);
        let sources: Vec<PathBuf> = spec.mounts.iter().map(|mount| mount.source.clone()).collect();
        mounts::check(&jobs.mount_roots.now(), &sources)?;
    }
    driver.create(&name, &spec, Until::from(within(CREATE)).unless(&unwanted))?;
    step(jobs, op, "delivering the token", 60)?;
    let issued = delivery::issue(jobs, &agent.id, &Terms::PLAIN, &asker(op), delivery::own_scopes)?;
    step(jobs, op, "starting", 80)?;
    mounts::start(jobs, driver.as_ref(), &name, Until::from(within(START)).unless(&unwanted))?;
    if unwanted() {
        return Err(OperationError::Cancelled);
    }
    lifecycle::open_way(jobs, driver.as_ref(), agent, &name)?;
    delivery::write_file(jobs, agent, &issued);
    jobs.store.write({
        let id = agent.id.clone();
        move |conn| agents::set_status(conn, &id, AgentStatus::Running, false, Micros::now())
    })?;
    Ok(())
}

/// Undoes a deployment: removes its container, even one that is still being made, its credential and its socket. With
/// [`Left::Nothing`] it removes the record too.
///
/// # Errors
/// A driver error, if a container may remain. The record then keeps the container's name, so that archiving, purging
/// and the reconciler find it.
pub fn roll_back(jobs: &Arc<Jobs>, agent: &Agent, left: Left) -> Result<(), OperationError> {
    let removed =
        lifecycle::container(agent).and_then(|name| Ok(remove_own(jobs.driver_of(agent)?.as_ref(), &name, &agent.id)?));
    jobs.sockets.close(&agent.id);
    // Nothing is delivered into what is undone.
    jobs.take_undelivered(&agent.id);
    let id = agent.id.clone();
    let gone = removed.is_ok();
    let written = jobs.store.write(move |conn| -> store::Result<()> {
        let now = Micros::now();
        credentials::revoke_agent_tokens(conn, &id, now)?;
        agents::set_delivery(conn, &id, &Delivery::default(), now)?;
        if gone && left == Left::Nothing {
            agents::forget(conn, &id)
        } else if gone {
            agents::set_container(conn, &id, None, AgentStatus::Failed, now)
        } else {
            agents::set_status(conn, &id, AgentStatus::Failed, false, now).map(|_| ())
        }
    });
    if let Err(error) = written {
        log::error!("the failed deployment of agent {} could not be recorded: {error}", agent.slug);
    }
    removed
}

/// Removes the container that the deployment made. A container with another owner is left alone, whatever its name. A
/// missing container counts as removed only once the runtime does no work on it.
fn remove_own(driver: &dyn Driver, name: &ContainerName, agent_id: &str) -> Result<(), Error> {
    let patience = within(LATE);
    let mut idle = false;
    loop {
        match driver.brief(name, within(ASK)) {
            Ok(state) if state.owner.as_deref() == Some(agent_id) => return remove(driver, name, agent_id),
            Ok(_) => return Ok(()),
            // This query came after the runtime was found idle.
            Err(Error::NotFound(_)) if idle => return driver.clear_draft(name, within(REMOVE)),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        idle = !driver.is_at_work(name, within(ASK))?;
        if Instant::now() >= patience {
            return Err(Error::Deadline(driver.runtime()));
        }
        if !idle {
            std::thread::sleep(REMOVE_PAUSE);
        }
    }
}

/// Stops and deletes a container, if it exists and was made for this agent. A container that is changing, as after a
/// crash during its start, is tried again for some seconds.
///
/// # Errors
/// A driver error; a missing container is none.
pub fn remove(driver: &dyn Driver, name: &ContainerName, agent_id: &str) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match remove_now(driver, name, agent_id) {
            Err(Error::NotFound(_)) => return Ok(()),
            Err(Error::Refused(_) | Error::Failed(_)) if tries < REMOVE_TRIES => std::thread::sleep(REMOVE_PAUSE),
            other => return other,
        }
        tries += 1;
    }
}

fn remove_now(driver: &dyn Driver, name: &ContainerName, agent_id: &str) -> Result<(), Error> {
    let state = driver.brief(name, within(REMOVE))?;
    if !lifecycle::is_own(&state, agent_id) {
        // Another agent's container, so it is not deleted.
        return Ok(());
    }
    if state.status != Status::Stopped {
        driver.stop(name, Duration::ZERO, true, within(REMOVE))?;
    }
    driver.delete(name, within(REMOVE))
}
