//! Start, stop, restart, pause and resume, one agent or all of the caller's.

use serde_json::{Map, Value, json};

use crate::access::{self, AgentRole};
use crate::api::agents::{find, frozen};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::slow::{self, Slow, refuse_busy};
use crate::jobs::operations::lifecycle::{self, LifecycleAction};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::store::agents::{self, Agent, Named, Seen};
use crate::store::operations::{self, Operation, OperationKind, OperationStatus};
use crate::store::{self, tasks};

/// Agents of one bulk operation at the most.
const BULK: u64 = 10_000;

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
    let runtime = app.jobs.driver().map(|_| ());
    let slow = Slow::new(app, &call.input);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?.agent;
        frozen::refuse(&agent)?;
        if agent.container_name.is_none() {
            return without_container(tx, &agent, action).map(Into::into);
        }
        runtime?;
        slow.promise(tx, action.into(), &agent, &json!({}))
    })
}

/// Without a container there is only the flag.
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
    let runtime = app.jobs.driver().map(|_| ());
    let slow = Slow::new(app, &call.input);
    let seen = if call.caller.is_admin() { Seen::All } else { Seen::By(call.caller.grantee()) };
    // Most agents have no container, and looking at each is nothing for the writer's thread.
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
    call.write(app, move |tx| {
        let mut op =
            Operation::new(store::new_id(), OperationKind::Bulk, tx.caller.maker(), tx.caller.request_id(), tx.now);
        let (parts, results) = parts_of(tx, &op, action, edited)?;
        if parts.is_empty() {
            return Ok(Reply::ok(&json!({"action": action, "results": results})).into());
        }
        runtime?;
        op.status = OperationStatus::Running;
        op.started_at = Some(tx.now);
        op.payload = json!({"action": action, "results": results}).to_string();
        operations::insert(tx.conn, &op)?;
        for part in &parts {
            operations::insert(tx.conn, part)?;
        }
        tx.charge(slow::ROWS.saturating_mul(parts.len() as u64));
        Ok(slow.follow(op, parts, slow::pending))
    })
}

/// One operation for each of the agents that the caller still edits, and what can be said at once of the others.
fn parts_of(
    tx: &Tx<'_>,
    bulk: &Operation,
    action: LifecycleAction,
    edited: Vec<Named>,
) -> Result<(Vec<Operation>, Map<String, Value>), ApiError> {
    let (mut parts, mut results) = (Vec::new(), Map::new());
    for agent in edited {
        let refused = match &agent.container {
            None => Err(codes::AGENT_HAS_NO_CONTAINER.into()),
            Some(_) if access::role_on(tx.conn, tx.caller, &agent.id)? < Some(AgentRole::Editor) => continue,
            Some(_) => frozen::refuse_by_id(tx.conn, &agent.id).and_then(|()| refuse_busy(tx, &agent.id)),
        };
        match refused {
            Err(error) if error.code.status < 500 => {
                results.insert(agent.slug, json!({"success": false, "error": error.code.slug}));
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let mut part = Operation::new(store::new_id(), action.into(), bulk.asker(), &bulk.request_id, tx.now);
                part.agent_id = Some(agent.id);
                part.agent_name = Some(agent.slug);
                part.parent_id = Some(bulk.id.clone());
                parts.push(part);
            }
        }
    }
    Ok((parts, results))
}
