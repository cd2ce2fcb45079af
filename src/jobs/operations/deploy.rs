//! Deploying an agent: container, limits, way to the daemon, token, first start. Any failure takes all of it back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::delivery::Terms;
use super::progress::{Ended, agent_of, asker, is_cancelled, step};
use super::{delivery, lifecycle, mounts};
use crate::containers::{
    ContainerName, ContainerPath, CreateSpec, Driver, EnvKey, EnvValue, Error, ImageName, Mount, Status, Until,
};
use crate::jobs::operations::{Jobs, within};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store;
use crate::store::agents::{self, Agent, Delivery};
use crate::store::credentials;
use crate::store::operations::Operation;
use crate::time::Micros;

/// Seconds for making a container: an image may have to be unpacked onto a slow card.
const CREATE: u64 = 600;
/// Seconds for a start.
const START: u64 = 60;
/// Seconds for taking a container away.
const REMOVE: u64 = 120;
/// How often that is tried, and the pause between.
const REMOVE_TRIES: u32 = 6;
const REMOVE_PAUSE: Duration = Duration::from_millis(500);

/// Environment beside the daemon's own. It may hold secrets: it lives in memory, with the work that needs it, and goes
/// when that ends. A crash takes the deployment back anyway.
pub type Env = Vec<(String, Zeroizing<String>)>;

/// What is wanted of the container, as the operation keeps it. Never a secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeploySpec {
    /// The image.
    pub image: String,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Size of the root disk in bytes.
    pub root_bytes: Option<u64>,
    /// Folders of the host's: source, target, read-only.
    pub mounts: Vec<(String, String, bool)>,
}

fn unusable(what: impl ToString) -> ApiError {
    ApiError {
        cause: Some(what.to_string()),
        ..ApiError::new(codes::CONTAINER_FAILED).detail("The stored deployment is not valid.")
    }
}

impl DeploySpec {
    fn spec(&self, agent: &Agent, env: &Env) -> Result<CreateSpec, ApiError> {
        let mut spec = CreateSpec::new(ImageName::parse(&self.image).map_err(unusable)?, &agent.id);
        spec.memory_bytes = self.memory_bytes;
        spec.cpus = self.cpus;
        spec.root_bytes = self.root_bytes;
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
pub fn deploy(jobs: &Arc<Jobs>, op: &Operation, env: &Env) -> Ended {
    let agent = agent_of(jobs, op)?;
    match attempt(jobs, op, &agent, env) {
        Ok(()) => Ok(json!({"status": "success", "name": agent.slug, "id": agent.id})),
        Err(error) => {
            if let Err(error) = roll_back(jobs, &agent) {
                log::error!("the container of agent {} could not be removed: {error}", agent.slug);
            }
            Err(error)
        }
    }
}

fn attempt(jobs: &Arc<Jobs>, op: &Operation, agent: &Agent, env: &Env) -> Result<(), ApiError> {
    let wanted: DeploySpec = serde_json::from_str(&op.payload).map_err(unusable)?;
    let (name, driver) = (lifecycle::container(agent)?, jobs.driver()?);
    let unwanted = || is_cancelled(jobs, op);
    step(jobs, op, "creating the container", 10)?;
    let mut spec = wanted.spec(agent, env)?;
    let socket = jobs.sockets.open(&agent.id).map_err(unusable)?;
    spec.proxy_socket = Some(socket);
    let sources: Vec<PathBuf> = spec.mounts.iter().map(|mount| mount.source.clone()).collect();
    mounts::check(&jobs.mount_roots.now(), &sources)?;
    driver.create(&name, &spec, Until::from(within(CREATE)).unless(&unwanted))?;
    step(jobs, op, "delivering the token", 60)?;
    let issued = delivery::issue(jobs, &agent.id, &Terms::PLAIN, &asker(op), delivery::own_scopes)?;
    step(jobs, op, "starting", 80)?;
    mounts::start(jobs, driver.as_ref(), &name, Until::from(within(START)).unless(&unwanted))?;
    lifecycle::open_way(jobs, driver.as_ref(), agent, &name)?;
    delivery::write_file(jobs, agent, &issued);
    jobs.store.write({
        let id = agent.id.clone();
        move |conn| agents::set_status(conn, &id, "running", false, Micros::now())
    })?;
    Ok(())
}

/// Takes a deployment back: its container, its credential, its socket. The record stays, as failed.
///
/// # Errors
/// The driver's, if a container may be left; it stays on the record, so that archiving and purging find it.
pub fn roll_back(jobs: &Arc<Jobs>, agent: &Agent) -> Result<(), ApiError> {
    let removed = lifecycle::container(agent).and_then(|name| {
        let driver = jobs.driver()?;
        // One that was there before belongs to somebody else, whatever it is called.
        match driver.get(&name, within(REMOVE)) {
            Ok(state) if state.owner.as_deref() == Some(agent.id.as_str()) => {
                Ok(remove(driver.as_ref(), &name, &agent.id)?)
            }
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    });
    jobs.sockets.close(&agent.id);
    let id = agent.id.clone();
    let gone = removed.is_ok();
    let written = jobs.store.write(move |conn| -> store::Result<()> {
        let now = Micros::now();
        credentials::revoke_agent_tokens(conn, &id, now)?;
        agents::set_delivery(conn, &id, &Delivery::default(), now)?;
        if gone {
            agents::set_container(conn, &id, None, "failed", now)
        } else {
            agents::set_status(conn, &id, "failed", false, now).map(|_| ())
        }
    });
    if let Err(error) = written {
        log::error!("the failed deployment of agent {} could not be recorded: {error}", agent.slug);
    }
    removed
}

/// Stops and deletes a container, if it is there and was made for this agent. One that is changing, as after a crash in
/// the middle of its start, is tried again for some seconds.
///
/// # Errors
/// The driver's; "there is none" is none.
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
    let state = driver.get(name, within(REMOVE))?;
    if state.owner.as_deref().is_some_and(|owner| owner != agent_id) {
        // Somebody else's: not ours to delete, and not what was made here.
        return Ok(());
    }
    if state.status != Status::Stopped {
        driver.stop(name, Duration::ZERO, true, within(REMOVE))?;
    }
    driver.delete(name, within(REMOVE))
}
