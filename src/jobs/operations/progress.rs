//! Operations: slow work that one transaction stores and that is carried out here. Each has a defined end.

use std::sync::Arc;

use serde_json::{Value, json};

use super::delivery::Asker;
use super::deploy::Env;
use super::lifecycle::LifecycleAction;
use super::{archive, deploy, freeze, lifecycle, sleep};
use crate::jobs::operations::backups;
use crate::jobs::operations::{Jobs, OperationError, OperationResult};
use crate::store::agents::{self, Agent, AgentStatus};
use crate::store::operations::{self as rows, Operation, OperationKind, OperationStatus};
use crate::store::{self, StillWanted, audit};
use crate::time::Micros;

/// The audit action for a kind of operation.
pub fn action(kind: OperationKind) -> &'static str {
    use OperationKind::{
        Archive, Backup, Bulk, Deploy, Freeze, Migrate, Pause, Purge, Restart, Restore, Resume, Sleep, Start, Stop,
        Thaw, Wake,
    };
    match kind {
        Deploy => "agents.deploy",
        Archive => "agents.delete",
        Restore => "agents.restore",
        Purge => "agents.purge",
        Migrate => "agents.token.issue",
        Backup => "backups.create",
        Wake => "agents.wake",
        Sleep => "agents.sleep",
        Freeze => "agents.freeze",
        Thaw => "agents.thaw",
        Start => "agents.start",
        Stop => "agents.stop",
        Restart => "agents.restart",
        Pause => "agents.pause",
        Resume => "agents.resume",
        Bulk => "agents.lifecycle",
    }
}

/// True for an operation that may be cancelled now: a running deployment, or a queued operation of most kinds.
pub fn is_cancellable(op: &Operation) -> bool {
    match op.status {
        OperationStatus::Queued => match op.kind {
            OperationKind::Bulk | OperationKind::Freeze | OperationKind::Thaw => false,
            // The agent is archived already; only its container is left to do.
            OperationKind::Archive => !archive::is_record_first(op),
            _ => true,
        },
        OperationStatus::Running => op.kind == OperationKind::Deploy,
        OperationStatus::Succeeded | OperationStatus::Failed | OperationStatus::Cancelled => false,
    }
}

/// Queues the work of an operation whose row is on disk.
pub fn take_up(jobs: &Arc<Jobs>, op: &Operation) {
    take_up_with(jobs, op, Env::new());
}

/// As [`take_up`], with the environment of a deployment, which is stored nowhere.
pub fn take_up_with(jobs: &Arc<Jobs>, op: &Operation, env: Env) {
    match op.kind {
        OperationKind::Bulk => return,
        OperationKind::Freeze | OperationKind::Thaw => return freeze::take_up(jobs, op),
        _ => {}
    }
    // Backups run one after the other, as the operations on one agent do.
    let key = op.agent_id.as_deref().or((op.kind == OperationKind::Backup).then_some("backup"));
    let queued = jobs.run(key, {
        let op = op.clone();
        move |jobs| carry_out(jobs, &op, &env)
    });
    if let Err(error) = queued {
        // Otherwise the row would stay open for ever.
        finish_later(jobs, op, Err(error));
    }
}

fn carry_out(jobs: &Arc<Jobs>, promised: &Operation, env: &Env) {
    let begun = jobs.store.write({
        let id = promised.id.clone();
        move |conn| {
            let begun = rows::begin(conn, &id, Micros::now())?;
            store::Result::Ok(rows::by_id(conn, &id)?.filter(|_| begun))
        }
    });
    let op = match begun {
        Ok(Some(op)) => op,
        Ok(None) => return,
        Err(error) => return finish_later(jobs, promised, Err(error.into())),
    };
    jobs.changed.raise();
    let ended = if op.cancelling { Err(OperationError::Cancelled) } else { work(jobs, &op, env) };
    finish(jobs, &op, ended);
}

fn work(jobs: &Arc<Jobs>, op: &Operation, env: &Env) -> OperationResult {
    match op.kind {
        OperationKind::Start => lifecycle::run(jobs, op, LifecycleAction::Start),
        OperationKind::Stop => lifecycle::run(jobs, op, LifecycleAction::Stop),
        OperationKind::Restart => lifecycle::run(jobs, op, LifecycleAction::Restart),
        OperationKind::Pause => lifecycle::run(jobs, op, LifecycleAction::Pause),
        OperationKind::Resume => lifecycle::run(jobs, op, LifecycleAction::Resume),
        OperationKind::Wake => sleep::wake(jobs, op),
        OperationKind::Sleep => sleep::sleep(jobs, op),
        OperationKind::Deploy => deploy::deploy(jobs, op, env),
        OperationKind::Archive => archive::archive(jobs, op),
        OperationKind::Restore => archive::restore(jobs, op),
        OperationKind::Purge => archive::purge(jobs, op),
        OperationKind::Backup => {
            let (settled, wanted) = (jobs.clock.settled().is_some(), StillWanted::unless(jobs.ends()));
            Ok(json!(backups::create(&jobs.store, Micros::now(), settled, &wanted)?))
        }
        // A bulk operation consists of its parts, and so do freezing and thawing; the start-up migration runs its own
        // work.
        OperationKind::Bulk | OperationKind::Migrate | OperationKind::Freeze | OperationKind::Thaw => {
            Err(OperationError::Internal(format!("kind {}", op.kind)))
        }
    }
}

/// Ends an operation: writes its row and its audit row, and ends its bulk operation if it was the last part. Waits until
/// that is on disk, so it must not be called on the writer's thread.
pub fn finish(jobs: &Arc<Jobs>, op: &Operation, ended: OperationResult) {
    note_failure(op, &ended);
    let (row, result) = (op.clone(), ended.clone());
    let written = jobs.store.write(move |conn| end_row(conn, &row, &result, Micros::now()));
    finished(jobs, op, ended, written);
}

/// As [`finish`], without waiting: for callers that may run on the writer's thread.
pub fn finish_later(jobs: &Arc<Jobs>, op: &Operation, ended: OperationResult) {
    note_failure(op, &ended);
    submit_end(jobs, op.clone(), ended);
}

fn submit_end(jobs: &Arc<Jobs>, op: Operation, ended: OperationResult) {
    let (row, result, told) = (op.clone(), ended.clone(), Arc::clone(jobs));
    jobs.store.submit(
        move |conn| end_row(conn, &row, &result, Micros::now()),
        move |written| finished(&told, &op, ended, written),
    );
}

/// Writes the ends that could not be written before. Does not wait for that.
pub fn write_ends(jobs: &Arc<Jobs>) {
    for (op, ended) in jobs.unwritten.take() {
        submit_end(jobs, op, ended);
    }
}

fn note_failure(op: &Operation, ended: &OperationResult) {
    if let Err(error) = ended {
        let cause = error.cause().unwrap_or_else(|| "-".into());
        log::warn!("operation {} ({}) ended with {error} ({cause})", op.id, op.kind);
    }
}

fn finished(jobs: &Jobs, op: &Operation, ended: OperationResult, written: store::Result<()>) {
    if let Err(error) = written {
        log::error!("the end of operation {} could not be written, trying again: {error}", op.id);
        jobs.unwritten.keep(op.clone(), ended);
    }
    jobs.changed.raise();
}

/// Ends an operation's row and records the result in the audit, unless it has ended: a write that failed may be on disk.
///
/// # Errors
/// Any `StoreError`.
pub fn end_row(conn: &rusqlite::Connection, op: &Operation, ended: &OperationResult, now: Micros) -> store::Result<()> {
    if rows::by_id(conn, &op.id)?.is_none_or(|row| row.is_finished()) {
        return Ok(());
    }
    let resource = op.agent_id.as_deref().map_or_else(|| format!("operation:{}", op.id), |id| format!("agent:{id}"));
    let outcome = if ended.is_ok() { audit::AuditOutcome::Ok } else { audit::AuditOutcome::Failed };
    let entry = audit::AuditEntry::new(
        audit::Actor { name: op.actor.clone(), id: op.actor_id.clone() },
        action(op.kind),
        resource,
        op.request_id.clone(),
    )
    .at(now)
    .ended(outcome);
    audit::append(conn, &entry)?;
    settle(conn, op, ended, now)
}

/// Ends the row of a queued operation, whose work was never begun, as cancelled.
///
/// # Errors
/// Any `StoreError`.
pub fn cancel_waiting(conn: &rusqlite::Connection, op: &Operation, now: Micros) -> store::Result<()> {
    rows::cancel(conn, &op.id)?;
    settle(conn, op, &Err(OperationError::Cancelled), now)
}

fn settle(conn: &rusqlite::Connection, op: &Operation, ended: &OperationResult, now: Micros) -> store::Result<()> {
    if op.kind == OperationKind::Deploy && ended.is_err() {
        end_deploying(conn, op, now)?;
    }
    let (status, result, error) = match ended {
        Ok(value) => (OperationStatus::Succeeded, Some(value.to_string()), None),
        Err(error) if error.is_cancelled() => (OperationStatus::Cancelled, None, Some(error.kept())),
        Err(error) => (OperationStatus::Failed, None, Some(error.kept())),
    };
    rows::finish(conn, &op.id, status, result.as_deref(), error.as_deref(), now)?;
    match &op.parent_id {
        Some(parent) => end_parent(conn, parent, now),
        None => Ok(()),
    }
}

/// The agent of a deployment that ended must not stay `deploying`. One that never began has nothing to undo. If the agent
/// of another one is `deploying` still, its rollback could not be written: it keeps its container's name, and the
/// reconciler removes what is left.
fn end_deploying(conn: &rusqlite::Connection, op: &Operation, now: Micros) -> store::Result<()> {
    let id = op.agent_id.as_deref().unwrap_or_default();
    let deploying = agents::by_id(conn, id)?.is_some_and(|live| live.agent.status == AgentStatus::Deploying);
    let began = rows::by_id(conn, &op.id)?.is_some_and(|row| row.started_at.is_some());
    match (deploying, began) {
        (true, true) => agents::set_status(conn, id, AgentStatus::Failed, false, now).map(|_| ()),
        (true, false) => agents::set_container(conn, id, None, AgentStatus::Failed, now),
        (false, _) => Ok(()),
    }
}

/// Ends a bulk operation once all of its parts have ended.
pub fn end_parent(conn: &rusqlite::Connection, parent: &str, now: Micros) -> store::Result<()> {
    if rows::has_open_children(conn, parent)? {
        return Ok(());
    }
    let Some(bulk) = rows::by_id(conn, parent)? else { return Ok(()) };
    let payload: Value = serde_json::from_str(&bulk.payload).unwrap_or_default();
    let mut results = payload["results"].as_object().cloned().unwrap_or_default();
    for part in rows::children(conn, parent)? {
        let name = part.agent_name.unwrap_or_default();
        let error: Option<Value> = part.error.and_then(|error| serde_json::from_str(&error).ok());
        results.insert(
            name,
            match error {
                None => json!({"success": true}),
                Some(error) => json!({"success": false, "error": error["error"]}),
            },
        );
    }
    let result = json!({"action": payload["action"], "results": results});
    rows::finish(conn, parent, OperationStatus::Succeeded, Some(&result.to_string()), None, now)
}

/// Stores the present step of an operation, and stops a deployment here if someone has cancelled it.
///
/// # Errors
/// `cancelled`, or a store error.
pub fn step(jobs: &Arc<Jobs>, op: &Operation, text: &str, percent: i64) -> Result<(), OperationError> {
    log::info!("operation {} ({}): {text}", op.id, op.kind);
    let cancelled = jobs.store.write({
        let (id, text) = (op.id.clone(), text.to_owned());
        move |conn| {
            rows::step(conn, &id, &text, percent)?;
            store::Result::Ok(rows::by_id(conn, &id)?.is_some_and(|op| op.cancelling))
        }
    })?;
    jobs.changed.raise();
    if cancelled && op.kind == OperationKind::Deploy { Err(OperationError::Cancelled) } else { Ok(()) }
}

/// True if someone has cancelled this running operation. It reads the database, so it may be called within a step.
pub fn is_cancelled(jobs: &Arc<Jobs>, op: &Operation) -> bool {
    jobs.store.lookup(|conn| rows::by_id(conn, &op.id)).is_ok_and(|row| row.is_some_and(|row| row.cancelling))
}

/// The live agent that an operation is about.
///
/// # Errors
/// `agent_not_found` if it does not exist, or a store error.
pub fn agent_of(jobs: &Arc<Jobs>, op: &Operation) -> Result<Agent, OperationError> {
    let id = op.agent_id.clone().unwrap_or_default();
    let live = jobs.store.lookup(|conn| agents::by_id(conn, &id))?;
    Ok(live.ok_or(OperationError::NoAgent)?.agent)
}

/// The maker and the request of an operation.
pub fn asker(op: &Operation) -> Asker {
    Asker { maker: op.asker(), request_id: op.request_id.clone() }
}
