//! Archiving an agent with its container, restoring and purging it (taOS contract, section 2).
//!
//! The rename decides: past it an archiving is finished after a crash, before it is undone. The stored container name is
//! the only one ever touched.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::deploy::remove;
use super::operations::{Ended, agent_of, asker, step};
use super::{Jobs, delivery, lifecycle, within};
use crate::access::Scopes;
use crate::containers::{ContainerName, Driver, Error, SnapshotName, Status};
use crate::http::codes;
use crate::http::error::ApiError;
use crate::store::agents::{self, Agent};
use crate::store::grants::{self, Grantee};
use crate::store::operations::Operation;
use crate::store::{self, credentials};
use crate::time::Micros;

const GRACE: Duration = Duration::from_secs(10);
/// Seconds for a call.
const CALL: u64 = 60;
/// Seconds for a snapshot: it may be a copy.
const SNAPSHOT: u64 = 600;

fn bad_name(why: impl ToString) -> ApiError {
    ApiError { cause: Some(why.to_string()), ..codes::INTERNAL.into() }
}

/// Stop, snapshot, rename, then one transaction that ends credentials and grants.
pub fn archive(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let agent = agent_of(jobs, op)?;
    let (name, driver) = (lifecycle::container(&agent)?, jobs.driver()?);
    let ran = driver.get(&name, within(CALL))?.status != Status::Stopped;
    let moved = move_away(jobs, op, &agent, driver.as_ref(), &name);
    let (to, snapshot) = match moved {
        Ok(moved) => moved,
        Err(error) => {
            // The agent stays live, with its token, as it was.
            if ran && let Err(error) = driver.start(&name, within(CALL)) {
                log::warn!("the container of agent {} could not be started again: {error}", agent.slug);
            }
            return Err(error);
        }
    };
    archive_record(jobs, &agent, Some((to, snapshot)))
}

fn move_away(
    jobs: &Arc<Jobs>,
    op: &Operation,
    agent: &Agent,
    driver: &dyn Driver,
    name: &ContainerName,
) -> Result<(ContainerName, String), ApiError> {
    step(jobs, op, "stopping", 10)?;
    driver.stop(name, GRACE, true, within(CALL))?;
    step(jobs, op, "taking a snapshot", 30)?;
    let snapshot = format!("archived-{}", Micros::now().0 / Micros::SECOND);
    let snapshot_name = SnapshotName::parse(&snapshot).map_err(bad_name)?;
    driver.snapshot(name, &snapshot_name, within(SNAPSHOT))?;
    step(jobs, op, "renaming the container", 80)?;
    let to = ContainerName::archived(&agent.id).map_err(bad_name)?;
    driver.rename(name, &to, within(CALL))?;
    Ok((to, snapshot))
}

/// The transaction that archives; `moved`: the container's new name and its snapshot.
pub fn archive_record(jobs: &Arc<Jobs>, agent: &Agent, moved: Option<(ContainerName, String)>) -> Ended {
    jobs.sockets.close(&agent.id);
    let (agent, now) = (agent.clone(), Micros::now());
    let ended = json!({
        "status": "archived",
        "id": agent.id,
        "name": agent.slug,
        "archived_at": now.millis(),
        "snapshot_name": moved.as_ref().map(|(_, snapshot)| snapshot),
    });
    jobs.store.write(move |conn| -> store::Result<()> {
        if let (Some((name, snapshot)), Some(runtime)) = (&moved, &agent.container_runtime) {
            agents::set_container(conn, &agent.id, Some((name.as_str(), runtime)), "stopped", now)?;
            agents::set_snapshot(conn, &agent.id, snapshot)?;
        }
        agents::archive(conn, &agent.id, now)?;
        credentials::revoke_all_of_agent(conn, &agent.id, now)?;
        grants::delete_of_agent(conn, &agent.id)
    })?;
    Ok(ended)
}

/// The archived agent an operation is about.
fn archived_of(jobs: &Arc<Jobs>, op: &Operation) -> Result<Agent, ApiError> {
    let id = op.agent_id.clone().unwrap_or_default();
    let agent = jobs.store.lookup(|conn| agents::archived(conn, &id))?;
    agent.ok_or_else(|| codes::ARCHIVED_AGENT_NOT_FOUND.into())
}

/// Renames the container back, brings the record back, delivers a fresh token, starts.
pub fn restore(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let agent = archived_of(jobs, op)?;
    let (from, driver) = (lifecycle::container(&agent)?, jobs.driver()?);
    // The name was chosen and kept in the row before anything was touched, so that a crash can be undone.
    let payload: serde_json::Value = serde_json::from_str(&op.payload).map_err(bad_name)?;
    let slug = payload["slug"].as_str().unwrap_or("").to_owned();
    let to = ContainerName::for_agent(&slug).map_err(bad_name)?;
    step(jobs, op, "renaming the container", 10)?;
    driver.rename(&from, &to, within(CALL))?;
    let restored = jobs.store.write({
        let (agent, slug, to, actor) = (agent.clone(), slug, to.clone(), op.actor.clone());
        move |conn| -> Result<Agent, ApiError> {
            let now = Micros::now();
            agents::restore(conn, &agent.id, &slug, now)?;
            let runtime = agent.container_runtime.as_deref().unwrap_or("lxd");
            agents::set_container(conn, &agent.id, Some((to.as_str(), runtime)), "stopped", now)?;
            let owner = Grantee::User(agent.owner_user_id.clone());
            grants::put(conn, &store::new_id(), &owner, Some(&agent.id), "owner", &actor, now)?;
            Ok(agents::by_id(conn, &agent.id)?.ok_or(codes::AGENT_NOT_FOUND)?.agent)
        }
    });
    let restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            if let Err(error) = driver.rename(&to, &from, within(CALL)) {
                log::error!("container {to} could not be renamed back to {from}: {error}");
            }
            return Err(error);
        }
    };
    step(jobs, op, "delivering a fresh token", 50)?;
    let asker = asker(op);
    let prepared = jobs.store.write({
        let (agent, asker) = (restored.clone(), asker.clone());
        move |conn| delivery::prepare(conn, &agent, Scopes::from_stored(&agent.scope), None, &asker, Micros::now())
    })?;
    delivery::complete(jobs, &restored, &prepared, 0, &asker)?;
    step(jobs, op, "starting", 80)?;
    driver.start(&to, within(CALL))?;
    lifecycle::open_way(jobs, driver.as_ref(), &restored, &to)?;
    delivery::write_file(jobs, &restored, &prepared);
    jobs.store.write({
        let id = restored.id.clone();
        move |conn| agents::set_status(conn, &id, "running", false, Micros::now())
    })?;
    Ok(json!({
        "status": "restored",
        "id": restored.id,
        "name": restored.slug,
        "display_name": restored.display_name,
        "container_renamed": true,
    }))
}

/// Deletes exactly the stored container, then the record. A container that is gone is fine; any other failure keeps the
/// row.
pub fn purge(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let agent = archived_of(jobs, op)?;
    let (name, driver) = (lifecycle::container(&agent)?, jobs.driver()?);
    step(jobs, op, "deleting the container", 10)?;
    remove(driver.as_ref(), &name, &agent.id)?;
    let id = agent.id.clone();
    jobs.store.write(move |conn| agents::purge(conn, &id))?;
    Ok(json!({"status": "purged", "id": agent.id}))
}

/// Ends an archiving that a crash cut: finished if the container has its archive's name, undone if not.
pub fn recover_archive(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let agent = agent_of(jobs, op)?;
    let driver = jobs.driver()?;
    let to = ContainerName::archived(&agent.id).map_err(bad_name)?;
    match driver.get(&to, within(CALL)) {
        Ok(_) => archive_record(jobs, &agent, Some((to, "archived".into()))),
        Err(Error::NotFound(_)) => {
            driver.start(&lifecycle::container(&agent)?, within(CALL))?;
            Err(codes::INTERRUPTED.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends a restoring that a crash cut: if the record is back, the migration delivers its token; if not, the container
/// gets its archive's name again.
pub fn recover_restore(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    let Ok(agent) = archived_of(jobs, op) else { return Err(codes::INTERRUPTED.into()) };
    let payload: serde_json::Value = serde_json::from_str(&op.payload).map_err(bad_name)?;
    let to = ContainerName::for_agent(payload["slug"].as_str().unwrap_or("")).map_err(bad_name)?;
    let driver = jobs.driver()?;
    match driver.get(&to, within(CALL)) {
        Ok(state) if state.owner.as_deref().is_none_or(|owner| owner == agent.id) => {
            let from = lifecycle::container(&agent)?;
            if matches!(driver.get(&from, within(CALL)), Err(Error::NotFound(_))) {
                driver.rename(&to, &from, within(CALL))?;
            }
        }
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Err(codes::INTERRUPTED.into())
}

/// Ends a purging that a crash cut: finished.
pub fn recover_purge(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    if op.agent_id.is_none() || archived_of(jobs, op).is_err() {
        return Ok(json!({"status": "purged", "id": op.agent_id}));
    }
    purge(jobs, op)
}
