//! Changing a task: by its holder with its fence, or by a user.

use super::create::{
    bad, check_assignee, deadline, depend, description, priority, requirements, status, title, too_many,
};
use super::fields::{ASSIGNEE, FENCE, MAX_ATTEMPTS};
use super::lease::lost;
use super::read::find;
use super::show::{TaskNews, actor, shown};
use crate::access::{Caller, SpaceRole};
use crate::api::ax::allowance;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Written};
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::tasks::{self, IN_PROGRESS, Task, TaskChange};

pub(super) fn update(app: &App, call: Call) -> Handled {
    let (teller, settings) = (TaskNews::new(app), app.config.read(|now| now.workspace));
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let task = find(tx.conn, tx.caller, tx.input.param(0), SpaceRole::Editor)?;
        check_fence(tx.caller, &task, body.integer(&FENCE))?;
        if let Some(assignee) = body.text(&ASSIGNEE) {
            check_assignee(tx, &task.space_id, assignee)?;
        }
        let before = tasks::dependencies_of(tx.conn, task.seq)?;
        // Before the other fields: whether it waits decides about its status.
        let task = depend(tx.conn, task, body)?;
        let after = tasks::dependencies_of(tx.conn, task.seq)?;
        let change = TaskChange { depends_on: (before != after).then_some((before, after)), ..wanted(body)? };
        let reopens = change.status.as_deref().is_some_and(|status| task.is_finished() && !tasks::is_final(status));
        if reopens && !tasks::has_room(tx.conn, &task.space_id, settings.open_tasks)? {
            return Err(too_many(settings.open_tasks));
        }
        if task.waiting_on > 0 && change.status.as_deref() == Some(IN_PROGRESS) {
            return Err(bad("status", "cannot be in_progress while the task waits for others"));
        }
        let texts = [&change.title, &change.description, &change.requirements];
        let bytes: usize = texts.into_iter().flatten().map(String::len).sum();
        if bytes > 0 {
            allowance::spend(tx, &settings, bytes as u64, 1)?;
        }
        let changed = tasks::change(tx.conn, &task, change, &actor(tx.caller), tx.now)?;
        let view = shown(tx.conn, &changed)?;
        let is_new = changed.assignee != task.assignee && !changed.is_finished();
        let news = if is_new { teller.assigned(tx, &changed.assignee)? } else { None };
        let after = {
            let view = view.clone();
            move |reply, _| {
                teller.news(news);
                let blocked = changed.status == tasks::BLOCKED && task.status != tasks::BLOCKED;
                teller.tell(if blocked { "blocked" } else { "updated" }, &changed, &view);
                if changed.is_finished() && !task.is_finished() {
                    // Tasks that waited for this one may be free now.
                    teller.wake(&changed.space_id);
                }
                Outcome::Done(reply)
            }
        };
        Ok(Written::Then(Reply::ok(&view), Box::new(after)))
    })
}

/// The new values of the fields that are in the task's own row.
fn wanted(body: &Fields) -> Result<TaskChange, ApiError> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(TaskChange {
        title: owned(title(body)?),
        description: owned(description(body)?),
        status: owned(status(body)?),
        priority: priority(body),
        assignee: owned(body.text(&ASSIGNEE)),
        requirements: requirements(body)?,
        deadline: deadline(body)?,
        max_attempts: body.integer(&MAX_ATTEMPTS),
        depends_on: None,
    })
}

/// Checks who may change the task. A claimed task needs the fence of its holder. A user needs no fence, but a fence
/// that is sent must be right.
fn check_fence(caller: &Caller, task: &Task, fence: Option<i64>) -> Result<(), ApiError> {
    let holds = task.holder.as_deref() == Some(caller.principal_key().as_str()) && fence == Some(task.fence);
    match (task.holder.is_some(), fence) {
        _ if holds => Ok(()),
        (false, None) => Ok(()),
        (true, None) if caller.agent_id().is_none() => Ok(()),
        _ => Err(lost(task)),
    }
}
