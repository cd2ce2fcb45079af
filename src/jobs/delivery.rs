//! Putting an agent's token into its container: prepare, deliver, activate (DESIGN D13).
//!
//! The new token waits as `pending` until the container has it; then, in one transaction, the old one ends and the new
//! one is active. A failure removes the pending row and the old token goes on working. A crash anywhere leaves a pending
//! row, which the next start finishes or removes by asking the container what it has.

use std::sync::Arc;

use rusqlite::Connection;

use super::{Jobs, within};
use crate::access::Scopes;
use crate::containers::{
    ContainerName, ContainerPath, Driver, EnvChange, EnvKey, EnvState, EnvValue, Error, FileSpec, INSIDE_ADDRESS,
    Status,
};
use crate::http::codes;
use crate::http::error::ApiError;
use crate::secret::{AgentToken, Issued, Kind, SecretHash};
use crate::store::agents::{self, Agent, Delivery};
use crate::store::audit;
use crate::store::credentials::{self, NewCredential};
use crate::store::{self, StoreError};
use crate::time::Micros;

/// Where a running container finds its present token.
const TOKEN_FILE: &str = "/run/taos/token";
/// Seconds for one call of a delivery.
const CALL: u64 = 10;
const ACTION: &str = "agents.token.issue";

/// Who wants a token delivered.
#[derive(Debug, Clone)]
pub struct Asker {
    /// As the audit names it.
    pub actor: String,
    /// The request.
    pub request_id: String,
}

impl Asker {
    /// The daemon itself.
    pub fn system() -> Self {
        Self { actor: "system".into(), request_id: "-".into() }
    }
}

/// A token that waits for its delivery.
#[derive(Debug)]
pub struct Prepared {
    /// The credential's id.
    pub id: String,
    /// Its scopes.
    pub scopes: Scopes,
    /// When it was issued.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
    issued: Issued,
}

/// What an activated token replaced, and what the container has of it.
#[derive(Debug)]
pub struct Activated {
    /// Until when the token before goes on working.
    pub previous_valid_until: Option<Micros>,
    /// `delivered` or `pending_restart`.
    pub delivery: &'static str,
}

/// Stores a new token as pending; one that waited before is gone.
///
/// # Errors
/// The store's.
pub fn prepare(
    conn: &Connection,
    agent: &Agent,
    scopes: Scopes,
    expires_at: Option<Micros>,
    asker: &Asker,
    now: Micros,
) -> store::Result<Prepared> {
    credentials::delete_pending(conn, &agent.id)?;
    let prepared = Prepared { id: store::new_id(), scopes, issued_at: now, expires_at, issued: AgentToken::generate() };
    let new = NewCredential {
        id: &prepared.id,
        kind: Kind::AgentToken,
        issued: &prepared.issued,
        user_id: None,
        agent_id: Some(&agent.id),
        scopes: &prepared.scopes.stored(),
        label: "",
        state: "pending",
        issued_by: &asker.actor,
        issued_at: now,
        expires_at,
    };
    credentials::insert(conn, &new)?;
    Ok(prepared)
}

/// Delivers and activates a prepared token. On an error the token before goes on working.
///
/// # Errors
/// `delivery_failed`, or the store's.
pub fn complete(
    jobs: &Arc<Jobs>,
    agent: &Agent,
    prepared: &Prepared,
    grace: i64,
    asker: &Asker,
) -> Result<Activated, ApiError> {
    match deliver(jobs, agent, &prepared.issued) {
        Ok(boot) => activate(jobs, &agent.id, &prepared.id, boot, grace, asker),
        Err(error) => {
            log::warn!("the token of agent {} could not be delivered: {error}", agent.slug);
            match what_arrived(jobs, agent, &prepared.issued.hash, &error) {
                // It did arrive, only its answer did not.
                Some(true) => return activate(jobs, &agent.id, &prepared.id, None, grace, asker),
                Some(false) => fail(jobs, agent, &error, true, asker)?,
                // Nobody can tell; the pending row stays for the next start, and nobody can use it.
                None => fail(jobs, agent, &error, false, asker)?,
            }
            Err(ApiError { cause: Some(error.to_string()), ..ApiError::new(codes::DELIVERY_FAILED) })
        }
    }
}

/// Writes the token file of a container that has just been started with this token.
pub fn write_file(jobs: &Arc<Jobs>, agent: &Agent, prepared: &Prepared) {
    let written = target(jobs, agent).and_then(|(driver, name)| {
        let file = ContainerPath::parse(TOKEN_FILE).map_err(|why| Error::Refused(why.to_string()))?;
        let spec = FileSpec::secret(file, prepared.issued.plaintext.reveal().as_bytes());
        driver.write_file(&name, &spec, within(CALL))
    });
    if let Err(error) = written {
        // Its processes have the token in their environment; the file is for later rotations.
        log::warn!("the token file of agent {} could not be written: {error}", agent.slug);
    }
}

/// What the container's configuration has: this token, something else, or unknown.
fn what_arrived(jobs: &Arc<Jobs>, agent: &Agent, hash: &SecretHash, error: &Error) -> Option<bool> {
    if !matches!(error, Error::Deadline(_) | Error::Garbage(_)) {
        return Some(false);
    }
    let (driver, name) = target(jobs, agent).ok()?;
    has_token(driver.as_ref(), &name, hash).ok()
}

/// True if the container's configuration has the token of this hash.
///
/// # Errors
/// The driver's.
pub fn has_token(driver: &dyn Driver, name: &ContainerName, hash: &SecretHash) -> Result<bool, Error> {
    let same = |value: &str| SecretHash::of(value) == *hash;
    Ok(driver.check_env(name, &key("TAOS_TOKEN"), &same, within(CALL))? == EnvState::Matches)
}

fn key(name: &str) -> EnvKey {
    EnvKey::parse(name).expect("a literal name")
}

fn target(jobs: &Arc<Jobs>, agent: &Agent) -> Result<(Arc<dyn Driver>, ContainerName), Error> {
    let driver = jobs.containers.driver()?;
    let name = agent.container_name.as_deref().unwrap_or("");
    let name = ContainerName::parse(name).map_err(|why| Error::Refused(why.to_string()))?;
    Ok((driver, name))
}

/// Puts everything an agent needs into its container. What can be undone comes first; the environment, which decides
/// what the container has at its next start, comes last. The run of the container that still has the environment from
/// before, if it runs.
fn deliver(jobs: &Arc<Jobs>, agent: &Agent, issued: &Issued) -> Result<Option<String>, Error> {
    let (driver, name) = target(jobs, agent)?;
    let socket = jobs.sockets.open(&agent.id).map_err(|why| Error::Refused(format!("the agent's socket: {why}")))?;
    driver.ensure_proxy(&name, &socket, within(CALL))?;
    let state = driver.get(&name, within(CALL))?;
    let file = ContainerPath::parse(TOKEN_FILE).map_err(|why| Error::Refused(why.to_string()))?;
    let running = state.status == Status::Running;
    if running {
        let spec = FileSpec::secret(file.clone(), issued.plaintext.reveal().as_bytes());
        driver.write_file(&name, &spec, within(CALL))?;
    } else {
        // Where `/run` is on the root disk, the token before would outlive its rotation there.
        let _ = driver.remove_file(&name, &file, within(CALL));
    }
    let set = driver.set_env(&name, &environment(agent, issued.plaintext.reveal())?, within(CALL));
    if set.is_err() && running {
        // A file with a token that never becomes active would mislead.
        let _ = driver.remove_file(&name, &file, within(CALL));
    }
    set?;
    Ok(if matches!(state.status, Status::Running | Status::Frozen) {
        Some(state.boot.unwrap_or_else(|| "unknown".into()))
    } else {
        None
    })
}

/// The variables every agent's container has.
pub fn environment(agent: &Agent, token: &str) -> Result<Vec<EnvChange>, Error> {
    let url = format!("http://{INSIDE_ADDRESS}");
    [("TAOS_TOKEN", token), ("TAOS_URL", url.as_str()), ("TAOS_AGENT_NAME", agent.slug.as_str())]
        .into_iter()
        .map(|(name, value)| {
            let value = EnvValue::parse(value).map_err(|why| Error::Refused(why.to_string()))?;
            Ok(EnvChange { key: key(name), value: Some(value) })
        })
        .collect()
}

/// Takes the token out of a container, as far as that goes.
pub fn withdraw(jobs: &Arc<Jobs>, agent: &Agent) {
    let removed = target(jobs, agent).and_then(|(driver, name)| {
        if let Ok(file) = ContainerPath::parse(TOKEN_FILE) {
            let _ = driver.remove_file(&name, &file, within(CALL));
        }
        driver.set_env(&name, &[EnvChange { key: key("TAOS_TOKEN"), value: None }], within(CALL))
    });
    if let Err(error) = removed {
        log::warn!("the revoked token of agent {} stays in its container: {error}", agent.slug);
    }
}

/// Ends the old token and activates the new one, in one transaction. A token that was revoked meanwhile stays dead.
fn activate(
    jobs: &Arc<Jobs>,
    agent_id: &str,
    credential_id: &str,
    boot: Option<String>,
    grace: i64,
    asker: &Asker,
) -> Result<Activated, ApiError> {
    let (agent_id, id, asker) = (agent_id.to_owned(), credential_id.to_owned(), asker.clone());
    let delivery = if boot.is_some() { "pending_restart" } else { "delivered" };
    jobs.store.write(move |conn| {
        let now = Micros::now();
        if agents::by_id(conn, &agent_id)?.is_none() || !credentials::is_pending(conn, &id)? {
            return Err(ApiError::new(codes::DELIVERY_FAILED).detail("The token was revoked while it was delivered."));
        }
        let previous_valid_until = credentials::retire_agent_token(conn, &agent_id, grace, now)?;
        credentials::activate(conn, &id)?;
        let noted = Delivery { state: Some(delivery), error: None, boot: boot.as_deref() };
        agents::set_delivery(conn, &agent_id, &noted, now)?;
        record(conn, &agent_id, audit::Outcome::Ok, &asker, now)?;
        Ok(Activated { previous_valid_until, delivery })
    })
}

/// Notes a failed delivery; `forget` removes the pending token.
fn fail(jobs: &Arc<Jobs>, agent: &Agent, error: &Error, forget: bool, asker: &Asker) -> store::Result<()> {
    let (agent_id, asker, text) = (agent.id.clone(), asker.clone(), error.to_string());
    jobs.store.write(move |conn| {
        let now = Micros::now();
        if forget {
            credentials::delete_pending(conn, &agent_id)?;
        }
        let noted = Delivery { state: Some("failed"), error: Some(&text), boot: None };
        agents::set_delivery(conn, &agent_id, &noted, now)?;
        record(conn, &agent_id, audit::Outcome::Failed, &asker, now)
    })
}

fn record(
    conn: &Connection,
    agent_id: &str,
    outcome: audit::Outcome,
    asker: &Asker,
    now: Micros,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        at: now,
        actor: asker.actor.clone(),
        action: ACTION.into(),
        resource: format!("agent:{agent_id}"),
        outcome,
        count: 1,
        request_id: asker.request_id.clone(),
    };
    audit::append(conn, &entry)
}

/// Ends what a crash left pending: finished if the container has the token, removed if it does not.
///
/// # Errors
/// The driver's, where nobody can tell; then the row stays, unusable.
pub fn recover(jobs: &Arc<Jobs>, agent: &Agent) -> Result<(), ApiError> {
    let agent_id = agent.id.clone();
    let Some((id, hash)) = jobs.store.lookup(|conn| credentials::pending(conn, &agent_id))? else { return Ok(()) };
    let (driver, name) = target(jobs, agent)?;
    let arrived = match has_token(driver.as_ref(), &name, &hash) {
        Ok(arrived) => arrived,
        Err(Error::NotFound(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if arrived {
        let state = driver.get(&name, within(CALL))?;
        let runs = matches!(state.status, Status::Running | Status::Frozen);
        let boot = runs.then(|| state.boot.unwrap_or_else(|| "unknown".into()));
        activate(jobs, &agent.id, &id, boot, 0, &Asker::system())?;
    } else {
        jobs.store.write(move |conn| credentials::delete_pending(conn, &agent_id))?;
    }
    Ok(())
}
