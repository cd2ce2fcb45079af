//! The work of a start on containers: opens the agents' sockets, ends operations that a crash left open, and delivers a
//! token to every agent that has a container and no token (DESIGN D13). It runs in the background; repeating it changes
//! nothing.

pub mod core_knowledge;
pub mod first_start;
pub mod restore;
mod status;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::operations::delivery::{self, Asker, Lack, Terms, UNKNOWN_RUN};
use super::operations::progress;
use super::operations::{Jobs, OperationError, OperationResult, within};
use super::operations::{archive, deploy, freeze, lifecycle, mounts};
use crate::containers::{ContainerName, ContainerPlace, ContainerState, Detail, Driver, Error, Runtime, Status};
use crate::http::edge;
use crate::store::agents::{self, Agent, AgentStatus, Delivery, TokenDelivery};
use crate::store::credentials::Maker;
use crate::store::operations::{self as rows, Operation, OperationKind, OperationStatus};
use crate::store::{self, credentials};
use crate::threads::lock;
use crate::time::Micros;

use status::note_status;
pub use status::note_status_if;

/// Seconds for a list of containers.
const CALL: u64 = 20;
/// Seconds for starting one container that ran before the host's restart.
const START: u64 = 60;
/// How many times a recovery is tried while the runtime does not reply, and the pause in between.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(5);
const PREFIX: &str = "taos-agent-";

/// Begins once the daemon serves requests: opens the agents' sockets on its edge, ends operations that a crash left
/// open, and delivers missing tokens. All of it runs in the background.
pub fn begin(jobs: &Arc<Jobs>, edge: edge::Handle) {
    jobs.sockets.set_edge(edge);
    open_sockets(jobs);
    let cut = jobs.take_cut();
    for op in &cut {
        log::info!("operation {} ({}) was interrupted by the end of the last run", op.id, op.kind);
    }
    recover_operations(jobs, cut, TRIES);
    match jobs.run(None, run_migration) {
        Ok(()) => {}
        Err(error) => log::error!("the start-up migration could not begin: {error}"),
    }
}

/// Opens the socket of every agent that has a container, without asking the runtime. After a boot the runtime starts
/// containers only when this daemon is ready, and their first requests wait on the sockets.
fn open_sockets(jobs: &Arc<Jobs>) {
    let agents = match jobs.store.lookup(agents::with_containers) {
        Ok(agents) => agents,
        Err(error) => return log::error!("the agents' sockets could not be opened: {error}"),
    };
    let waits = |agent: &&Agent| !matches!(agent.status, AgentStatus::Failed | AgentStatus::Deploying);
    for agent in agents.iter().filter(waits).filter(|agent| is_here(agent)) {
        if let Err(error) = jobs.sockets.open(&agent.id) {
            log::warn!("the socket of agent {} could not be opened: {error}", agent.slug);
        }
    }
}

/// Runs the migration. If the runtime does not reply yet, the reconciler runs it again: at boot the runtime may start
/// after the daemon.
fn run_migration(jobs: &Arc<Jobs>) {
    match migrate(jobs) {
        Ok(()) => jobs.note_runtime("the start-up migration", Ok(())),
        Err(error) => {
            jobs.note_runtime("the start-up migration", Err(&error));
            jobs.migration_due.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs the migration again if the last run could not ask the runtime.
pub fn migrate_if_due(jobs: &Arc<Jobs>) {
    if jobs.migration_due.swap(false, Ordering::Relaxed) {
        run_migration(jobs);
    }
}

/// Continues the operations of the last run that could not be continued before.
pub fn recover_if_due(jobs: &Arc<Jobs>) {
    recover_operations(jobs, jobs.take_cut(), 1);
}

/// Ends or continues every operation of the last run. What cannot be continued now is kept for the reconciler, which
/// tries once each time, so that no thread sleeps for long while a runtime is away.
fn recover_operations(jobs: &Arc<Jobs>, cut: Vec<Operation>, tries: u32) {
    let (whole, parts): (Vec<_>, Vec<_>) =
        cut.into_iter().partition(|op| matches!(op.kind, OperationKind::Bulk | OperationKind::Migrate));
    for op in parts {
        if matches!(op.kind, OperationKind::Freeze | OperationKind::Thaw) {
            freeze::take_up(jobs, &op);
            continue;
        }
        let id = op.id.clone();
        let (agent_id, kept) = (op.agent_id.clone(), op.clone());
        if let Err(error) = jobs.run(agent_id.as_deref(), move |jobs| end(jobs, &op, tries)) {
            log::warn!("operation {id} could not be continued yet: {error}");
            jobs.keep_cut([kept]);
        }
    }
    if whole.is_empty() {
        return;
    }
    // A bulk operation without open parts, and an old migration, end here.
    let kept = whole.clone();
    let ended = jobs.store.write(move |conn| -> store::Result<()> {
        for op in whole {
            if op.kind == OperationKind::Bulk {
                progress::end_parent(conn, &op.id, Micros::now())?;
            } else {
                progress::end_row(conn, &op, &Err(OperationError::Interrupted), Micros::now())?;
            }
        }
        Ok(())
    });
    if let Err(error) = ended {
        log::error!("operations of the last run could not be ended, trying again: {error}");
        jobs.keep_cut(kept);
    }
}

fn end(jobs: &Arc<Jobs>, op: &Operation, tries: u32) {
    match is_open(jobs, op) {
        Ok(true) => {}
        // Someone cancelled it while it waited for the runtime.
        Ok(false) => return,
        Err(error) => {
            log::warn!("operation {} could not be continued yet: {error}", op.id);
            return jobs.keep_cut([op.clone()]);
        }
    }
    let mut ended: OperationResult = Err(OperationError::Interrupted);
    for attempt in 1..=tries {
        ended = recover(jobs, op);
        if !ended.as_ref().is_err_and(OperationError::is_unreachable) || attempt == tries {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    match ended {
        // The record says already that the deployment has failed, and the reconciler removes what is left of it.
        Err(error) if op.kind == OperationKind::Deploy && !matches!(error, OperationError::Interrupted) => {
            log::warn!("what the deployment {} made may still exist: {error}", op.id);
            progress::finish(jobs, op, Err(OperationError::Interrupted));
        }
        // Only the containers show how it ends.
        Err(error) if is_decided_by_container(op.kind) && (error.is_away() || is_silent(jobs, op, &error)) => {
            jobs.keep_cut([op.clone()]);
        }
        ended => progress::finish(jobs, op, ended),
    }
}

/// True if an operation of the last run is still to be ended. If its work is about to be done, it counts as begun from now
/// on, so that nobody cancels it meanwhile.
fn is_open(jobs: &Jobs, op: &Operation) -> store::Result<bool> {
    let (id, begins) = (op.id.clone(), is_decided_by_container(op.kind));
    jobs.store.write(move |conn| {
        if begins {
            rows::begin(conn, &id, Micros::now())?;
        }
        Ok(rows::by_id(conn, &id)?.is_some_and(|row| !row.is_finished()))
    })
}

/// True if the runtime took the call and now does not reply at all, as while it starts.
fn is_silent(jobs: &Jobs, op: &Operation, error: &OperationError) -> bool {
    let stored = |id: &String| jobs.store.lookup(|conn| agents::container_of(conn, id)).ok().flatten();
    let place = op.agent_id.as_ref().and_then(stored);
    error.has_unknown_effect()
        && jobs.ask_runtime(place.as_deref().and_then(ContainerPlace::node_in).as_ref()).is_err_and(|why| why.is_away())
}

fn is_decided_by_container(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Archive | OperationKind::Restore | OperationKind::Purge)
}

/// Ends an operation in the way that is defined for its kind.
fn recover(jobs: &Arc<Jobs>, op: &Operation) -> OperationResult {
    match op.kind {
        OperationKind::Deploy => {
            // Another error means that the container may still exist.
            deploy::roll_back(jobs, &progress::agent_of(jobs, op)?, deploy::Left::Record)?;
            Err(OperationError::Interrupted)
        }
        OperationKind::Archive => archive::recover_archive(jobs, op),
        OperationKind::Restore => archive::recover_restore(jobs, op),
        OperationKind::Purge => archive::recover_purge(jobs, op),
        // The next backup removes what this one left behind.
        OperationKind::Backup
        | OperationKind::Bulk
        | OperationKind::Migrate
        | OperationKind::Freeze
        | OperationKind::Thaw => Err(OperationError::Interrupted),
        OperationKind::Start
        | OperationKind::Stop
        | OperationKind::Restart
        | OperationKind::Pause
        | OperationKind::Resume
        | OperationKind::Wake
        | OperationKind::Sleep => {
            // The status comes from the container.
            let agent = progress::agent_of(jobs, op)?;
            let looked = jobs.driver_of(&agent)?.brief(&lifecycle::container(&agent)?, within(CALL));
            let state = lifecycle::own(looked, &agent.id)?;
            note_status(jobs, &agent, state.status)?;
            Err(OperationError::Interrupted)
        }
    }
}

/// Starts the containers that ran when the host went down, if the runtime does not do that itself.
fn start_after_boot(jobs: &Arc<Jobs>, driver: &dyn Driver) -> Result<(), OperationError> {
    let ran = driver.ran_before_boot(within(CALL))?;
    let agents = if ran.is_empty() { Vec::new() } else { jobs.store.lookup(agents::with_containers)? };
    for name in ran {
        if agents.iter().any(|agent| agent.is_frozen() && agent.container_name.as_deref() == Some(name.as_str())) {
            log::info!("container {name} stays stopped: its agent is frozen");
            continue;
        }
        match mounts::start(jobs, driver, &name, within(START).into()) {
            Ok(()) => log::info!("container {name} runs again after the host's restart"),
            // One failure does not stop the others.
            Err(error) => log::warn!("container {name} could not be started again: {error}"),
        }
    }
    Ok(())
}

/// Delivers missing tokens. Logs one line if there is no runtime.
fn migrate(jobs: &Arc<Jobs>) -> Result<(), OperationError> {
    let driver = jobs.any_driver()?;
    if driver.runtime() == Runtime::None {
        log::info!("this host has no container runtime: no tokens to deliver");
        return Ok(());
    }
    start_after_boot(jobs, driver.as_ref())?;
    let containers = driver.list(Detail::Brief, within(CALL))?;
    let mut agents: Vec<(String, Option<ContainerName>)> = Vec::new();
    for container in containers {
        agents.extend(claimed(jobs, &container)?.map(|agent| (agent.id, Some(container.name))));
    }
    let known = jobs.store.lookup(agents::with_containers)?;
    // Agents on nodes are served when the reconciler has found that their node replies.
    agents.extend(known.into_iter().filter(is_here).map(|agent| (agent.id, None)));
    serve(jobs, agents);
    Ok(())
}

/// True if an agent's container is on this box.
fn is_here(agent: &Agent) -> bool {
    agent.container_name.as_deref().and_then(ContainerPlace::node_in).is_none()
}

/// Delivers missing tokens to these agents, each under its own key. An agent with a container beside its id adopts that
/// container first.
pub fn serve(jobs: &Arc<Jobs>, agents: Vec<(String, Option<ContainerName>)>) {
    let tally = Arc::new(DeliveryTally::of(agents.len()));
    if agents.is_empty() {
        tally.end(jobs);
    }
    for (id, found) in agents {
        let part = Arc::clone(&tally);
        // Under the agent's own key, a rotation that comes in meanwhile waits, and operations of the last run have
        // ended.
        let agent_id = id.clone();
        let queued = jobs.run(Some(&agent_id), move |jobs| {
            match found.map_or(Ok(()), |container| adopt(jobs, &id, &container)) {
                Ok(()) => serve_agent(jobs, &id, &part),
                Err(error) => {
                    log::warn!("agent {id}: a container could not be adopted: {error}; the next start tries again")
                }
            }
            part.one_less(jobs);
        });
        if let Err(error) = queued {
            log::warn!("the start-up migration skipped an agent, the next start tries again: {error}");
            keep_if_pending(jobs, &agent_id);
            tally.one_less(jobs);
        }
    }
}

/// Opens one agent's socket and delivers its token, if it has none.
fn serve_agent(jobs: &Arc<Jobs>, agent_id: &str, tally: &DeliveryTally) {
    // Reads the agent again: an operation of the last run may just have changed it.
    let agent = match jobs.store.lookup(|conn| agents::by_id(conn, agent_id)) {
        // The remains of a failed deployment are removed, not served.
        Ok(Some(live)) if live.agent.container_name.is_some() && !deploy::is_left_over(jobs, &live.agent) => live.agent,
        Ok(_) => return,
        Err(error) => {
            keep_if_pending(jobs, agent_id);
            return log::warn!("agent {agent_id} could not be read: {error}");
        }
    };
    let begun = Micros::now();
    let result = match prepare_agent(jobs, &agent) {
        Ok(false) => return,
        Ok(true) => tally.begin(jobs, &agent).and_then(|()| deliver_one(jobs, &agent, begun)),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        let cause = error.cause().unwrap_or_else(|| "-".into());
        log::warn!("agent {}: {error} ({cause}); the next start tries again", agent.slug);
        keep_if_pending(jobs, agent_id);
    }
    tally.add(&agent, &result);
}

/// Lets the reconciler serve an agent again whose container may have a token that was never activated.
fn keep_if_pending(jobs: &Jobs, agent_id: &str) {
    if !jobs.store.lookup(|conn| credentials::pending(conn, agent_id)).is_ok_and(|pending| pending.is_none()) {
        jobs.keep_undelivered(agent_id);
    }
}

/// The results of the migration so far. Its operation is stored only when there is something to do.
struct DeliveryTally {
    total: usize,
    left: AtomicUsize,
    operation: Mutex<Option<Operation>>,
    results: Mutex<Map<String, Value>>,
}

impl DeliveryTally {
    fn of(total: usize) -> Self {
        Self { total, left: AtomicUsize::new(total), operation: Mutex::default(), results: Mutex::default() }
    }

    fn begin(&self, jobs: &Arc<Jobs>, agent: &Agent) -> Result<(), OperationError> {
        let mut operation = lock(&self.operation);
        if operation.is_none() {
            let mut op = Operation::new(store::new_id(), OperationKind::Migrate, Maker::system(), "-", Micros::now());
            op.status = OperationStatus::Running;
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

    fn add(&self, agent: &Agent, result: &Result<TokenDelivery, OperationError>) {
        let told = match result {
            Ok(delivery) => json!({"success": true, "token_delivery": delivery}),
            Err(error) => json!({"success": false, "error": error.slug()}),
        };
        lock(&self.results).insert(agent.slug.clone(), told);
    }

    fn one_less(&self, jobs: &Arc<Jobs>) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end(jobs);
        }
    }

    fn end(&self, jobs: &Arc<Jobs>) {
        let results = std::mem::take(&mut *lock(&self.results));
        match lock(&self.operation).take() {
            Some(op) => progress::finish(jobs, &op, Ok(json!({"results": results}))),
            None if results.is_empty() => log::info!("every agent with a container has its token"),
            None => {}
        }
    }
}

/// The agent that a container's name belongs to. Only agents of admins without a container count, and never if the
/// container was made for another agent.
fn claimed(jobs: &Jobs, container: &ContainerState) -> Result<Option<Agent>, OperationError> {
    let Some(slug) = container.name.as_str().strip_prefix(PREFIX) else { return Ok(None) };
    let agent = jobs.store.lookup(|conn| agents::without_containers(conn, slug))?;
    Ok(agent.filter(|agent| lifecycle::is_own(container, &agent.id)))
}

/// Assigns a container to this agent, if it still exists and still has the agent's name: an interrupted operation may
/// have deleted it since it was listed.
fn adopt(jobs: &Arc<Jobs>, agent_id: &str, container: &ContainerName) -> Result<(), OperationError> {
    let driver = jobs.driver()?;
    let state = match driver.brief(container, within(CALL)) {
        Ok(state) => state,
        Err(Error::NotFound(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Some(agent) = claimed(jobs, &state)?.filter(|agent| agent.id == agent_id) else { return Ok(()) };
    log::info!("agent {} has the container {container}", agent.slug);
    let (name, runtime) = (container.clone(), driver.runtime().as_str());
    let status = if state.status == Status::Stopped { AgentStatus::Stopped } else { AgentStatus::Running };
    jobs.store.write(move |conn| {
        agents::set_container(conn, &agent.id, Some((name.as_str(), runtime)), status, Micros::now())
    })?;
    Ok(())
}

/// Opens an agent's socket and ends a delivery that a crash interrupted. True if a token is still missing.
fn prepare_agent(jobs: &Arc<Jobs>, agent: &Agent) -> Result<bool, OperationError> {
    let (driver, name) = (jobs.driver_of(agent)?, lifecycle::container(agent)?);
    if agent.is_frozen() {
        freeze::settle(jobs, &agent.id)?;
        return Ok(false);
    }
    let state = lifecycle::own(driver.get(&name, within(CALL)), &agent.id)?;
    note_status(jobs, agent, state.status)?;
    if state.status == Status::Running
        && driver.node().is_none()
        && let Err(error) = mounts::check(&jobs.mount_roots.now(), &state.mounts)
    {
        // The runtime has started it by itself, for example at boot; a person must decide about its mounts.
        log::error!(
            "agent {} runs with a mount that the daemon would not start it with: {}",
            agent.slug,
            error.detail()
        );
    }
    lifecycle::open_way(jobs, driver.as_ref(), agent, &name)?;
    let lack = delivery::lack(jobs, agent)?;
    if lack == Lack::Activation {
        return Ok(true);
    }
    if lack == Lack::Token {
        // The record may not show yet what was revoked since this start began.
        let (id, began) = (agent.id.clone(), jobs.began);
        let revoked = jobs.store.lookup(|conn| credentials::revoked_since(conn, &id, began))?;
        // A token that was issued by hand is its holder's; a revoked one was removed on purpose.
        let by_hand = agent.token_delivery == Some(TokenDelivery::NotInjected);
        return Ok(!by_hand && !revoked);
    }
    if state.status != Status::Frozen
        && let Err(error) = delivery::drop_old_file(jobs, agent)
    {
        log::warn!("the token file of agent {} could not be looked at: {error}", agent.slug);
    }
    let id = agent.id.clone();
    // If the delivery did not learn the run, the reconciler stores it later.
    let unseen = agent.token_delivery_boot.as_deref() == Some(UNKNOWN_RUN) && state.boot.is_some();
    // Without a run only a stopped container certainly has no process of before.
    let known = state.boot.is_some() || state.status == Status::Stopped;
    let restarted = known && agent.token_delivery_boot.is_some() && agent.token_delivery_boot != state.boot && !unseen;
    let unnoted = !matches!(agent.token_delivery, Some(TokenDelivery::Delivered | TokenDelivery::PendingRestart));
    if restarted || unnoted {
        jobs.store.write(move |conn| {
            agents::set_delivery(conn, &id, &Delivery::state(TokenDelivery::Delivered), Micros::now())
        })?;
    }
    Ok(false)
}

/// Issues and delivers a token, unless one was revoked since `begun`. Looking into a container takes seconds; somebody
/// who revokes the token in that time does not want another one.
fn deliver_one(jobs: &Arc<Jobs>, agent: &Agent, begun: Micros) -> Result<TokenDelivery, OperationError> {
    let scopes = move |conn: &Connection, agent: &Agent| {
        if credentials::revoked_since(conn, &agent.id, begun)? {
            return Err(OperationError::TokenRevoked);
        }
        delivery::own_scopes(conn, agent)
    };
    Ok(delivery::issue(jobs, &agent.id, &Terms::PLAIN, &Asker::system(), scopes)?.delivery)
}
