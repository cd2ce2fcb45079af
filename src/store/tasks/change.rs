//! Changes a task: writes what differs, records it in the history, and updates the lease and the tasks that wait.

use rusqlite::{Connection, params};

use super::history::{self, FieldChange};
use super::{BLOCKED, NOT_STARTED, Priority, Task, TaskActor, by_seq, dependencies, is_final};
use crate::store::Result;
use crate::time::Micros;

const UPDATE: &str = "UPDATE tasks SET title = ?2, description = ?3, status = ?4, priority = ?5, assignee = ?6,
        requirements = ?7, deadline = ?8, max_attempts = ?9, attempts = ?10, finished_at = ?11, updated_at = ?12
    WHERE seq = ?1";
const CLEAR_LEASE: &str =
    "UPDATE tasks SET holder = NULL, holder_name = NULL, lease_seconds = NULL, lease_until = NULL WHERE seq = ?1";

/// The new values of a task; `None` leaves a field as it is.
#[derive(Debug, Default)]
pub struct TaskChange {
    /// The title, one line.
    pub title: Option<String>,
    /// The description of the work.
    pub description: Option<String>,
    /// The status, a slug.
    pub status: Option<String>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// The id of the assignee; empty for anybody.
    pub assignee: Option<String>,
    /// The requirements, as JSON.
    pub requirements: Option<String>,
    /// When it should be done; `Some(None)`: never.
    pub deadline: Option<Option<Micros>>,
    /// The number of attempts after which it is blocked.
    pub max_attempts: Option<i64>,
    /// The ids of the tasks that it depended on before and depends on now, if they changed. They are stored already; this
    /// is for its history.
    pub depends_on: Option<(Vec<String>, Vec<String>)>,
}

/// Changes a task and returns it as it is then. A status that says that nobody works on it ends its lease.
///
/// # Errors
/// Any `StoreError`.
pub fn change(conn: &Connection, old: &Task, change: TaskChange, by: &TaskActor, now: Micros) -> Result<Task> {
    let mut new = old.clone();
    new.title = change.title.unwrap_or(new.title);
    new.description = change.description.unwrap_or(new.description);
    new.status = change.status.unwrap_or(new.status);
    new.priority = change.priority.map_or(new.priority, Priority::rank);
    new.assignee = change.assignee.unwrap_or(new.assignee);
    new.requirements = change.requirements.or(new.requirements);
    new.deadline = change.deadline.unwrap_or(new.deadline);
    new.max_attempts = change.max_attempts.unwrap_or(new.max_attempts);
    let mut changes = differences(old, &new);
    let ids = |all: Vec<String>| (!all.is_empty()).then(|| all.join(" "));
    changes.extend(change.depends_on.map(|(before, after)| ("depends_on", ids(before), ids(after))));
    if changes.is_empty() {
        return Ok(new);
    }
    if old.status != new.status && new.status == NOT_STARTED {
        new.attempts = 0;
    }
    new.finished_at = if is_final(&new.status) { old.finished_at.or(Some(now)) } else { None };
    let ends_lease = new.status == NOT_STARTED || new.status == BLOCKED || is_final(&new.status);
    if old.holder.is_some() && ends_lease {
        conn.prepare_cached(CLEAR_LEASE)?.execute([old.seq])?;
    }
    conn.prepare_cached(UPDATE)?.execute(params![
        old.seq,
        new.title,
        new.description,
        new.status,
        new.priority,
        new.assignee,
        new.requirements,
        new.deadline,
        new.max_attempts,
        new.attempts,
        new.finished_at,
        now
    ])?;
    match (old.is_finished(), new.is_finished()) {
        (false, true) => dependencies::told(conn, old.seq, -1)?,
        (true, false) => dependencies::told(conn, old.seq, 1)?,
        _ => {}
    }
    let lease: Option<FieldChange> = (old.holder.is_some() && ends_lease).then(|| ("holder", old.holder.clone(), None));
    let all: Vec<FieldChange> = changes.into_iter().chain(lease).collect();
    history::note(conn, old.seq, &all, &by.key, now)?;
    Ok(by_seq(conn, old.seq)?.unwrap_or(new))
}

fn differences(old: &Task, new: &Task) -> Vec<FieldChange> {
    let mut all: Vec<FieldChange> = Vec::new();
    let mut note = |field, from: Option<String>, to: Option<String>| {
        if from != to {
            all.push((field, from, to));
        }
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let priority = |task: &Task| Priority::of_rank(task.priority).map(|priority| priority.slug().to_owned());
    note("title", Some(old.title.clone()), Some(new.title.clone()));
    note("description", some(&old.description), some(&new.description));
    note("status", Some(old.status.clone()), Some(new.status.clone()));
    note("priority", priority(old), priority(new));
    note("assignee_id", some(&old.assignee), some(&new.assignee));
    note("requirements", old.requirements.clone(), new.requirements.clone());
    note("deadline", old.deadline.map(Micros::micros), new.deadline.map(Micros::micros));
    note("max_attempts", Some(old.max_attempts.to_string()), Some(new.max_attempts.to_string()));
    all
}
