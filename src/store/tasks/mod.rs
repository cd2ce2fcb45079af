//! The tasks of a space: what is to be done, who works on it, and what happened to it.

mod change;
mod dependencies;
mod history;
mod lease;

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Take, each};
use super::row::record;
use super::usage::{self, UsageHolder};
use crate::closed_set::closed_set;
use crate::time::Micros;

pub use change::{TaskChange, change};
pub use dependencies::{Circle, DEPENDENTS, all_of as dependencies_of, set as set_dependencies};
pub use history::{HistoryEntry, of as history_of};
pub use lease::{
    Lease, claim, end as end_lease, free_all_of_agent, held as held_leases, next_free, of as lease_of, release, renew,
};

/// The status of a task that nobody has begun.
pub const NOT_STARTED: &str = "not_started";
/// The status of a claimed task.
pub const IN_PROGRESS: &str = "in_progress";
/// The status of a task that is not offered.
pub const BLOCKED: &str = "blocked";
/// The status of a task that was done.
pub const DONE: &str = "done";
/// The status of a task that will not be done.
pub const CANCELLED: &str = "cancelled";

const INSERT: &str = "INSERT INTO tasks (id, space_id, title, description, status, priority, assignee, requirements,
        deadline, creator, creator_name, owner_user_id, max_attempts, created_at, updated_at, finished_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, iif(?5 = 'done' OR ?5 = 'cancelled', ?14, NULL))
    RETURNING seq";
const SWEEP: &str = "DELETE FROM tasks WHERE seq IN
    (SELECT seq FROM tasks WHERE finished_at < ?1 ORDER BY finished_at LIMIT ?2)";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE finished_at < ?1)";

closed_set! {
    /// How urgent a task is; the most urgent first.
    pub enum Priority {
        Urgent "urgent" "Before all others.";
        High "high" "Before most.";
        Medium "medium" "As usual.";
        Low "low" "When there is nothing else.";
    }
}

impl Priority {
    /// Returns its rank in the order, as stored.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// Returns the priority of this rank.
    pub fn of_rank(rank: i64) -> Option<Self> {
        usize::try_from(rank).ok().and_then(|at| Self::ALL.get(at)).copied()
    }
}

record! {
    /// A task.
    pub struct Task from "tasks" {
        /// Its place in the order of creation.
        pub seq: i64 = "seq",
        /// The id.
        pub id: String = "id",
        /// The space's id.
        pub space_id: String = "space_id",
        /// The title, one line.
        pub title: String = "title",
        /// The description of the work.
        pub description: String = "description",
        /// The status, a slug.
        pub status: String = "status",
        /// The priority, as [`Priority::rank`].
        pub priority: i64 = "priority",
        /// The id of the agent or user it is for; empty for anybody.
        pub assignee: String = "assignee",
        /// The requirements of its creator, as JSON.
        pub requirements: Option<String> = "requirements",
        /// When it should be done.
        pub deadline: Option<Micros> = "deadline",
        /// Who made it, as `user:ID` or `agent:ID`.
        pub creator: String = "creator",
        /// Who made it, by name.
        pub creator_name: String = "creator_name",
        /// The user who made it, or who owned the agent that did.
        pub owner_user_id: String = "owner_user_id",
        /// The fence; it grows with every claim.
        pub fence: i64 = "fence",
        /// Who has the lease, as `user:ID` or `agent:ID`.
        pub holder: Option<String> = "holder",
        /// Who has the lease, by name.
        pub holder_name: Option<String> = "holder_name",
        /// The seconds that the lease was given for.
        pub lease_seconds: Option<i64> = "lease_seconds",
        /// When the lease ends, by the box's clock.
        pub lease_until: Option<Micros> = "lease_until",
        /// Leases that ended before the task was finished.
        pub attempts: i64 = "attempts",
        /// The number of such leases that blocks the task.
        pub max_attempts: i64 = "max_attempts",
        /// The number of unfinished tasks that it depends on.
        pub waiting_on: i64 = "waiting_on",
        /// When it was made.
        pub created_at: Micros = "created_at",
        /// When it last changed.
        pub updated_at: Micros = "updated_at",
        /// When it was done or cancelled.
        pub finished_at: Option<Micros> = "finished_at",
    }
}

impl Task {
    /// True once it is done or cancelled.
    pub fn is_finished(&self) -> bool {
        self.finished_at.is_some()
    }
}

/// True for a status that ends a task.
pub fn is_final(status: &str) -> bool {
    status == DONE || status == CANCELLED
}

/// The one who changes a task.
#[derive(Debug, Clone)]
pub struct TaskActor {
    /// The principal, `user:ID` or `agent:ID`.
    pub key: String,
    /// The name.
    pub name: String,
}

/// A task to be stored.
#[derive(Debug)]
pub struct NewTask<'a> {
    /// The id.
    pub id: &'a str,
    /// The space's id.
    pub space_id: &'a str,
    /// The title, one line.
    pub title: &'a str,
    /// The description of the work.
    pub description: &'a str,
    /// The status, a slug.
    pub status: &'a str,
    /// How urgent it is.
    pub priority: Priority,
    /// The id of the agent or user it is for; empty for anybody.
    pub assignee: &'a str,
    /// The requirements, as JSON.
    pub requirements: Option<String>,
    /// When it should be done.
    pub deadline: Option<Micros>,
    /// The number of attempts after which it is blocked.
    pub max_attempts: i64,
    /// The user who makes it, or who owns the agent that does.
    pub owner_user_id: &'a str,
}

/// Stores a task. Returns `None` and stores nothing if the space already has `most` open ones.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewTask<'_>, by: &TaskActor, most: u64, now: Micros) -> Result<Option<Task>> {
    if !is_final(new.status) && !has_room(conn, new.space_id, most)? {
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(INSERT)?;
    let row = params![
        new.id,
        new.space_id,
        new.title,
        new.description,
        new.status,
        new.priority.rank(),
        new.assignee,
        new.requirements,
        new.deadline,
        by.key,
        by.name,
        new.owner_user_id,
        new.max_attempts,
        now
    ];
    let seq: i64 = statement.query_row(row, |row| row.get(0))?;
    history::note(conn, seq, &[("status", None, Some(new.status.to_owned()))], &by.key, now)?;
    by_seq(conn, seq)
}

/// True if a space may hold one more open task.
///
/// # Errors
/// Any `StoreError`.
pub fn has_room(conn: &Connection, space_id: &str, most: u64) -> Result<bool> {
    Ok(usage::of(conn, UsageHolder::Space(space_id))?.open_tasks < most)
}

/// Returns the task with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Task>> {
    Task::one(conn, "WHERE id = ?1", [id])
}

fn by_seq(conn: &Connection, seq: i64) -> Result<Option<Task>> {
    Task::one(conn, "WHERE seq = ?1", [seq])
}

/// Which tasks of a space to list.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All tasks.
    All,
    /// Those with this status.
    Status(&'a str),
    /// Those for this agent or user.
    Assignee(&'a str),
}

/// Lists a space's tasks before a place in the order, newest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    space_id: &str,
    which: Which<'_>,
    before: i64,
    limit: u64,
    take: Take<'_, Task>,
) -> Result<()> {
    let (condition, word) = match which {
        Which::All => ("?2 IS NULL", None),
        Which::Status(status) => ("status = ?2", Some(status)),
        Which::Assignee(id) => ("assignee <> '' AND assignee = ?2", Some(id)),
    };
    let sql = format!("{} WHERE space_id = ?1 AND {condition} AND seq < ?3 ORDER BY seq DESC LIMIT ?4", Task::SELECT);
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![space_id, word, before, limit], Task::read, take)
}

/// True if a task was finished before `before`.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([before], |row| row.get(0))?)
}

/// Deletes at most `most` tasks that were finished before `before`. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, before: Micros, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![before, most])?)
}
