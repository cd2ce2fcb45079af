//! Start, stop, restart, pause and resume, one agent or all of the caller's.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::access::{self, AgentRole, Caller};
use crate::api::agents::{find, frozen, seen_by};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::slow::{self, Slow, refuse_busy};
use crate::containers::ContainerPlace;
use crate::jobs::operations::lifecycle::{self, LifecycleAction};
use crate::jobs::operations::{Jobs, progress};
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::agents::{self, Agent, AgentName};
use crate::store::operations::{self, Operation, OperationKind, OperationStatus};
use crate::store::{self, tasks};
use crate::time::Micros;

/// The most agents of one bulk operation.
const BULK: u64 = 10_000;
/// The most parts of a bulk operation that one transaction makes.
const PARTS: usize = 100;

pub(crate) fn start(app: &App, call: Call) -> Handled {
    change(app, call, LifecycleAction::Start)
}

pub(crate) fn stop(app: &App, call: Call) -> Handled {
    change(app, call, LifecycleAction::Stop)
}

pub(crate) fn restart(app: &App, call: Call) -> Handled {
    change(app, call, LifecycleAction::Restart)
}

pub(crate) fn pause(app: &App, call: Call) -> Handled {
    change(app, call, LifecycleAction::Pause)
}

pub(crate) fn resume(app: &App, call: Call) -> Handled {
    change(app, call, LifecycleAction::Resume)
}

fn change(app: &App, call: Call, action: LifecycleAction) -> Handled {
    let runtimes = app.jobs.runtimes();
    let slow = Slow::new(app, &call.input);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?.agent;
        frozen::refuse(&agent)?;
        if agent.container_name.is_none() {
            return without_container(tx, &agent, action).map(Into::into);
        }
        runtimes.of(&agent)?;
        slow.promise(tx, action.into(), &agent, &json!({}))
    })
}

/// Pauses or resumes an agent without a container: it has only the flag.
fn without_container(tx: &Tx<'_>, agent: &Agent, action: LifecycleAction) -> Result<Reply, ApiError> {
    let paused = match action {
        LifecycleAction::Pause => true,
        LifecycleAction::Resume => false,
        LifecycleAction::Start | LifecycleAction::Stop | LifecycleAction::Restart => {
            return Err(codes::AGENT_HAS_NO_CONTAINER.into());
        }
    };
    if agents::set_status(tx.conn, &agent.id, agent.status, paused, tx.now)? {
        tx.audit_as(if paused { "agents.pause" } else { "agents.resume" }, format!("agent:{}", agent.id))?;
    }
    if paused {
        tasks::free_all_of_agent(tx.conn, &agent.id, tx.now)?;
    }
    Ok(Reply::ok(&lifecycle::result(action, agent)))
}

pub(crate) fn bulk_start(app: &App, call: Call) -> Handled {
    bulk(app, call, LifecycleAction::Start)
}

pub(crate) fn bulk_stop(app: &App, call: Call) -> Handled {
    bulk(app, call, LifecycleAction::Stop)
}

pub(crate) fn bulk_restart(app: &App, call: Call) -> Handled {
    bulk(app, call, LifecycleAction::Restart)
}

fn bulk(app: &App, call: Call, action: LifecycleAction) -> Handled {
    let runtimes = app.jobs.runtimes();
    let (slow, jobs) = (Slow::new(app, &call.input), Arc::clone(&app.jobs));
    let seen = seen_by(&call.caller);
    // Not on the writer's thread, which should not look at each agent: most have no container.
    let edited = app.store.read(|conn| {
        let mut edited = agents::named(conn, &seen, BULK)?;
        let mut failed = None;
        edited.retain(|agent| match access::role_on(conn, &call.caller, &agent.id) {
            Ok(role) => role >= Some(AgentRole::Editor),
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(edited), |error| Err(ApiError::from(error)))
    })?;
    let (mut first, without): (Vec<_>, Vec<_>) = edited.into_iter().partition(|agent| agent.container.is_some());
    let mut results: Map<String, Value> =
        without.into_iter().map(|agent| (agent.slug, failed(codes::AGENT_HAS_NO_CONTAINER))).collect();
    let is_here = |agent: &AgentName| agent.container.as_deref().and_then(ContainerPlace::node_in).is_none();
    let needs_this_box = first.iter().any(is_here);
    let rest = first.split_off(first.len().min(PARTS));
    let caller = call.caller.clone();
    call.write(app, move |tx| {
        let mut op =
            Operation::new(store::new_id(), OperationKind::Bulk, tx.caller.maker(), tx.caller.request_id(), tx.now);
        op.status = OperationStatus::Running;
        op.started_at = Some(tx.now);
        let (parts, refused) = parts_of(tx.conn, tx.caller, &op, action, first)?;
        results.extend(refused);
        if parts.is_empty() && rest.is_empty() {
            return Ok(Reply::ok(&json!({"action": action, "results": results})).into());
        }
        if needs_this_box {
            runtimes.here()?;
        }
        op.payload = json!({"action": action, "results": results}).to_string();
        operations::insert(tx.conn, &op)?;
        for part in &parts {
            operations::insert(tx.conn, part)?;
        }
        tx.charge(slow::ROWS.saturating_mul((parts.len() + rest.len()) as u64));
        let written = slow.follow(op.clone(), parts, slow::pending);
        if rest.is_empty() {
            return Ok(written);
        }
        Ok(written.before(move |after, reply, claim| {
            Outcome::Again(Box::new(move || {
                if let Err(error) = make_rest(&jobs, &caller, &op, action, rest) {
                    log::error!("bulk operation {}: not all of its parts could be made: {error}", op.id);
                }
                after(reply, claim)
            }))
        }))
    })
}

fn failed(code: &Code) -> Value {
    json!({"success": false, "error": code.slug})
}

/// Makes the parts that the first transaction did not make, [`PARTS`] in each transaction, so that others' writes go in
/// between. Then it takes them up.
fn make_rest(
    jobs: &Arc<Jobs>,
    caller: &Caller,
    bulk: &Operation,
    action: LifecycleAction,
    rest: Vec<AgentName>,
) -> Result<(), ApiError> {
    let mut made = Vec::new();
    let all = make_parts(jobs, caller, bulk, action, rest, &mut made);
    for part in &made {
        progress::take_up(jobs, part);
    }
    let id = bulk.id.clone();
    // If there is no part for any agent, nothing else ends the bulk operation.
    jobs.store.write(move |conn| progress::end_parent(conn, &id, Micros::now()))?;
    all
}

fn make_parts(
    jobs: &Jobs,
    caller: &Caller,
    bulk: &Operation,
    action: LifecycleAction,
    mut rest: Vec<AgentName>,
    made: &mut Vec<Operation>,
) -> Result<(), ApiError> {
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(PARTS));
        let (caller, bulk) = (caller.clone(), bulk.clone());
        made.extend(jobs.store.write(move |conn| {
            let (parts, refused) = parts_of(conn, &caller, &bulk, action, rest)?;
            for part in &parts {
                operations::insert(conn, part)?;
            }
            operations::add_results(conn, &bulk.id, &refused)?;
            Ok::<_, ApiError>(parts)
        })?);
        rest = later;
    }
    Ok(())
}

/// Returns one operation for each agent that the caller may still edit, and the results of the agents that are refused
/// at once.
fn parts_of(
    conn: &Connection,
    caller: &Caller,
    bulk: &Operation,
    action: LifecycleAction,
    edited: Vec<AgentName>,
) -> Result<(Vec<Operation>, Map<String, Value>), ApiError> {
    let (mut parts, mut results) = (Vec::new(), Map::new());
    for agent in edited {
        if access::role_on(conn, caller, &agent.id)? < Some(AgentRole::Editor) {
            continue;
        }
        match frozen::refuse_by_id(conn, &agent.id).and_then(|()| refuse_busy(conn, &agent.id)) {
            Err(error) if error.code.status < 500 => {
                results.insert(agent.slug, failed(error.code));
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let mut part =
                    Operation::new(store::new_id(), action.into(), bulk.asker(), &bulk.request_id, bulk.created_at);
                part.agent_id = Some(agent.id);
                part.agent_name = Some(agent.slug);
                part.parent_id = Some(bulk.id.clone());
                parts.push(part);
            }
        }
    }
    Ok((parts, results))
}
