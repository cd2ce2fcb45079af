//! Delivering an agent's token into its container: prepare, deliver, activate (DESIGN D13).
//!
//! The new token is `pending` until the container has it. Then one transaction ends the old token and activates the new
//! one. A failure removes the pending row, and the old token goes on working. A crash at any point leaves a pending
//! row, and so does a runtime that does not say whether the container has the token. The next start, or the reconciler,
//! asks the container which token it has, and then finishes, removes or replaces the pending one.

use std::sync::Arc;

use rusqlite::Connection;

use crate::access::Scopes;
use crate::containers::{
    ContainerName, ContainerPath, ContainerPlace, Driver, EnvChange, EnvKey, EnvState, EnvValue, Error, FileSpec,
    INSIDE_ADDRESS, Status,
};
use crate::jobs::operations::{Jobs, OperationError, own, within};
use crate::secret::{AgentToken, Issued, Kind, SecretHash};
use crate::store::agents::{self, Agent, Delivery, TokenDelivery};
use crate::store::audit;
use crate::store::credentials::{self, CredentialState, Maker, NewCredential};
use crate::store::{self, StoreError};
use crate::time::Micros;

/// The file in which a running container finds its present token.
const TOKEN_FILE: &str = "/run/taos/token";
/// Seconds for one call of a delivery.
const CALL: u64 = 10;
const ACTION: &str = "agents.token.issue";
/// Stored as the run of a container at a delivery if the runtime did not report the run.
pub const UNKNOWN_RUN: &str = "unknown";

/// Who asked for a delivery.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The principal and its credential.
    pub maker: Maker,
    /// The id of the request.
    pub request_id: String,
}

impl Asker {
    /// The daemon itself.
    pub fn system() -> Self {
        Self { maker: Maker::system(), request_id: "-".into() }
    }
}

/// The lifetime and the grace period of a new token.
pub struct Terms {
    /// The lifetime in microseconds; without an end if absent.
    pub lifetime: Option<i64>,
    /// The microseconds for which the previous token goes on working.
    pub grace: i64,
}

impl Terms {
    /// No end, and the previous token ends at once.
    pub const PLAIN: Self = Self { lifetime: None, grace: 0 };
}

/// A token that was delivered and is active.
#[derive(Debug)]
pub struct Delivered {
    /// The credential's id.
    pub id: String,
    /// Its scopes.
    pub scopes: Scopes,
    /// When it was issued.
    pub issued_at: Micros,
    /// When it ends; `None` if never.
    pub expires_at: Option<Micros>,
    /// When the previous token ends.
    pub previous_valid_until: Option<Micros>,
    /// `delivered` or `pending_restart`.
    pub delivery: TokenDelivery,
    issued: Issued,
}

/// A token that waits for its delivery.
struct Prepared {
    agent: Agent,
    id: String,
    issued_at: Micros,
    expires_at: Option<Micros>,
    issued: Issued,
}

/// The state of a container after a delivery.
#[derive(Default)]
struct Arrived {
    /// The run of the container whose processes still have the old environment.
    boot: Option<String>,
    /// Why the token file was not written.
    no_file: Option<String>,
}

/// Why a token may not have reached its container.
enum Undelivered {
    /// The token has not arrived.
    No(Error),
    /// It is unknown whether the token has arrived.
    Unknown(Error),
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        Self::No(error)
    }
}

/// Issues a token and delivers it into the agent's container. Call it under the agent's own key, so that deliveries to
/// one container come one after the other. `scopes` gets the agent as it is at that moment, in the transaction that makes
/// the token. On an error the previous token goes on working.
///
/// # Errors
/// `delivery_failed`, an error of `scopes`, or a store error.
pub fn issue<E>(
    jobs: &Arc<Jobs>,
    agent_id: &str,
    terms: &Terms,
    asker: &Asker,
    scopes: impl FnOnce(&Connection, &Agent) -> Result<Scopes, E> + Send + 'static,
) -> Result<Delivered, E>
where
    E: From<OperationError> + From<StoreError> + Send + 'static,
{
    let prepared = prepare(jobs, agent_id, terms.lifetime, asker, scopes)?;
    let error = match deliver(jobs, &prepared) {
        Ok(arrived) => return Ok(activate(jobs, prepared, &arrived, terms.grace, asker)?),
        Err(error) => error,
    };
    let (error, known) = match error {
        Undelivered::No(error) => (error, true),
        // The pending row stays, and the reconciler looks again; the token in it cannot be used.
        Undelivered::Unknown(error) => {
            jobs.keep_undelivered(&prepared.agent.id);
            (error, false)
        }
    };
    log::warn!("the token of agent {} could not be delivered: {error}", prepared.agent.slug);
    fail(jobs, &prepared.agent, &error, known, asker)?;
    Err(OperationError::NotDelivered(error.to_string()).into())
}

/// Returns the agent's own scopes.
///
/// # Errors
/// None.
pub fn own_scopes(_: &Connection, agent: &Agent) -> Result<Scopes, OperationError> {
    Ok(Scopes::from_stored(&agent.scope))
}

/// Stores a new token as pending; an earlier pending one is removed.
fn prepare<E>(
    jobs: &Arc<Jobs>,
    agent_id: &str,
    lifetime: Option<i64>,
    asker: &Asker,
    scopes: impl FnOnce(&Connection, &Agent) -> Result<Scopes, E> + Send + 'static,
) -> Result<Prepared, E>
where
    E: From<OperationError> + From<StoreError> + Send + 'static,
{
    let (agent_id, maker) = (agent_id.to_owned(), asker.maker.clone());
    jobs.store.write(move |conn| {
        let agent = agents::by_id(conn, &agent_id)?.ok_or(OperationError::NoAgent)?.agent;
        if agent.is_frozen() {
            return Err(OperationError::Frozen.into());
        }
        let (scopes, issued_at, issued) = (scopes(conn, &agent)?, Micros::now(), AgentToken::generate());
        let wished = lifetime.map(|lifetime| issued_at.plus(lifetime));
        let expires_at = credentials::end_of_successor(conn, &maker, &agent.id, wished)?;
        let prepared = Prepared { agent, id: store::new_id(), issued_at, expires_at, issued };
        credentials::delete_pending(conn, &prepared.agent.id)?;
        let new = NewCredential {
            id: &prepared.id,
            kind: Kind::AgentToken,
            issued: &prepared.issued,
            user_id: None,
            agent_id: Some(&prepared.agent.id),
            scopes: &scopes.stored(),
            label: "",
            state: CredentialState::Pending,
            maker: &maker,
            issued_at,
            expires_at,
        };
        credentials::insert(conn, &new)?;
        Ok(prepared)
    })
}

/// Writes the token file of a container that has just been started with this token.
pub fn write_file(jobs: &Arc<Jobs>, agent: &Agent, delivered: &Delivered) {
    let written = target(jobs, agent).and_then(|(driver, name)| put_file(driver.as_ref(), &name, &delivered.issued));
    if let Err(error) = written {
        // The processes have the token in their environment; the file is for later rotations.
        log::warn!("the token file of agent {} could not be written: {error}", agent.slug);
    }
}

fn token_file() -> ContainerPath {
    ContainerPath::parse(TOKEN_FILE).expect("a literal path")
}

fn put_file(driver: &dyn Driver, name: &ContainerName, issued: &Issued) -> Result<(), Error> {
    let spec = FileSpec::secret(token_file(), issued.plaintext.reveal().as_bytes());
    driver.write_file(name, &spec, within(CALL))
}

/// True if the container's configuration has the token with this hash.
///
/// # Errors
/// A driver error.
fn has_token(driver: &dyn Driver, name: &ContainerName, hash: &SecretHash) -> Result<bool, Error> {
    let same = |value: &str| SecretHash::of(value) == *hash;
    Ok(driver.check_env(name, &key("TAOS_TOKEN"), &same, within(CALL))? == EnvState::Matches)
}

fn key(name: &str) -> EnvKey {
    EnvKey::parse(name).expect("a literal name")
}

/// The runtime and the name of the agent's own container. A token never goes to another agent's.
fn target(jobs: &Arc<Jobs>, agent: &Agent) -> Result<(Arc<dyn Driver>, ContainerName), Error> {
    let place = ContainerPlace::parse(agent.container_name.as_deref().unwrap_or(""));
    let place = place.map_err(|why| Error::Refused(why.to_string()))?;
    let driver = jobs.delivery_driver(place.node.as_ref())?;
    own::own(driver.brief(&place.container, within(CALL)), &agent.id)?;
    Ok((driver, place.container))
}

/// Delivers everything that an agent needs into its container. The environment decides. Without it nothing was
/// delivered, and the old file stays. With it the container has the token, even if the file could not be written.
fn deliver(jobs: &Arc<Jobs>, prepared: &Prepared) -> Result<Arrived, Undelivered> {
    let Prepared { agent, issued, .. } = prepared;
    let (driver, name) = target(jobs, agent)?;
    let url = if driver.node().is_some() {
        jobs.public_url.now()
    } else {
        let socket =
            jobs.sockets.open(&agent.id).map_err(|why| Error::Refused(format!("the agent's socket: {why}")))?;
        driver.ensure_proxy(&name, &socket, within(CALL))?;
        Some(format!("http://{INSIDE_ADDRESS}"))
    };
    let environment = environment(agent, issued.plaintext.reveal(), url.as_deref())?;
    match driver.set_env(&name, &environment, within(CALL)) {
        Err(error @ (Error::Deadline(_) | Error::InvalidResponse(_))) => {
            // The change may have arrived even though the reply did not.
            match has_token(driver.as_ref(), &name, &issued.hash) {
                Ok(true) => {}
                Ok(false) => return Err(Undelivered::No(error)),
                Err(_) => return Err(Undelivered::Unknown(error)),
            }
        }
        other => other?,
    }
    Ok(arrive(driver.as_ref(), &name, issued))
}

/// Updates the token file of a container to its new environment.
fn arrive(driver: &dyn Driver, name: &ContainerName, issued: &Issued) -> Arrived {
    // Read after the environment was set: a run that began in between counts as one with the old environment.
    let state = driver.get(name, within(CALL));
    if matches!(&state, Ok(state) if state.status == Status::Stopped) {
        // If `/run` is on the root disk, the old token would outlive its rotation in this file, as in `recover`.
        let _ = driver.remove_file(name, &token_file(), within(CALL));
        return Arrived::default();
    }
    let no_file = match &state {
        Ok(state) if state.status == Status::Running => put_file(driver, name, issued).err(),
        Ok(_) => None,
        Err(error) => Some(error.clone()),
    };
    if no_file.is_some() {
        // No file is better than a file with a dead token.
        let _ = driver.remove_file(name, &token_file(), within(CALL));
    }
    let boot = state.ok().and_then(|state| state.boot).unwrap_or_else(|| UNKNOWN_RUN.into());
    Arrived { boot: Some(boot), no_file: no_file.map(|error| format!("{TOKEN_FILE} could not be written: {error}")) }
}

/// The variables of every agent's container. Without a `url` the old one stays.
pub fn environment(agent: &Agent, token: &str, url: Option<&str>) -> Result<Vec<EnvChange>, Error> {
    [("TAOS_TOKEN", token), ("TAOS_AGENT_NAME", agent.slug.as_str())]
        .into_iter()
        .chain(url.map(|url| ("TAOS_URL", url)))
        .map(|(name, value)| {
            let value = EnvValue::parse(value).map_err(|why| Error::Refused(why.to_string()))?;
            Ok(EnvChange { key: key(name), value: Some(value) })
        })
        .collect()
}

/// Removes a revoked token from a container, if possible; a token that was issued since stays.
pub fn withdraw(jobs: &Arc<Jobs>, agent: &Agent) {
    match jobs.store.lookup(|conn| credentials::active_hash(conn, &agent.id, Micros::now())) {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => return log::warn!("the revoked token of agent {} stays in its container: {error}", agent.slug),
    }
    let removed = target(jobs, agent).and_then(|(driver, name)| {
        let _ = driver.remove_file(&name, &token_file(), within(CALL));
        driver.set_env(&name, &[EnvChange { key: key("TAOS_TOKEN"), value: None }], within(CALL))
    });
    if let Err(error) = removed {
        log::warn!("the revoked token of agent {} stays in its container: {error}", agent.slug);
    }
}

/// Ends the old token and activates the new one, in one transaction. A token that was revoked meanwhile stays revoked.
fn activate(
    jobs: &Arc<Jobs>,
    prepared: Prepared,
    arrived: &Arrived,
    grace: i64,
    asker: &Asker,
) -> Result<Delivered, OperationError> {
    let Prepared { agent, id, issued_at, expires_at, issued } = prepared;
    let activated = activate_row(jobs, &agent.id, &id, arrived, grace, asker);
    if matches!(&activated, Err(error) if !matches!(error, OperationError::TokenRevoked)) {
        // The container has a token that cannot be used. The reconciler activates it or gives the container another.
        jobs.keep_undelivered(&agent.id);
    }
    let Activated { delivery, previous_valid_until, scopes } = activated?;
    Ok(Delivered { id, scopes, issued_at, expires_at, previous_valid_until, delivery, issued })
}

/// The result of an activation.
struct Activated {
    delivery: TokenDelivery,
    previous_valid_until: Option<Micros>,
    scopes: Scopes,
}

fn activate_row(
    jobs: &Arc<Jobs>,
    agent_id: &str,
    credential_id: &str,
    arrived: &Arrived,
    grace: i64,
    asker: &Asker,
) -> Result<Activated, OperationError> {
    let (agent_id, id, asker) = (agent_id.to_owned(), credential_id.to_owned(), asker.clone());
    let (boot, no_file) = (arrived.boot.clone(), arrived.no_file.clone());
    let delivery = if boot.is_some() { TokenDelivery::PendingRestart } else { TokenDelivery::Delivered };
    jobs.store.write(move |conn| {
        let now = Micros::now();
        let agent = agents::by_id(conn, &agent_id)?.ok_or(OperationError::TokenRevoked)?.agent;
        if !credentials::is_pending(conn, &id)? {
            return Err(OperationError::TokenRevoked);
        }
        // The agent's scopes may have been narrowed during the delivery.
        let asked = Scopes::from_stored(&credentials::scopes_of(conn, &id)?.unwrap_or_default());
        let scopes = asked.intersection(&Scopes::of_agent(&agent.scope));
        credentials::set_scopes(conn, &id, &scopes.stored())?;
        let previous_valid_until = credentials::retire_agent_token(conn, &agent_id, grace, now)?;
        credentials::activate(conn, &id)?;
        let noted = Delivery { state: Some(delivery), error: no_file.as_deref(), boot: boot.as_deref() };
        agents::set_delivery(conn, &agent_id, &noted, now)?;
        record(conn, &agent_id, audit::AuditOutcome::Ok, &asker, now)?;
        Ok(Activated { delivery, previous_valid_until, scopes })
    })
}

/// Records a failed delivery; `forget` removes the pending token.
fn fail(jobs: &Arc<Jobs>, agent: &Agent, error: &Error, forget: bool, asker: &Asker) -> store::Result<()> {
    let (agent_id, asker, text) = (agent.id.clone(), asker.clone(), error.to_string());
    jobs.store.write(move |conn| {
        let now = Micros::now();
        if forget {
            credentials::delete_pending(conn, &agent_id)?;
        }
        let noted = Delivery { state: Some(TokenDelivery::Failed), error: Some(&text), boot: None };
        agents::set_delivery(conn, &agent_id, &noted, now)?;
        record(conn, &agent_id, audit::AuditOutcome::Failed, &asker, now)
    })
}

fn record(
    conn: &Connection,
    agent_id: &str,
    outcome: audit::AuditOutcome,
    asker: &Asker,
    now: Micros,
) -> Result<(), StoreError> {
    let entry = audit::AuditEntry::new(
        audit::Actor { name: asker.maker.actor.clone(), id: asker.maker.id.clone() },
        ACTION,
        format!("agent:{agent_id}"),
        asker.request_id.clone(),
    )
    .at(now)
    .ended(outcome);
    audit::append(conn, &entry)
}

/// What a container lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing: it has the agent's valid token.
    Nothing,
    /// A valid token.
    Token,
    /// The same: it has one that was never activated, so somebody asked for its delivery and nobody revoked it since.
    Activation,
}

/// Finishes or undoes a delivery that was interrupted, and returns what the container still lacks.
///
/// # Errors
/// A driver error, or a store error.
pub fn lack(jobs: &Arc<Jobs>, agent: &Agent) -> Result<Lack, OperationError> {
    if recover(jobs, agent)? {
        return Ok(Lack::Activation);
    }
    // While the clock is in doubt no token counts as expired: a fresh one would end the old one for good.
    let now = jobs.clock.judging();
    let hash = jobs.store.lookup(|conn| credentials::active_hash(conn, &agent.id, now))?;
    let Some(hash) = hash else { return Ok(Lack::Token) };
    let (driver, name) = target(jobs, agent)?;
    Ok(if has_token(driver.as_ref(), &name, &hash)? { Lack::Nothing } else { Lack::Token })
}

/// Removes a token file with another token than the agent's. If `/run` is on the root disk, a power cut may bring back
/// an old file. The environment has the right token.
///
/// # Errors
/// A driver error, or a store error.
pub fn drop_old_file(jobs: &Arc<Jobs>, agent: &Agent) -> Result<(), OperationError> {
    let now = jobs.clock.judging();
    let hash = jobs.store.lookup(|conn| credentials::active_hash(conn, &agent.id, now))?;
    let (driver, name) = target(jobs, agent)?;
    let content = driver.read_file(&name, &token_file(), within(CALL))?;
    if content.is_some_and(|content| Some(SecretHash::of(&String::from_utf8_lossy(&content))) != hash) {
        log::info!("the token file of agent {} is older than its token: it is removed", agent.slug);
        driver.remove_file(&name, &token_file(), within(CALL))?;
    }
    Ok(())
}

/// Finishes or undoes what a crash left pending. A token that a stopped container has is activated; one that it does
/// not have is removed. For a running container it is unknown which token its file has, so it needs a fresh one: then
/// true.
///
/// # Errors
/// A driver error, if the state of the container is unknown; then the row stays, unusable. Or a store error.
fn recover(jobs: &Arc<Jobs>, agent: &Agent) -> Result<bool, OperationError> {
    let agent_id = agent.id.clone();
    let Some((id, hash)) = jobs.store.lookup(|conn| credentials::pending(conn, &agent_id))? else { return Ok(false) };
    let found = target(jobs, agent)
        .and_then(|(driver, name)| Ok(has_token(driver.as_ref(), &name, &hash)?.then_some((driver, name))));
    let arrived = match found {
        Ok(found) => found,
        Err(Error::NotFound(_)) => None,
        Err(error) => {
            if error.is_no_answer() {
                jobs.keep_undelivered(&agent_id);
            }
            return Err(error.into());
        }
    };
    if let Some((driver, name)) = &arrived
        && driver.brief(name, within(CALL))?.status == Status::Stopped
    {
        let _ = driver.remove_file(name, &token_file(), within(CALL));
        activate_row(jobs, &agent.id, &id, &Arrived::default(), 0, &Asker::system())?;
        return Ok(false);
    }
    if arrived.is_none() {
        jobs.store.write(move |conn| credentials::delete_pending(conn, &agent_id))?;
    }
    Ok(arrived.is_some())
}
