//! Reading tasks, and finding the task that a request is about.

use rusqlite::Connection;
use serde_json::json;

use super::create::bad;
use super::fields::{ASSIGNEE, STATUS};
use super::show::shown;
use crate::access::{Caller, SpaceRole, resolve_space, space_role_on};
use crate::api::ax::context::SPACE;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::Listing;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::store::tasks::{self, Task, Which};
use crate::time::Micros;

/// Returns the task with this id, if the caller has at least the role `needed` in its space.
///
/// # Errors
/// `task_not_found`, whether the task does not exist or the caller may not see it; `forbidden`, or a `StoreError`.
pub(super) fn find(conn: &Connection, caller: &Caller, id: &str, needed: SpaceRole) -> Result<Task, ApiError> {
    let task = tasks::by_id(conn, id)?.ok_or(codes::TASK_NOT_FOUND)?;
    match space_role_on(conn, caller, &task.space_id, Micros::now())? {
        None => Err(codes::TASK_NOT_FOUND.into()),
        Some(role) if role < needed => Err(ApiError::new(codes::FORBIDDEN)
            .detail(format!("This needs the role {needed} in the task's space; the caller has {role}."))),
        Some(_) => Ok(task),
    }
}

pub(super) fn get(app: &App, call: Call) -> Handled {
    let view = app.store.read(|conn| {
        let task = find(conn, &call.caller, call.input.param(0), SpaceRole::Viewer)?;
        Ok::<_, ApiError>(shown(conn, &task)?)
    })?;
    Ok(Reply::ok(&view).into())
}

pub(super) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "tasks")?.under("tasks", false).telling_cursor();
    let page = list.page();
    let query = &call.input.query;
    let which = match (query.text(&STATUS), query.text(&ASSIGNEE)) {
        (None, None) => Which::All,
        (Some(status), None) => Which::Status(status),
        (None, Some(id)) => Which::Assignee(id),
        (Some(_), Some(_)) => return Err(bad("status", "cannot be asked for together with assignee_id")),
    };
    let before = page.after.map_or(i64::MAX, |(seq, _)| seq.0);
    app.store.read(|conn| {
        let space_id = resolve_space(conn, &call.caller, query.text(&SPACE), SpaceRole::Viewer)?;
        let mut failed = None;
        let mut take = |task: Task| match shown(conn, &task) {
            Ok(view) => list.push((Micros(task.seq), String::new()), &view),
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        tasks::list(conn, &space_id, which, before, page.limit + 1, &mut take)?;
        failed.map_or(Ok(()), |error| Err(ApiError::from(error)))
    })?;
    Ok(list.reply(&call.input).into())
}

pub(super) fn history(app: &App, call: Call) -> Handled {
    let changes = app.store.read(|conn| {
        let task = find(conn, &call.caller, call.input.param(0), SpaceRole::Viewer)?;
        Ok::<_, ApiError>(tasks::history_of(conn, task.seq)?)
    })?;
    let show = |change: &tasks::HistoryEntry| {
        json!({
            "at": change.at.micros(),
            "actor": change.actor,
            "field": change.field,
            "from": change.from,
            "to": change.to,
        })
    };
    Ok(Reply::ok(&json!({"history": changes.iter().map(show).collect::<Vec<_>>()})).into())
}
