//! Archives an agent with its container, restores it and purges it (taOS contract, section 2).
//!
//! The rename decides after a crash: past it an archiving is finished, before it the archiving is undone. Only the
//! stored container is ever touched, also if a rename gave it a name that is not stored yet.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::delivery::Terms;
use super::deploy::remove;
use super::progress::{agent_of, asker, step};
use super::{delivery, lifecycle, mounts};
use crate::containers::{ContainerName, Driver, Error, SnapshotName, Status};
use crate::jobs::operations::{Jobs, OperationError, OperationResult, within};
use crate::limits::PURGE_BATCH;
use crate::store::agents::{self, Agent, AgentStatus};
use crate::store::grants::{self, GrantRole, Grantee, On};
use crate::store::operations::{self, Operation, OperationStatus};
use crate::store::{self, Store, credentials, deployments, joins, tasks};
use crate::time::Micros;

const GRACE: Duration = Duration::from_secs(10);
/// Seconds for one call.
const CALL: u64 = 60;
/// Seconds for a snapshot, which may be a full copy.
const SNAPSHOT: u64 = 600;

fn bad_name(why: impl ToString) -> OperationError {
    OperationError::Internal(why.to_string())
}

/// The payload of an operation that archives the container of an agent whose record is archived already.
pub const RECORD_FIRST: &str = r#"{"record":"archived"}"#;

/// True if the operation's agent was archived when the operation was requested.
pub fn is_record_first(op: &Operation) -> bool {
    op.payload == RECORD_FIRST
}

/// The archived container of an agent and its snapshot; `None` if there is no container.
type Moved = Option<(ContainerName, Option<String>)>;

/// Stops, snapshots and renames the container; then one transaction ends credentials and grants. If an earlier try got
/// past the rename, only the transaction remains. If the runtime reports that there is no container, only the record is
/// archived.
pub fn archive(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = subject(jobs, op)?;
    let (name, driver) = (lifecycle::container(&agent)?, jobs.driver_of(&agent)?);
    let state = match lifecycle::own(driver.brief(&name, within(CALL)), &agent.id) {
        Ok(state) => state,
        Err(Error::NotFound(_)) => {
            let to = archived_name(&agent)?;
            let moved = is_there(driver.as_ref(), &to, &agent)?.then_some((to, None));
            return archive_record(jobs, &agent, moved);
        }
        Err(error) => return Err(error.into()),
    };
    match move_away(jobs, op, &agent, driver.as_ref(), &name) {
        Ok(moved) => archive_record(jobs, &agent, Some(moved)),
        Err(error) => {
            if let Err(error) = go_back(jobs, &agent, driver.as_ref(), &name, state.status) {
                log::warn!("the container of agent {} is not what it was before: {error}", agent.slug);
            }
            Err(error)
        }
    }
}

/// After an archiving that failed: an agent that was live stays live, with its token. If its container ran before, it
/// runs again. If it was paused or slept and runs now, it is frozen again. If it is stopped now, what it had in memory is
/// gone; a start would make it work against its owner's word, so it stays stopped, and the record says so.
fn go_back(
    jobs: &Arc<Jobs>,
    agent: &Agent,
    driver: &dyn Driver,
    name: &ContainerName,
    before: Status,
) -> Result<(), OperationError> {
    match before {
        _ if agent.archived_at.is_some() => Ok(()),
        Status::Running if !agent.is_frozen() => mounts::start(jobs, driver, name, within(CALL).into()),
        Status::Frozen => match driver.brief(name, within(CALL))?.status {
            Status::Stopped => {
                let (id, paused) = (agent.id.clone(), agent.paused);
                let noted = move |conn: &Connection| {
                    agents::set_status(conn, &id, AgentStatus::Stopped, paused, Micros::now()).map(|_| ())
                };
                Ok(jobs.store.write(noted)?)
            }
            // A stop wakes it first, to let it end in order.
            Status::Running => Ok(driver.freeze(name, within(CALL))?),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn archived_name(agent: &Agent) -> Result<ContainerName, OperationError> {
    ContainerName::archived(&agent.id).map_err(bad_name)
}

/// The stored form of another container name at the place of this agent's container.
fn elsewhere(agent: &Agent, name: &ContainerName) -> String {
    match lifecycle::place(agent) {
        Ok(place) => place.with(name).to_string(),
        Err(_) => name.to_string(),
    }
}

/// True if there is a container with this name that may be this agent's.
fn is_there(driver: &dyn Driver, name: &ContainerName, agent: &Agent) -> Result<bool, Error> {
    match driver.brief(name, within(CALL)) {
        Ok(state) => Ok(lifecycle::is_own(&state, &agent.id)),
        Err(Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name of the snapshot. It is derived from the operation, so that a recovery knows it too.
fn snapshot_of(op: &Operation) -> String {
    format!("archived-{}", op.created_at.0 / Micros::SECOND)
}

/// The agent that an archiving is about: live, or archived already if its record was archived first.
fn subject(jobs: &Arc<Jobs>, op: &Operation) -> Result<Agent, OperationError> {
    agent_of(jobs, op).or_else(|_| archived_of(jobs, op))
}

fn move_away(
    jobs: &Arc<Jobs>,
    op: &Operation,
    agent: &Agent,
    driver: &dyn Driver,
    name: &ContainerName,
) -> Result<(ContainerName, Option<String>), OperationError> {
    step(jobs, op, "stopping", 10)?;
    driver.stop(name, GRACE, true, within(CALL))?;
    step(jobs, op, "taking a snapshot", 30)?;
    let snapshot = snapshot_of(op);
    match driver.snapshot(name, &SnapshotName::parse(&snapshot).map_err(bad_name)?, within(SNAPSHOT)) {
        // An earlier try of this operation took it: the name comes from the operation.
        Ok(()) | Err(Error::AlreadyExists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    step(jobs, op, "renaming the container", 80)?;
    let to = archived_name(agent)?;
    rename(driver, name, &to, agent)?;
    Ok((to, Some(snapshot)))
}

/// Renames a container, unless it has the name already: an agent may have been archived without it. If the runtime's
/// reply is lost, the containers themselves show whether it was renamed.
fn rename(driver: &dyn Driver, from: &ContainerName, to: &ContainerName, agent: &Agent) -> Result<(), Error> {
    if from == to {
        return Ok(());
    }
    match driver.rename(from, to, within(CALL)) {
        Err(error @ (Error::Deadline(_) | Error::InvalidResponse(_))) => {
            let gone = matches!(driver.brief(from, within(CALL)), Err(Error::NotFound(_)));
            if gone && is_there(driver, to, agent)? { Ok(()) } else { Err(error) }
        }
        other => other,
    }
}

/// Archives the record in one transaction.
fn archive_record(jobs: &Arc<Jobs>, agent: &Agent, moved: Moved) -> OperationResult {
    let (agent, now) = (agent.clone(), Micros::now());
    let id = agent.id.clone();
    let ended = json!({
        "status": "archived",
        "id": agent.id,
        "name": agent.slug,
        "archived_at": now.millis(),
        "snapshot_name": moved.as_ref().and_then(|(_, snapshot)| snapshot.as_ref()),
    });
    jobs.store.write(move |conn| -> store::Result<()> {
        match (&moved, &agent.container_runtime) {
            (Some((name, snapshot)), Some(runtime)) => {
                let name = elsewhere(&agent, name);
                agents::set_container(conn, &agent.id, Some((&name, runtime)), AgentStatus::Stopped, now)?;
                agents::set_snapshot(conn, &agent.id, snapshot.as_deref())?;
            }
            _ => agents::set_container(conn, &agent.id, None, AgentStatus::Registered, now)?,
        }
        end_record(conn, &agent.id, now)
    })?;
    jobs.sockets.close(&id);
    Ok(ended)
}

/// Archives the record: ends every credential, also one that a join was approved for, every grant and deployment, and
/// frees the tasks that it held.
///
/// # Errors
/// Any `StoreError`.
pub fn end_record(conn: &Connection, agent_id: &str, now: Micros) -> store::Result<()> {
    agents::archive(conn, agent_id, now)?;
    tasks::free_all_of_agent(conn, agent_id, now)?;
    deployments::expire_all(conn, agent_id)?;
    credentials::revoke_all_of_agent(conn, agent_id, now)?;
    joins::end_of_agent(conn, agent_id, now)?;
    grants::delete_of_agent(conn, agent_id)
}

/// Deletes the deployments of an agent that is about to be purged. They may be many, so they go in batches and other
/// writes come in between.
///
/// # Errors
/// Any `StoreError`.
pub fn purge_parts(store: &Store, agent_id: &str) -> store::Result<()> {
    loop {
        let id = agent_id.to_owned();
        if store.write(move |conn| deployments::delete_some(conn, &id, PURGE_BATCH))? == 0 {
            return Ok(());
        }
    }
}

/// The archived agent that an operation is about.
fn archived_of(jobs: &Arc<Jobs>, op: &Operation) -> Result<Agent, OperationError> {
    let id = op.agent_id.clone().unwrap_or_default();
    let agent = jobs.store.lookup(|conn| agents::archived(conn, &id))?;
    agent.ok_or(OperationError::NoArchivedAgent)
}

/// Renames the container back, restores the record, delivers a fresh token and starts the container. On a failure
/// everything is archived again, so that nothing is half restored.
pub fn restore(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = archived_of(jobs, op)?;
    let (from, driver) = (lifecycle::container(&agent)?, jobs.driver_of(&agent)?);
    // The name was chosen and stored in the row before anything was touched, so that recovery after a crash is
    // possible.
    let (slug, to) = wanted_name(op)?;
    step(jobs, op, "renaming the container", 10)?;
    let found = find(jobs, driver.as_ref(), &agent, &from)?;
    lifecycle::own(driver.brief(&found, within(CALL)), &agent.id)?;
    // It may run still, with a token that is dead, if the agent was archived without it.
    driver.stop(&found, GRACE, true, within(CALL))?;
    rename(driver.as_ref(), &found, &to, &agent)?;
    bring_back(jobs, op, &agent, &slug, &to, &from)
}

/// The name that the container of an archived agent has now. If the reply to a rename was lost, the container may have
/// the name that the archiving or a restore wanted; there it must say itself that it is this agent's.
fn find(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    agent: &Agent,
    stored: &ContainerName,
) -> Result<ContainerName, OperationError> {
    let owner = |name: &ContainerName| match driver.brief(name, within(CALL)) {
        Ok(state) => Ok(Some(state.owner)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    };
    if owner(stored)?.is_some() {
        return Ok(stored.clone());
    }
    let slugs = jobs.store.lookup(|conn| operations::restore_slugs(conn, &agent.id))?;
    let wanted = slugs.iter().filter_map(|slug| ContainerName::for_agent(slug).ok());
    for name in std::iter::once(archived_name(agent)?).chain(wanted) {
        if owner(&name)?.flatten().as_deref() == Some(agent.id.as_str()) {
            return Ok(name);
        }
    }
    Ok(stored.clone())
}

/// The slug and the container name that a restore has stored in its payload.
fn wanted_name(op: &Operation) -> Result<(String, ContainerName), OperationError> {
    let payload: Value = serde_json::from_str(&op.payload).map_err(bad_name)?;
    let slug = payload["slug"].as_str().unwrap_or("").to_owned();
    let to = ContainerName::for_agent(&slug).map_err(bad_name)?;
    Ok((slug, to))
}

/// Does what follows the rename. On a failure the container gets its archive name again.
fn bring_back(
    jobs: &Arc<Jobs>,
    op: &Operation,
    agent: &Agent,
    slug: &str,
    to: &ContainerName,
    from: &ContainerName,
) -> OperationResult {
    let revived = revive(jobs, op, agent, slug, to).and_then(|live| finish_restore(jobs, op, &live, to).map(|()| live));
    match revived {
        Ok(live) => Ok(restored(&live)),
        Err(error) => {
            put_back(jobs, agent, to, from);
            Err(error)
        }
    }
}

fn restored(agent: &Agent) -> Value {
    json!({
        "status": "restored",
        "id": agent.id,
        "name": agent.slug,
        "display_name": agent.display_name,
        "container_renamed": true,
    })
}

/// Makes the record live again, under its new slug.
fn revive(
    jobs: &Arc<Jobs>,
    op: &Operation,
    agent: &Agent,
    slug: &str,
    to: &ContainerName,
) -> Result<Agent, OperationError> {
    let (agent, slug, to, actor) = (agent.clone(), slug.to_owned(), to.clone(), op.actor.clone());
    jobs.store.write(move |conn| {
        if agents::name_is_taken(conn, &slug)? {
            return Err(OperationError::NameTaken);
        }
        let now = Micros::now();
        agents::restore(conn, &agent.id, &slug, now)?;
        let runtime = agent.container_runtime.as_deref().unwrap_or("lxd");
        agents::set_container(conn, &agent.id, Some((&elsewhere(&agent, &to), runtime)), AgentStatus::Stopped, now)?;
        let owner = Grantee::User(agent.owner_user_id.clone());
        grants::put(conn, &store::new_id(), &owner, &On::agent(&agent.id), GrantRole::Owner, &actor, now)?;
        Ok(agents::by_id(conn, &agent.id)?.ok_or(OperationError::NoAgent)?.agent)
    })
}

/// Delivers a fresh token to the live record's container and starts it.
fn finish_restore(jobs: &Arc<Jobs>, op: &Operation, agent: &Agent, name: &ContainerName) -> Result<(), OperationError> {
    step(jobs, op, "delivering a fresh token", 50)?;
    let issued = delivery::issue(jobs, &agent.id, &Terms::PLAIN, &asker(op), delivery::own_scopes)?;
    start(jobs, op, agent, name)?;
    delivery::write_file(jobs, agent, &issued);
    Ok(())
}

fn start(jobs: &Arc<Jobs>, op: &Operation, agent: &Agent, name: &ContainerName) -> Result<(), OperationError> {
    let driver = jobs.driver_of(agent)?;
    step(jobs, op, "starting", 80)?;
    mounts::start(jobs, driver.as_ref(), name, within(CALL).into())?;
    lifecycle::open_way(jobs, driver.as_ref(), agent, name)?;
    let id = agent.id.clone();
    jobs.store.write(move |conn| agents::set_status(conn, &id, AgentStatus::Running, false, Micros::now()))?;
    Ok(())
}

/// Undoes a restore that failed: archives container and record again.
fn put_back(jobs: &Arc<Jobs>, agent: &Agent, to: &ContainerName, from: &ContainerName) {
    let moved = jobs.driver_of(agent).and_then(|driver| {
        driver.stop(to, Duration::ZERO, true, within(CALL))?;
        Ok(rename(driver.as_ref(), to, from, agent)?)
    });
    if let Err(error) = &moved {
        log::error!("container {to} could not be renamed back to {from}: {error}");
    }
    // The record stores the name that its container really has.
    let name = if moved.is_ok() { from.clone() } else { to.clone() };
    let row = agent.clone();
    let written = jobs.store.write(move |conn| -> store::Result<()> {
        let now = Micros::now();
        let runtime = row.container_runtime.as_deref().unwrap_or("lxd");
        agents::set_container(conn, &row.id, Some((&elsewhere(&row, &name), runtime)), AgentStatus::Stopped, now)?;
        if agents::by_id(conn, &row.id)?.is_some() {
            end_record(conn, &row.id, now)?;
        }
        agents::set_snapshot(conn, &row.id, row.snapshot_name.as_deref())
    });
    if let Err(error) = written {
        log::error!("agent {} could not be archived again: {error}", agent.slug);
    }
    jobs.sockets.close(&agent.id);
}

/// Deletes exactly the agent's own container, then the record. A missing container is no error; any other failure keeps
/// the row.
pub fn purge(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = archived_of(jobs, op)?;
    let (stored, driver) = (lifecycle::container(&agent)?, jobs.driver_of(&agent)?);
    step(jobs, op, "deleting the container", 10)?;
    let name = find(jobs, driver.as_ref(), &agent, &stored)?;
    remove(driver.as_ref(), &name, &agent.id)?;
    let id = agent.id.clone();
    purge_parts(&jobs.store, &id)?;
    jobs.store.write(move |conn| agents::purge(conn, &id))?;
    Ok(json!({"status": "purged", "id": agent.id}))
}

/// Ends an archiving that a crash interrupted: finishes it if the container has its archive name, and undoes it if not.
pub fn recover_archive(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let agent = subject(jobs, op)?;
    let driver = jobs.driver_of(&agent)?;
    let to = archived_name(&agent)?;
    if is_there(driver.as_ref(), &to, &agent)? {
        return archive_record(jobs, &agent, Some((to, Some(snapshot_of(op)))));
    }
    if agent.archived_at.is_some() {
        return archive(jobs, op);
    }
    if op.status == OperationStatus::Running && agent.status == AgentStatus::Running {
        let before = if agent.paused || agent.asleep_at.is_some() { Status::Frozen } else { Status::Running };
        let name = lifecycle::container(&agent)?;
        if is_there(driver.as_ref(), &name, &agent)? {
            go_back(jobs, &agent, driver.as_ref(), &name, before)?;
        }
    }
    Err(OperationError::Interrupted)
}

/// Ends a restore that a crash interrupted: finishes it if the container has its new name, and undoes it if not.
pub fn recover_restore(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    let (slug, to) = wanted_name(op)?;
    if let Ok(live) = agent_of(jobs, op) {
        if delivery::lack(jobs, &live)? != delivery::Lack::Nothing {
            finish_restore(jobs, op, &live, &to)?;
        } else {
            start(jobs, op, &live, &to)?;
        }
        return Ok(restored(&live));
    }
    let agent = archived_of(jobs, op)?;
    let (from, driver) = (lifecycle::container(&agent)?, jobs.driver_of(&agent)?);
    match driver.brief(&from, within(CALL)) {
        Err(Error::NotFound(_)) if is_there(driver.as_ref(), &to, &agent)? => {
            bring_back(jobs, op, &agent, &slug, &to, &from)
        }
        Ok(_) | Err(Error::NotFound(_)) => Err(OperationError::Interrupted),
        Err(error) => Err(error.into()),
    }
}

/// Finishes a purge that a crash interrupted.
pub fn recover_purge(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    if op.agent_id.is_none() || archived_of(jobs, op).is_err() {
        return Ok(json!({"status": "purged", "id": op.agent_id}));
    }
    purge(jobs, op)
}
