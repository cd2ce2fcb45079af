//! Claiming a task, renewing its lease and releasing it.

use serde_json::{Value, json};

use super::fields::{FENCE, SECONDS};
use super::read::find;
use super::show::{self, TaskNews, actor, shown};
use crate::access::SpaceRole;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Written};
use crate::limits::LEASE_SECONDS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::tasks::{self, BLOCKED, Task};

/// Returns the seconds of the lease that a request asks for.
pub(super) fn seconds(body: &Fields) -> i64 {
    body.integer(&SECONDS).unwrap_or(LEASE_SECONDS.2)
}

fn with_holder(error: ApiError, task: &Task) -> ApiError {
    let lease = show::lease(task);
    error.with("holder", lease["holder"].clone()).with("until", lease["until"].clone())
}

/// Returns the refusal of a change without the fence of the present lease.
pub(super) fn lost(task: &Task) -> ApiError {
    let detail = match &task.holder_name {
        Some(name) => format!("{name} has the lease of this task now; a change needs the fence of that lease."),
        None => "The lease with this fence is over, and nobody has taken the task since.".to_owned(),
    };
    with_holder(ApiError::new(codes::LEASE_LOST).detail(detail), task)
}

fn claimed(task: &Task) -> ApiError {
    let name = task.holder_name.as_deref().unwrap_or("");
    with_holder(ApiError::new(codes::TASK_CLAIMED).detail(format!("{name} is at this task.")), task)
}

fn not_free(why: &str) -> ApiError {
    ApiError::new(codes::TASK_NOT_FREE).detail(format!("The task {why}."))
}

/// Returns a task and its lease as JSON.
pub(super) fn given(task: &Task, view: &Value) -> Value {
    json!({"task": view, "lease": show::lease(task)})
}

pub(super) fn claim(app: &App, call: Call) -> Handled {
    let teller = TaskNews::new(app);
    call.write(app, move |tx| {
        let task = find(tx.conn, tx.caller, tx.input.param(0), SpaceRole::Editor)?;
        if task.holder.is_some() {
            return Err(claimed(&task));
        }
        // A user may take a task that is assigned to somebody else; another agent may not.
        if !task.assignee.is_empty() && tx.caller.agent_id().is_some_and(|id| id != task.assignee) {
            return Err(not_free("is assigned to somebody else"));
        }
        if task.status == BLOCKED {
            return Err(not_free("is blocked"));
        }
        let seconds = seconds(&tx.input.body);
        let task = tasks::claim(tx.conn, &task, &actor(tx.caller), seconds, tx.now)?.ok_or_else(|| {
            not_free(if task.is_finished() { "is finished" } else { "waits for others that are not finished" })
        })?;
        let view = shown(tx.conn, &task)?;
        let reply = Reply::ok(&given(&task, &view));
        let after = move |reply, _| {
            teller.lease(&task);
            teller.tell("claimed", &task, &view);
            Outcome::Done(reply)
        };
        Ok(Written::Then(reply, Box::new(after)))
    })
}

pub(super) fn renew(app: &App, call: Call) -> Handled {
    let teller = TaskNews::new(app);
    call.write(app, move |tx| {
        let task = find(tx.conn, tx.caller, tx.input.param(0), SpaceRole::Editor)?;
        let fence = tx.input.body.integer(&FENCE).unwrap_or(0);
        if task.holder.as_deref() != Some(tx.caller.principal_key().as_str()) {
            return Err(lost(&task));
        }
        let renewed = tasks::renew(tx.conn, &task, fence, seconds(&tx.input.body), tx.now)?;
        let task = renewed.ok_or_else(|| lost(&task))?;
        let view = shown(tx.conn, &task)?;
        let reply = Reply::ok(&given(&task, &view));
        let after = move |reply, _| {
            // Only the lease thread needs to know this.
            teller.lease(&task);
            Outcome::Done(reply)
        };
        Ok(Written::Then(reply, Box::new(after)))
    })
}

pub(super) fn release(app: &App, call: Call) -> Handled {
    let teller = TaskNews::new(app);
    call.write(app, move |tx| {
        let task = find(tx.conn, tx.caller, tx.input.param(0), SpaceRole::Editor)?;
        let holds = task.holder.as_deref() == Some(tx.caller.principal_key().as_str());
        let allowed = match tx.input.body.integer(&FENCE) {
            Some(fence) => holds && fence == task.fence,
            None => task.holder.is_some() && tx.caller.agent_id().is_none(),
        };
        if !allowed {
            return Err(lost(&task));
        }
        let task = tasks::release(tx.conn, &task, &actor(tx.caller).key, tx.now)?;
        let view = shown(tx.conn, &task)?;
        let reply = Reply::ok(&json!({"task": view}));
        let after = move |reply, _| {
            teller.tell("released", &task, &view);
            Outcome::Done(reply)
        };
        Ok(Written::Then(reply, Box::new(after)))
    })
}
