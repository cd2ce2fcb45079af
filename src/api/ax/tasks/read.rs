//! Reading tasks, and finding the one a request is about.

use rusqlite::Connection;
use serde_json::json;

use super::create::bad;
use super::show::shown;
use crate::access::{Caller, SpaceRole, resolve_space, space_role_on};
use crate::api::app::App;
use crate::api::call::{Call, Handled};
use crate::api::paging;
use crate::http::codes;
use crate::http::error::ApiError;
use crate::http::reply::Reply;
use crate::store::tasks::{self, Task, Which};
use crate::time::Micros;

/// The task of this id, if the caller has at least `needed` in its space.
///
/// # Errors
/// `task_not_found` for one that the caller may not see, whether or not there is one; `forbidden`, or the store's.
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
    const LIST: &str = "tasks";
    let page = paging::page(&call.input, LIST)?;
    let query = &call.input.query;
    let which = match (query.text("status"), query.text("assignee_id")) {
        (None, None) => Which::All,
        (Some(status), None) => Which::Status(status),
        (None, Some(id)) => Which::Assignee(id),
        (Some(_), Some(_)) => return Err(bad("status", "cannot be asked for together with assignee_id")),
    };
    let before = page.after.map_or(i64::MAX, |(seq, _)| seq.0);
    let (views, next) = app.store.read(|conn| {
        let space_id = resolve_space(conn, &call.caller, query.text("space_id"), SpaceRole::Viewer)?;
        let mut found = tasks::list(conn, &space_id, which, before, page.limit + 1)?;
        let more = found.len() as u64 > page.limit;
        if more {
            found.pop();
        }
        let next = found.last().filter(|_| more).map(|last| paging::encode(LIST, Micros(last.seq), ""));
        let views = found.iter().map(|task| shown(conn, task)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, ApiError>((views, next))
    })?;
    let mut body = json!({"tasks": views});
    if let Some(next) = next {
        body["next_cursor"] = json!(next);
    }
    Ok(Reply::ok(&body).into())
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
