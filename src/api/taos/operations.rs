//! Operations: following and cancelling slow work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, Action, AgentRole, Caller, Gate};
use crate::api::agents::seen_by;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Step, Written};
use crate::api::engine::dispatch::render;
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::api::engine::slow::WAIT;
use crate::jobs::operations::{Jobs, progress as work};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::store::agents;
use crate::store::operations::{self, Operation, OperationFilter, OperationKind, OperationStatus};
use crate::time::Micros;

const DOC: &str = "concepts/operations#follow";

const STATUS: Field = Field::word("status", OperationStatus::SLUGS, "The state of the operation.").required();
const KIND: Field = Field::word("kind", OperationKind::SLUGS, "The kind of operation.").required();
/// An operation's record.
const RECORD: &[Field] = &[
    Field::shown("id", "The id."),
    KIND,
    STATUS,
    Field::shown("agent_id", "The id of the agent that the operation works on.").nullable(),
    Field::shown("agent_name", "That agent's slug.").nullable(),
    Field::shown("step", "The current step."),
    Field::integer("progress", 0, 100, "The progress in percent.").required(),
    Field::flag("cancellable", "True if the operation can be cancelled now.").required(),
    Field::of("result", Type::AnyObject, "The reply of the route, once the operation has succeeded.")
        .required()
        .nullable(),
    Field::of("error", Type::AnyObject, "The error, if the operation failed.").required().nullable(),
    Field::shown("created_at", "When the operation was requested."),
    Field::shown("started_at", "When the work began.").nullable(),
    Field::shown("finished_at", "When the operation ended.").nullable(),
];

const AGENT: Field = Field::text("agent", 64, "Only operations on the agent with this name or id.");
/// The routes for operations.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/operations", Taos, Action::OperationsRead, list)
        .described(
            "operations_list",
            "List operations",
            "Newest first. The operations on agents that the caller may read, and those that it started.",
            DOC,
        )
        .asking(&[
            Field::word("status", OperationStatus::SLUGS, "Only operations in this state."),
            Field::word("kind", OperationKind::SLUGS, "Only operations of this kind."),
            AGENT,
            LIMIT,
            CURSOR,
        ])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::GET, "/api/operations/{id}", Taos, Action::OperationsRead, get)
        .described(
            "operations_get",
            "Follow an operation",
            "With wait, the reply comes when the operation has ended, or after that many seconds.",
            DOC,
        )
        .asking(&[WAIT])
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::OPERATION_NOT_FOUND]),
    ApiRoute::checked(Method::POST, "/api/operations/{id}/cancel", Taos, Action::OperationsCancel, cancel)
        .described(
            "operations_cancel",
            "Cancel an operation",
            "Cancels a queued operation, or a deployment and undoes its work. Needs the same scope and role as the \
                operation itself.",
            "concepts/operations#cancel",
        )
        .taking(&[], "")
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::OPERATION_NOT_FOUND, codes::FORBIDDEN, codes::OPERATION_FINISHED, codes::NOT_CANCELLABLE]),
];

pub(super) fn show(op: &Operation) -> Value {
    let value = |text: &Option<String>| -> Option<Value> { serde_json::from_str(text.as_deref()?).ok() };
    json!({
        "id": op.id,
        "kind": op.kind,
        "status": op.status,
        "agent_id": op.agent_id,
        "agent_name": op.agent_name,
        "step": op.step,
        "progress": op.progress,
        "cancellable": work::is_cancellable(op),
        "result": value(&op.result),
        "error": value(&op.error),
        "created_at": op.created_at.millis(),
        "started_at": op.started_at.map(Micros::millis),
        "finished_at": op.finished_at.map(Micros::millis),
    })
}

/// Returns true if the caller started the operation. It compares ids, because a name may be given again to another.
fn is_own(caller: &Caller, op: &Operation) -> bool {
    op.actor_id.as_deref() == Some(&caller.principal_key())
}

/// Returns the action that an operation of this kind needs, and the role on its agent. `None` as the role: it is not an
/// operation on an agent, but on the box.
fn needs(kind: OperationKind) -> (Action, Option<AgentRole>) {
    use OperationKind::{
        Archive, Backup, Bulk, Deploy, Freeze, Migrate, Pause, Purge, Restart, Restore, Resume, Sleep, Start, Stop,
        Thaw, Wake,
    };
    match kind {
        // A bulk operation consists of some of these.
        Start | Stop | Restart | Pause | Resume | Bulk | Wake | Sleep => {
            (Action::AgentsLifecycle, Some(AgentRole::Editor))
        }
        Migrate => (Action::AgentsTokenIssue, Some(AgentRole::Editor)),
        Deploy => (Action::AgentsDeploy, Some(AgentRole::Owner)),
        Archive => (Action::AgentsDelete, Some(AgentRole::Owner)),
        Restore => (Action::AgentsRestore, Some(AgentRole::Owner)),
        Purge => (Action::AgentsPurge, Some(AgentRole::Owner)),
        Freeze | Thaw => (Action::AgentsFreeze, Some(AgentRole::Owner)),
        Backup => (Action::BackupsCreate, None),
    }
}

/// Checks that the caller may do what the operation does: by its scopes, and by its role on the agent, or on every
/// agent of a bulk operation.
fn may_cancel(conn: &Connection, caller: &Caller, op: &Operation) -> Result<(), ApiError> {
    let (action, role) = needs(op.kind);
    access::require_action(caller, action)?;
    let Some(needed) = role.filter(|_| !caller.is_admin()) else { return Ok(()) };
    let parts = if op.kind == OperationKind::Bulk { operations::children(conn, &op.id)? } else { Vec::new() };
    let agents: Vec<&String> = parts.iter().chain([op]).filter_map(|op| op.agent_id.as_ref()).collect();
    if agents.is_empty() && !is_own(caller, op) {
        return Err(ApiError::new(codes::FORBIDDEN)
            .detail("Only the user who started the operation, or an admin, may cancel it."));
    }
    for agent in agents {
        // The caller may no longer see the agent. It sees the operation, so it is told which role it lacks.
        if access::role_on(conn, caller, agent)? < Some(needed) {
            return Err(ApiError::new(codes::FORBIDDEN)
                .detail(format!("Cancelling it needs the role {} on its agent, as the operation does.", needed)));
        }
    }
    Ok(())
}

/// True if the operation is about an agent that the caller's credential is not for, whoever started it.
fn is_hidden(caller: &Caller, op: &Operation) -> bool {
    op.agent_id.as_deref().is_some_and(|agent_id| !caller.may_touch(agent_id))
}

/// Returns the operation, if the caller may see its agent or started the operation.
pub(super) fn find(conn: &Connection, caller: &Caller, id: &str) -> Result<Operation, ApiError> {
    let op = operations::by_id(conn, id)?.filter(|op| !is_hidden(caller, op)).ok_or(codes::OPERATION_NOT_FOUND)?;
    if caller.is_admin() || is_own(caller, &op) {
        return Ok(op);
    }
    match &op.agent_id {
        Some(agent_id) if access::role_on(conn, caller, agent_id)?.is_some() => Ok(op),
        _ => Err(codes::OPERATION_NOT_FOUND.into()),
    }
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "operations")?;
    let page = list.page();
    let query = &call.input.query;
    let mut filter = OperationFilter { status: query.word(&STATUS)?, kind: query.word(&KIND)?, agent: None };
    let (seen, own) = (seen_by(&call.caller), call.caller.principal_key());
    let mut take = |op: Operation| {
        let place = (op.created_at, op.id.clone());
        if is_hidden(&call.caller, &op) { list.pass(place) } else { list.push(place, &show(&op)) }
    };
    app.store.lookup(|conn| {
        filter.agent = query.text(&AGENT).map(|name| agents::slug_named(conn, name)).transpose()?;
        operations::list(conn, &seen, &own, &filter, &page, &mut take)
    })?;
    Ok(list.reply(&call.input).into())
}

fn get(app: &App, call: Call) -> Handled {
    let wait = call.input.query.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let until = call.input.head.arrived + Duration::from_secs(wait);
    let awaited = AwaitedOperation { jobs: Arc::clone(&app.jobs), gate: Arc::clone(&app.gate), call, until };
    Ok(Step::Later(awaited.look()))
}

/// A caller who waits for the end of an operation, and until when.
struct AwaitedOperation {
    jobs: Arc<Jobs>,
    gate: Arc<Gate>,
    call: Call,
    until: Instant,
}

impl AwaitedOperation {
    /// Replies if the operation has ended or the time is up; otherwise looks again whenever some operation has changed.
    fn look(self) -> Outcome {
        // The wait begins before the read, so that no change in between is missed.
        let wait = self.jobs.changed.wait();
        let found = self.jobs.store.read(|conn| find(conn, &self.call.caller, self.call.input.param(0)));
        let until = self.until;
        match found {
            Ok(op) if op.is_finished() || Instant::now() >= until => Outcome::Done(Reply::ok(&show(&op))),
            Ok(_) => Outcome::Later { wait, until, again: Box::new(move || self.again()) },
            Err(error) => self.refused(&error),
        }
    }

    /// Looks again, if the caller would still be admitted.
    fn again(mut self) -> Outcome {
        if self.gate.renew(&mut self.call.caller, &[Action::OperationsRead]) {
            return self.look();
        }
        self.refused(&codes::INVALID_TOKEN.into())
    }

    fn refused(&self, error: &ApiError) -> Outcome {
        Outcome::Done(render(error, self.call.input.dialect, self.call.caller.request_id()))
    }
}

fn not_cancellable(op: &Operation) -> ApiError {
    let error = ApiError::new(codes::NOT_CANCELLABLE);
    if op.kind == OperationKind::Archive && op.status == OperationStatus::Queued {
        return error.detail("The agent is archived already, so its container has to be archived as well.");
    }
    error
}

/// Cancels an operation. A queued one ends here; a running one ends itself at its next step.
fn cancel(app: &App, call: Call) -> Handled {
    let jobs = Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let op = find(tx.conn, tx.caller, tx.input.param(0))?;
        may_cancel(tx.conn, tx.caller, &op)?;
        if op.is_finished() {
            return Err(codes::OPERATION_FINISHED.into());
        }
        if !work::is_cancellable(&op) {
            return Err(not_cancellable(&op));
        }
        if op.status == OperationStatus::Queued {
            work::cancel_waiting(tx.conn, &op, tx.now)?;
        } else {
            operations::cancel(tx.conn, &op.id)?;
        }
        tx.audit(format!("operation:{}", op.id))?;
        let op = operations::by_id(tx.conn, &op.id)?.ok_or(codes::OPERATION_NOT_FOUND)?;
        let after: After = Box::new(move |reply, _| {
            jobs.changed.raise();
            Outcome::Done(reply)
        });
        Ok(Written::Then(Reply::ok(&show(&op)), after))
    })
}
