//! Leases: who works on a task, until when, and with which fence.
//!
//! The times stored here are of the box's clock, for people and for the next start. While the daemon runs, its own
//! monotonic clock says when a lease ends ([`crate::jobs::upkeep::leases`]).

use rusqlite::{Connection, OptionalExtension, params};

use super::history::{self, FieldChange};
use super::{BLOCKED, IN_PROGRESS, NOT_STARTED, Task, TaskActor, by_seq};
use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

const CLAIM: &str = "UPDATE tasks SET fence = fence + 1, holder = ?2, holder_name = ?3, lease_seconds = ?4,
        lease_until = ?5, status = ?6, updated_at = ?7
    WHERE seq = ?1 AND holder IS NULL AND finished_at IS NULL AND waiting_on = 0";
const RENEW: &str =
    "UPDATE tasks SET lease_seconds = ?3, lease_until = ?4 WHERE seq = ?1 AND fence = ?2 AND holder IS NOT NULL";
const FREE: &str = "UPDATE tasks SET holder = NULL, holder_name = NULL, lease_seconds = NULL, lease_until = NULL,
        status = ?2, attempts = attempts + ?3, updated_at = ?4
    WHERE seq = ?1";
/// The actor in the history if the daemon ends a lease.
const DAEMON: &str = "taosd";

record! {
    /// A lease that is held.
    pub struct Lease from "tasks" {
        /// The task's id.
        pub task_id: String = "id",
        /// The fence of the lease.
        pub fence: i64 = "fence",
        /// The seconds that it was given for.
        pub seconds: i64 = "lease_seconds",
        /// When it ends, by the box's clock.
        pub until: Micros = "lease_until",
    }
}

/// Returns the best free task of a space with this status, for anybody or for `assignee`: by priority, then by age.
///
/// # Errors
/// Any `StoreError`.
pub fn next_free(conn: &Connection, space_id: &str, status: &str, assignee: &str) -> Result<Option<Task>> {
    let sql = format!(
        "{} WHERE space_id = ?1 AND status = ?2 AND assignee = ?3 AND holder IS NULL AND waiting_on = 0
        ORDER BY priority, seq LIMIT 1",
        Task::SELECT
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut best = |assignee: &str| statement.query_row(params![space_id, status, assignee], Task::read).optional();
    let (own, anybodys) = (best(assignee)?, best("")?);
    // Two lookups in one index, so that the tasks of other assignees are never walked through.
    Ok(match (own, anybodys) {
        (Some(own), Some(other)) if (other.priority, other.seq) < (own.priority, own.seq) => Some(other),
        (Some(own), _) => Some(own),
        (None, other) => other,
    })
}

/// Gives the lease of a free task to `by`; `None` if the task is not free.
///
/// # Errors
/// Any `StoreError`.
pub fn claim(conn: &Connection, task: &Task, by: &TaskActor, seconds: i64, now: Micros) -> Result<Option<Task>> {
    let status = if task.status == NOT_STARTED { IN_PROGRESS } else { task.status.as_str() };
    let until = now.plus(seconds.saturating_mul(Micros::SECOND));
    let claimed =
        conn.prepare_cached(CLAIM)?.execute(params![task.seq, by.key, by.name, seconds, until, status, now])?;
    if claimed == 0 {
        return Ok(None);
    }
    let mut changes: Vec<FieldChange> = vec![("holder", None, Some(by.key.clone()))];
    if status != task.status {
        changes.push(("status", Some(task.status.clone()), Some(status.to_owned())));
    }
    history::note(conn, task.seq, &changes, &by.key, now)?;
    by_seq(conn, task.seq)
}

/// Renews the lease with this fence for `seconds` from now; `None` if it is over.
///
/// # Errors
/// Any `StoreError`.
pub fn renew(conn: &Connection, task: &Task, fence: i64, seconds: i64, now: Micros) -> Result<Option<Task>> {
    let until = now.plus(seconds.saturating_mul(Micros::SECOND));
    if conn.prepare_cached(RENEW)?.execute(params![task.seq, fence, seconds, until])? == 0 {
        return Ok(None);
    }
    by_seq(conn, task.seq)
}

/// Returns the status of a task that nobody works on any more.
fn status_after(task: &Task) -> &str {
    if task.status == IN_PROGRESS { NOT_STARTED } else { &task.status }
}

/// Frees a held task; `actor` is the one in the history.
///
/// # Errors
/// Any `StoreError`.
pub fn release(conn: &Connection, task: &Task, actor: &str, now: Micros) -> Result<Task> {
    free(conn, task, status_after(task), 0, actor, now)
}

fn free(conn: &Connection, task: &Task, status: &str, attempts: i64, actor: &str, now: Micros) -> Result<Task> {
    conn.prepare_cached(FREE)?.execute(params![task.seq, status, attempts, now])?;
    let mut changes: Vec<FieldChange> = vec![("holder", task.holder.clone(), None)];
    if status != task.status {
        changes.push(("status", Some(task.status.clone()), Some(status.to_owned())));
    }
    history::note(conn, task.seq, &changes, actor, now)?;
    Ok(by_seq(conn, task.seq)?.unwrap_or_else(|| task.clone()))
}

/// Ends a lease that has run out. The task is then free, or blocked after its last attempt. `None` if this lease is not
/// the current one any more.
///
/// # Errors
/// Any `StoreError`.
pub fn end(conn: &Connection, lease: &Lease, now: Micros) -> Result<Option<Task>> {
    let task = super::by_id(conn, &lease.task_id)?;
    let still =
        |task: &Task| task.holder.is_some() && task.fence == lease.fence && task.lease_until == Some(lease.until);
    let Some(task) = task.filter(still) else { return Ok(None) };
    let status = if task.attempts + 1 >= task.max_attempts { BLOCKED } else { status_after(&task) };
    free(conn, &task, status, 1, DAEMON, now).map(Some)
}

/// Frees the tasks that an archived or frozen agent holds. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn free_all_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<usize> {
    let mut statement = conn.prepare_cached(&format!("{} WHERE holder = ?1", Task::SELECT))?;
    let rows = statement.query_map([format!("agent:{agent_id}")], Task::read)?;
    let held: Vec<Task> = rows.collect::<rusqlite::Result<_>>()?;
    for task in &held {
        release(conn, task, DAEMON, now)?;
    }
    Ok(held.len())
}

/// Returns the lease of a task that is held.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, task_id: &str) -> Result<Option<Lease>> {
    Lease::one(conn, "WHERE id = ?1 AND holder IS NOT NULL", [task_id])
}

/// Lists every lease that is held.
///
/// # Errors
/// Any `StoreError`.
pub fn held(conn: &Connection) -> Result<Vec<Lease>> {
    let mut statement = conn.prepare(&format!("{} WHERE holder IS NOT NULL", Lease::SELECT))?;
    let rows = statement.query_map([], Lease::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
