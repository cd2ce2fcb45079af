//! What a start does about containers: opens the agents' sockets, ends what a crash left open, and delivers a token to
//! every agent that has a container and none (DESIGN D13). All of it in the background; repeating it changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::delivery::{self, Asker};
use super::operations::{self, Ended};
use super::{Jobs, archive, deploy, lifecycle, within};
use crate::access::Scopes;
use crate::containers::{ContainerName, ContainerState, Detail, Driver, Runtime, Status};
use crate::http::codes;
use crate::http::error::{ApiError, Dialect};
use crate::store::agents::{self, Agent, Delivery};
use crate::store::operations::{self as rows, Operation};
use crate::store::{self, credentials};
use crate::time::Micros;

/// Seconds for a list.
const CALL: u64 = 20;
/// How often a recovery is tried while the runtime does not answer, and the pause between.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(5);
const PREFIX: &str = "taos-agent-";

/// Begins all of it.
pub fn begin(jobs: &Arc<Jobs>) {
    recover_operations(jobs);
    let started = jobs.run(None, |jobs| {
        if let Err(error) = migrate(jobs) {
            let cause = error.cause.as_deref().unwrap_or("-");
            log::warn!("the start-up migration did not finish, the next start tries again: {error} ({cause})");
        }
    });
    if let Err(error) = started {
        log::error!("the start-up migration could not begin: {error}");
    }
}

/// Gives every operation of the last run its end.
fn recover_operations(jobs: &Arc<Jobs>) {
    let open = match jobs.store.lookup(rows::open) {
        Ok(open) => open,
        Err(error) => return log::error!("open operations could not be read: {error}"),
    };
    for op in open {
        if op.kind == "bulk" || op.kind == "migrate" {
            continue;
        }
        let id = op.id.clone();
        log::info!("operation {id} ({}) was cut by the end of the last run", op.kind);
        let agent_id = op.agent_id.clone();
        if let Err(error) = jobs.run(agent_id.as_deref(), move |jobs| end(jobs, &op)) {
            log::error!("operation {id} could not be taken up: {error}");
        }
    }
    // A bulk operation without open parts, or an old migration, ends here.
    let ended = jobs.store.write(|conn| -> store::Result<()> {
        for op in rows::open(conn)? {
            match op.kind.as_str() {
                "bulk" => operations::end_parent(conn, &op.id, Micros::now())?,
                "migrate" => {
                    let error = ApiError::from(codes::INTERRUPTED).envelope(Dialect::Taos).to_string();
                    rows::finish(conn, &op.id, "failed", None, Some(&error), Micros::now())?;
                }
                _ => {}
            }
        }
        Ok(())
    });
    if let Err(error) = ended {
        log::error!("operations of the last run could not be ended: {error}");
    }
}

fn end(jobs: &Arc<Jobs>, op: &Operation) {
    let mut ended: Ended = Err(codes::INTERRUPTED.into());
    for attempt in 1..=TRIES {
        ended = recover(jobs, op);
        let unreachable = |error: &ApiError| error.code == codes::CONTAINER_RUNTIME_UNAVAILABLE;
        if !ended.as_ref().is_err_and(unreachable) || attempt == TRIES {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    operations::finish(jobs, op, ended);
}

/// The defined end of each kind.
fn recover(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    match op.kind.as_str() {
        "deploy" => {
            deploy::roll_back(jobs, &operations::agent_of(jobs, op)?);
            Err(codes::INTERRUPTED.into())
        }
        "archive" => archive::recover_archive(jobs, op),
        "restore" => archive::recover_restore(jobs, op),
        "purge" => archive::recover_purge(jobs, op),
        _ => {
            // The status is read from the container.
            let agent = operations::agent_of(jobs, op)?;
            let state = jobs.driver()?.get(&lifecycle::container(&agent)?, within(CALL))?;
            note_status(jobs, &agent, state.status)?;
            Err(codes::INTERRUPTED.into())
        }
    }
}

/// Stores what a container does as its agent's status, if that differs.
pub fn note_status(jobs: &Arc<Jobs>, agent: &Agent, status: Status) -> store::Result<()> {
    let (status, paused) = match status {
        Status::Running => ("running", false),
        Status::Frozen => ("running", true),
        Status::Stopped => ("stopped", agent.paused),
        Status::Error => ("failed", agent.paused),
        Status::Other => return Ok(()),
    };
    if agent.status == status && agent.paused == paused {
        return Ok(());
    }
    let id = agent.id.clone();
    jobs.store.write(move |conn| agents::set_status(conn, &id, status, paused, Micros::now()))?;
    Ok(())
}

/// Delivers what is missing. One line where there is no runtime.
fn migrate(jobs: &Arc<Jobs>) -> Result<(), ApiError> {
    let driver = jobs.any_driver()?;
    if driver.runtime() == Runtime::None {
        log::info!("this host has no container runtime: no tokens to deliver");
        return Ok(());
    }
    let containers = driver.list(Detail::Full, within(CALL))?;
    adopt(jobs, driver.as_ref(), &containers)?;
    let agents = jobs.store.lookup(agents::with_containers)?;
    let tally = Arc::new(Tally::of(agents.len()));
    if agents.is_empty() {
        tally.end(jobs);
    }
    for agent in agents {
        let state = containers.iter().find(|c| Some(c.name.as_str()) == agent.container_name.as_deref()).cloned();
        let (tally, id) = (Arc::clone(&tally), agent.id.clone());
        // Under the agent's own key: a rotation that comes in meanwhile waits.
        jobs.run(Some(&id), move |jobs| {
            match &state {
                None => log::warn!("the container of agent {} is not there", agent.slug),
                Some(state) => serve_agent(jobs, &agent, state, &tally),
            }
            tally.one_less(jobs);
        })?;
    }
    Ok(())
}

/// Opens one agent's way in and delivers its token, if it has none.
fn serve_agent(jobs: &Arc<Jobs>, agent: &Agent, state: &ContainerState, tally: &Tally) {
    let due = jobs.driver().and_then(|driver| prepare_agent(jobs, driver.as_ref(), agent, state));
    let result = match due {
        Ok(false) => return,
        Ok(true) => tally.begin(jobs, agent).and_then(|()| deliver_one(jobs, agent)),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        let cause = error.cause.as_deref().unwrap_or("-");
        log::warn!("agent {}: {error} ({cause}); the next start tries again", agent.slug);
    }
    tally.add(agent, &result);
}

/// What the migration has come to; its operation is only made once there is something to do.
struct Tally {
    total: usize,
    left: AtomicUsize,
    operation: Mutex<Option<Operation>>,
    results: Mutex<Map<String, Value>>,
}

impl Tally {
    fn of(total: usize) -> Self {
        Self { total, left: AtomicUsize::new(total), operation: Mutex::default(), results: Mutex::default() }
    }

    fn begin(&self, jobs: &Arc<Jobs>, agent: &Agent) -> Result<(), ApiError> {
        let mut operation = self.operation.lock().unwrap_or_else(PoisonError::into_inner);
        if operation.is_none() {
            let mut op = Operation::new(store::new_id(), "migrate", "system".into(), "-", Micros::now());
            op.status = "running".into();
            op.started_at = Some(op.created_at);
            let row = op.clone();
            jobs.store.write(move |conn| rows::insert(conn, &row))?;
            *operation = Some(op);
        }
        let done = self.total - self.left.load(Ordering::Relaxed);
        let percent = i64::try_from(done * 100 / self.total.max(1)).unwrap_or(0);
        match operation.as_ref() {
            Some(op) => operations::step(jobs, op, &format!("delivering to {}", agent.slug), percent),
            None => Ok(()),
        }
    }

    fn add(&self, agent: &Agent, result: &Result<&'static str, ApiError>) {
        let told = match result {
            Ok(delivery) => json!({"success": true, "token_delivery": delivery}),
            Err(error) => json!({"success": false, "error": error.code.slug}),
        };
        self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.slug.clone(), told);
    }

    fn one_less(&self, jobs: &Arc<Jobs>) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end(jobs);
        }
    }

    fn end(&self, jobs: &Arc<Jobs>) {
        let results = std::mem::take(&mut *self.results.lock().unwrap_or_else(PoisonError::into_inner));
        match self.operation.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(op) => operations::finish(jobs, &op, Ok(json!({"results": results}))),
            None if results.is_empty() => log::info!("every agent with a container has its token"),
            None => {}
        }
    }
}

/// Takes a container that bears an agent's name for that agent's: only for agents of admins, and never one that was
/// made for another agent.
fn adopt(jobs: &Arc<Jobs>, driver: &dyn Driver, containers: &[ContainerState]) -> Result<(), ApiError> {
    for container in containers {
        let Some(slug) = container.name.as_str().strip_prefix(PREFIX) else { continue };
        let Some(agent) = jobs.store.lookup(|conn| agents::without_containers(conn, slug))? else { continue };
        if container.owner.as_deref().is_some_and(|owner| owner != agent.id) {
            continue;
        }
        log::info!("agent {} has the container {}", agent.slug, container.name);
        let (name, runtime) = (container.name.clone(), driver.runtime().as_str());
        let status = if container.status == Status::Stopped { "stopped" } else { "running" };
        jobs.store.write(move |conn| {
            agents::set_container(conn, &agent.id, Some((name.as_str(), runtime)), status, Micros::now())
        })?;
    }
    Ok(())
}

/// Opens an agent's way in, ends a delivery that a crash cut and says whether a token is still missing.
fn prepare_agent(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    agent: &Agent,
    state: &ContainerState,
) -> Result<bool, ApiError> {
    let name: &ContainerName = &state.name;
    note_status(jobs, agent, state.status)?;
    lifecycle::open_way(jobs, driver, agent, name)?;
    delivery::recover(jobs, agent)?;
    let id = agent.id.clone();
    let hash = jobs.store.lookup(|conn| credentials::active_hash(conn, &id, Micros::now()))?;
    let Some(hash) = hash else { return Ok(true) };
    if !delivery::has_token(driver, name, &hash)? {
        // Either it was issued by hand and never delivered, or someone changed the container.
        let by_hand = agent.token_delivery.as_deref() == Some("not_injected");
        return Ok(!by_hand);
    }
    let restarted = agent.token_delivery_boot.is_some() && agent.token_delivery_boot != state.boot;
    let unnoted = !matches!(agent.token_delivery.as_deref(), Some("delivered" | "pending_restart"));
    if restarted || unnoted {
        jobs.store.write(move |conn| agents::set_delivery(conn, &id, &Delivery::state("delivered"), Micros::now()))?;
    }
    Ok(false)
}

fn deliver_one(jobs: &Arc<Jobs>, agent: &Agent) -> Result<&'static str, ApiError> {
    let asker = Asker::system();
    let prepared = jobs.store.write({
        let (agent, asker) = (agent.clone(), asker.clone());
        move |conn| delivery::prepare(conn, &agent, Scopes::from_stored(&agent.scope), None, &asker, Micros::now())
    })?;
    Ok(delivery::complete(jobs, agent, &prepared, 0, &asker)?.delivery)
}
