//! What a start does about containers: opens the agents' sockets, ends what a crash left open, and delivers a token to
//! every agent that has a container and none (DESIGN D13). All of it in the background; repeating it changes nothing.

pub mod core_knowledge;
pub mod first_start;
pub mod restore;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::operations::delivery::{self, Asker, Terms};
use super::operations::progress::{self, Ended};
use super::operations::{Jobs, within};
use super::operations::{archive, deploy, lifecycle, mounts};
use crate::containers::{ContainerState, Detail, Driver, Runtime, Status};
use crate::http::edge;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent, Delivery};
use crate::store::credentials::Maker;
use crate::store::operations::{self as rows, Operation};
use crate::store::{self, credentials};
use crate::time::Micros;

/// Seconds for a list.
const CALL: u64 = 20;
/// How often a recovery is tried while the runtime does not answer, and the pause between.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(5);
const PREFIX: &str = "taos-agent-";

/// The daemon answers now: opens the agents' sockets on its edge, ends what a crash left open and delivers what is
/// missing, all in the background.
pub fn begin(jobs: &Arc<Jobs>, edge: edge::Handle) {
    jobs.sockets.set_edge(edge);
    recover_operations(jobs, jobs.take_cut());
    match jobs.run(None, run_migration) {
        Ok(()) => {}
        Err(error) => log::error!("the start-up migration could not begin: {error}"),
    }
}

/// Runs the migration; where the runtime does not answer yet, the reconciler runs it again. At boot it may come up after
/// the daemon.
fn run_migration(jobs: &Arc<Jobs>) {
    match migrate(jobs) {
        Ok(()) => {}
        Err(error) => {
            let cause = error.cause.as_deref().unwrap_or("-");
            log::warn!("the start-up migration could not ask the container runtime, trying again: {error} ({cause})");
            jobs.migration_due.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs the migration again if it could not ask the runtime last time.
pub fn migrate_if_due(jobs: &Arc<Jobs>) {
    if jobs.migration_due.swap(false, Ordering::Relaxed) {
        run_migration(jobs);
    }
}

/// Gives every operation of the last run its end.
fn recover_operations(jobs: &Arc<Jobs>, cut: Vec<Operation>) {
    let (whole, parts): (Vec<_>, Vec<_>) =
        cut.into_iter().partition(|op| matches!(op.kind.as_str(), "bulk" | "migrate"));
    for op in parts {
        let id = op.id.clone();
        log::info!("operation {id} ({}) was interrupted by the end of the last run", op.kind);
        let agent_id = op.agent_id.clone();
        if let Err(error) = jobs.run(agent_id.as_deref(), move |jobs| end(jobs, &op)) {
            log::error!("operation {id} could not be continued: {error}");
        }
    }
    if whole.is_empty() {
        return;
    }
    // A bulk operation without open parts, or an old migration, ends here.
    let ended = jobs.store.write(move |conn| -> store::Result<()> {
        for op in whole {
            if op.kind == "bulk" {
                progress::end_parent(conn, &op.id, Micros::now())?;
            } else {
                progress::end_row(conn, &op, &Err(codes::INTERRUPTED.into()), Micros::now())?;
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
    progress::finish(jobs, op, ended);
}

/// The defined end of each kind.
fn recover(jobs: &Arc<Jobs>, op: &Operation) -> Ended {
    match op.kind.as_str() {
        "deploy" => {
            deploy::roll_back(jobs, &progress::agent_of(jobs, op)?)?;
            Err(codes::INTERRUPTED.into())
        }
        "archive" => archive::recover_archive(jobs, op),
        "restore" => archive::recover_restore(jobs, op),
        "purge" => archive::recover_purge(jobs, op),
        // What it left is tidied away by the next one that is kept fresh.
        "backup" => Err(codes::INTERRUPTED.into()),
        _ => {
            // The status is read from the container.
            let agent = progress::agent_of(jobs, op)?;
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
    let containers = driver.list(Detail::Brief, within(CALL))?;
    adopt(jobs, driver.as_ref(), &containers)?;
    let agents = jobs.store.lookup(agents::with_containers)?;
    let tally = Arc::new(Tally::of(agents.len()));
    if agents.is_empty() {
        tally.end(jobs);
    }
    for agent in agents {
        let part = Arc::clone(&tally);
        // Under the agent's own key: a rotation that comes in meanwhile waits.
        let queued = jobs.run(Some(&agent.id.clone()), move |jobs| {
            serve_agent(jobs, &agent.id, &part);
            part.one_less(jobs);
        });
        if let Err(error) = queued {
            log::warn!("the start-up migration skipped an agent, the next start tries again: {error}");
            tally.one_less(jobs);
        }
    }
    Ok(())
}

/// Opens one agent's way in and delivers its token, if it has none.
fn serve_agent(jobs: &Arc<Jobs>, agent_id: &str, tally: &Tally) {
    // As it is now: what the last run left open may just have ended with it.
    let agent = match jobs.store.lookup(|conn| agents::by_id(conn, agent_id)) {
        Ok(Some(live)) if live.agent.container_name.is_some() => live.agent,
        Ok(_) => return,
        Err(error) => return log::warn!("agent {agent_id} could not be read: {error}"),
    };
    let result = match prepare_agent(jobs, &agent) {
        Ok(false) => return,
        Ok(true) => tally.begin(jobs, &agent).and_then(|()| deliver_one(jobs, &agent)),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        let cause = error.cause.as_deref().unwrap_or("-");
        log::warn!("agent {}: {error} ({cause}); the next start tries again", agent.slug);
    }
    tally.add(&agent, &result);
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
            let mut op = Operation::new(store::new_id(), "migrate", Maker::system(), "-", Micros::now());
            op.status = "running".into();
            op.started_at = Some(op.created_at);
            let row = op.clone();
            jobs.store.write(move |conn| rows::insert(conn, &row))?;
            *operation = Some(op);
        }
        let done = self.total - self.left.load(Ordering::Relaxed);
        let percent = i64::try_from(done * 100 / self.total.max(1)).unwrap_or(0);
        match operation.as_ref() {
            Some(op) => progress::step(jobs, op, &format!("delivering to {}", agent.slug), percent),
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
            Some(op) => progress::finish(jobs, &op, Ok(json!({"results": results}))),
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
fn prepare_agent(jobs: &Arc<Jobs>, agent: &Agent) -> Result<bool, ApiError> {
    let (driver, name) = (jobs.driver()?, lifecycle::container(agent)?);
    let state = driver.get(&name, within(CALL))?;
    note_status(jobs, agent, state.status)?;
    if state.status == Status::Running
        && let Err(error) = mounts::check(&jobs.mount_roots.now(), &state.mounts)
    {
        // The runtime has started it by itself, such as at boot; what it sees is for a person to judge.
        log::error!("agent {} runs with a mount that the daemon would refuse: {}", agent.slug, error.detail);
    }
    lifecycle::open_way(jobs, driver.as_ref(), agent, &name)?;
    if delivery::is_due(jobs, agent)? {
        // What was revoked since this start began, the record may not say yet.
        let (id, began) = (agent.id.clone(), jobs.began);
        let revoked = jobs.store.lookup(|conn| credentials::revoked_since(conn, &id, began))?;
        // A token that was issued by hand is its holder's; one that was revoked was taken away on purpose.
        let by_hand = agent.token_delivery.as_deref() == Some("not_injected");
        return Ok(!by_hand && !revoked);
    }
    let id = agent.id.clone();
    let restarted = agent.token_delivery_boot.is_some() && agent.token_delivery_boot != state.boot;
    let unnoted = !matches!(agent.token_delivery.as_deref(), Some("delivered" | "pending_restart"));
    if restarted || unnoted {
        jobs.store.write(move |conn| agents::set_delivery(conn, &id, &Delivery::state("delivered"), Micros::now()))?;
    }
    Ok(false)
}

fn deliver_one(jobs: &Arc<Jobs>, agent: &Agent) -> Result<&'static str, ApiError> {
    let issued = delivery::issue(jobs, &agent.id, &Terms::PLAIN, &Asker::system(), delivery::own_scopes);
    Ok(issued?.delivery)
}
