//! Creating a task, and the checks of a task's fields.

use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::Value;

use super::fields::{
    ASSIGNEE, DEADLINE, DEPENDS_ON, DESCRIPTION, MAX_ATTEMPTS, PRIORITY, REQUIREMENTS, SPACE_HINT, STATUS, TITLE,
};
use super::show::{TaskNews, actor, shown};
use crate::access::{SpaceRole, resolve_space};
use crate::api::ax::allowance;
use crate::api::ax::context::SPACE;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx, Written};
use crate::limits::{TASK_REQUIREMENTS_BYTES, TASK_STATUS_CHARS, TEXT_BYTES};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::grants::{Grantee, On};
use crate::store::tasks::{self, Circle, NOT_STARTED, NewTask, Priority, Task};
use crate::store::{self, agents, grants, spaces};
use crate::time::Micros;

/// The maximum attempts of a task if the request does not say.
const DEFAULT_ATTEMPTS: i64 = 5;

pub(super) fn bad(field: &str, problem: impl Into<String>) -> ApiError {
    ApiError::field(field, problem).in_dialect(Dialect::Ax)
}

pub(super) fn create(app: &App, call: Call) -> Handled {
    let (teller, settings) = (TaskNews::new(app), app.config.read(|now| now.workspace));
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let hint = body.object(&REQUIREMENTS).and_then(|object| object.text(&SPACE_HINT).map(str::to_owned));
        let named = body.text(&SPACE).map(str::to_owned).or(hint);
        let space_id = resolve_space(tx.conn, tx.caller, named.as_deref(), SpaceRole::Editor)?;
        let assignee = body.text(&ASSIGNEE).unwrap_or("");
        check_assignee(tx, &space_id, assignee)?;
        let id = store::new_id();
        let new = NewTask {
            id: &id,
            space_id: &space_id,
            title: title(body)?.unwrap_or(""),
            description: description(body)?.unwrap_or(""),
            status: NOT_STARTED,
            priority: priority(body).unwrap_or(Priority::Medium),
            assignee,
            requirements: requirements(body)?,
            deadline: deadline(body)?.flatten(),
            max_attempts: body.integer(&MAX_ATTEMPTS).unwrap_or(DEFAULT_ATTEMPTS),
            owner_user_id: &tx.caller.user().id,
        };
        allowance::spend(tx, &settings, bytes(&new), 1)?;
        let by = actor(tx.caller);
        let made = tasks::insert(tx.conn, &new, &by, settings.open_tasks, tx.now)?
            .ok_or_else(|| too_many(settings.open_tasks))?;
        let made = depend(tx.conn, made, body)?;
        let view = shown(tx.conn, &made)?;
        let news = teller.assigned(tx, &made.assignee)?;
        let reply = Reply::json(StatusCode::CREATED, &view);
        let after = move |reply, _| {
            teller.news(news);
            teller.tell("created", &made, &view);
            Outcome::Done(reply)
        };
        Ok(Written::Then(reply, Box::new(after)))
    })
}

fn bytes(new: &NewTask<'_>) -> u64 {
    (new.title.len() + new.description.len() + new.requirements.as_ref().map_or(0, String::len)) as u64
}

/// Returns the refusal for a space with too many open tasks.
pub(super) fn too_many(most: u64) -> ApiError {
    ApiError::new(codes::TOO_MANY_TASKS)
        .detail(format!("A space holds at most {most} tasks that are neither done nor cancelled."))
        .with("setting", "workspace.open_tasks")
}

/// Returns the title, if one was sent.
pub(super) fn title(body: &Fields) -> Result<Option<&str>, ApiError> {
    let Some(title) = body.text(&TITLE) else { return Ok(None) };
    if title.trim().is_empty() || title.contains(char::is_control) {
        return Err(bad("title", "must have a visible character and no control character"));
    }
    Ok(Some(title))
}

/// Returns the description, if one was sent.
pub(super) fn description(body: &Fields) -> Result<Option<&str>, ApiError> {
    match body.text(&DESCRIPTION) {
        Some(text) if text.len() > TEXT_BYTES => {
            Err(bad("description", format!("must have at most {TEXT_BYTES} bytes")))
        }
        text => Ok(text),
    }
}

/// Returns the priority, if one was sent.
pub(super) fn priority(body: &Fields) -> Option<Priority> {
    body.text(&PRIORITY).and_then(|word| word.parse().ok())
}

/// Returns the requirements as JSON text, if they were sent.
pub(super) fn requirements(body: &Fields) -> Result<Option<String>, ApiError> {
    let Some(value) = body.value(&REQUIREMENTS).filter(|value| matches!(value, Value::Object(_))) else {
        return Ok(None);
    };
    let text = value.to_string();
    if text.len() > TASK_REQUIREMENTS_BYTES {
        return Err(bad("requirements", format!("must have at most {TASK_REQUIREMENTS_BYTES} bytes as JSON")));
    }
    Ok(Some(text))
}

/// Returns the deadline: `None` if none was sent, `Some(None)` if an empty one was.
pub(super) fn deadline(body: &Fields) -> Result<Option<Option<Micros>>, ApiError> {
    match body.text(&DEADLINE) {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Some(Some(Micros(time.as_microsecond())))),
            Err(_) => Err(bad(
                "deadline",
                "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z, and at most 9999-12-30T22:00:00Z",
            )),
        },
    }
}

/// Returns the status, if one was sent.
///
/// # Errors
/// 422 for a status that is not a slug.
pub(super) fn status(body: &Fields) -> Result<Option<&str>, ApiError> {
    let Some(word) = body.text(&STATUS) else { return Ok(None) };
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if word.len() <= TASK_STATUS_CHARS && word.bytes().all(sound) && word.starts_with(|c: char| c.is_ascii_lowercase())
    {
        return Ok(Some(word));
    }
    Err(bad("status", format!("must be a word of at most {TASK_STATUS_CHARS} of a-z, 0-9, _ and -, from a letter on")))
}

/// Checks that the assignee is empty or a member of the space.
///
/// # Errors
/// 422, whether the assignee is not in the space, does not exist, or is an agent that the caller's key is not for.
pub(super) fn check_assignee(tx: &Tx<'_>, space_id: &str, id: &str) -> Result<(), ApiError> {
    if id.is_empty() || is_member(tx, space_id, id)? {
        return Ok(());
    }
    Err(bad("assignee_id", "must be the id of an agent or user of the space"))
}

fn is_member(tx: &Tx<'_>, space_id: &str, id: &str) -> store::Result<bool> {
    let (conn, now) = (tx.conn, tx.now);
    if spaces::owner_of(conn, space_id)?.as_deref() == Some(id) {
        return Ok(true);
    }
    if let Some(live) = agents::by_id(conn, id)? {
        let granted = grants::role_of(conn, &Grantee::Agent(id.to_owned()), &On::space(space_id), now)?;
        return Ok(tx.caller.may_touch(id) && (live.agent.space_id == space_id || granted.is_some()));
    }
    Ok(grants::role_of(conn, &Grantee::User(id.to_owned()), &On::space(space_id), now)?.is_some())
}

/// Makes a task wait for the tasks that the request names, if it names any.
///
/// # Errors
/// 422 for a task of another space, a circle, or too many dependencies.
pub(super) fn depend(conn: &Connection, task: Task, body: &Fields) -> Result<Task, ApiError> {
    let Some(ids) = body.texts(&DEPENDS_ON) else { return Ok(task) };
    let mut on = Vec::with_capacity(ids.len());
    for id in ids {
        let other = tasks::by_id(conn, id)?.filter(|other| other.space_id == task.space_id);
        let other = other.ok_or_else(|| bad("depends_on", "must hold ids of tasks of the same space"))?;
        if !on.contains(&other.seq) {
            on.push(other.seq);
        }
    }
    tasks::set_dependencies(conn, task.seq, &on)?.map_err(|circle| {
        bad(
            "depends_on",
            match circle {
                Circle::Itself => "must not lead back to the task itself".to_owned(),
                Circle::TooDeep => "hangs together with too many other tasks".to_owned(),
                Circle::TooMany => format!("names a task that {} others wait for", tasks::DEPENDENTS),
            },
        )
    })?;
    Ok(tasks::by_id(conn, &task.id)?.unwrap_or(task))
}
