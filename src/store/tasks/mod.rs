//! Tasks of a space: what is to be done, who is at it, what became of it.

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
pub use lease::{Lease, claim, end as end_lease, free_all_of_agent, held as held_leases, next_free, release, renew};

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
    /// Its place in the order, as stored.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// The priority of this place.
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
        /// One line.
        pub title: String = "title",
        /// What is to be done.
        pub description: String = "description",
        /// A slug.
        pub status: String = "status",
        /// [`Priority::rank`].
        pub priority: i64 = "priority",
        /// The id of the agent or user it is for; empty for anybody.
        pub assignee: String = "assignee",
        /// What its creator asks for, as JSON.
        pub requirements: Option<String> = "requirements",
        /// When it should be done.
        pub deadline: Option<Micros> = "deadline",
        /// Who made it, as `user:ID` or `agent:ID`.
        pub creator: String = "creator",
        /// Who made it, by name.
        pub creator_name: String = "creator_name",
        /// The user who made it, or who owned the agent that did.
        pub owner_user_id: String = "owner_user_id",
        /// Grows with every claim.
        pub fence: i64 = "fence",
        /// Who has the lease, as `user:ID` or `agent:ID`.
        pub holder: Option<String> = "holder",
        /// Who has the lease, by name.
        pub holder_name: Option<String> = "holder_name",
        /// How long the lease was given for.
        pub lease_seconds: Option<i64> = "lease_seconds",
        /// Until when, by the host's clock.
        pub lease_until: Option<Micros> = "lease_until",
        /// Leases that ended before the task was finished.
        pub attempts: i64 = "attempts",
        /// How many of them block the task.
        pub max_attempts: i64 = "max_attempts",
        /// Tasks it depends on that are not finished.
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

/// Who does something to a task.
#[derive(Debug, Clone)]
pub struct TaskActor {
    /// `user:ID` or `agent:ID`.
    pub key: String,
    /// The name.
    pub name: String,
}

/// A task that is made.
#[derive(Debug)]
pub struct NewTask<'a> {
    /// The id.
    pub id: &'a str,
    /// The space's id.
    pub space_id: &'a str,
    /// One line.
    pub title: &'a str,
    /// What is to be done.
    pub description: &'a str,
    /// A slug.
    pub status: &'a str,
    /// How urgent it is.
    pub priority: Priority,
    /// The id of the agent or user it is for; empty for anybody.
    pub assignee: &'a str,
    /// JSON.
    pub requirements: Option<String>,
    /// When it should be done.
    pub deadline: Option<Micros>,
    /// Attempts before it is blocked.
    pub max_attempts: i64,
    /// The user who makes it, or who owns the agent that does.
    pub owner_user_id: &'a str,
}

/// Makes a task; `None`, and nothing made, if the space may hold no more than `most` open ones.
///
/// # Errors
/// The store's.
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
/// The store's.
pub fn has_room(conn: &Connection, space_id: &str, most: u64) -> Result<bool> {
    Ok(usage::of(conn, UsageHolder::Space(space_id))?.open_tasks < most)
}

/// The task of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Task>> {
    Task::one(conn, "WHERE id = ?1", [id])
}

fn by_seq(conn: &Connection, seq: i64) -> Result<Option<Task>> {
    Task::one(conn, "WHERE seq = ?1", [seq])
}

/// Which tasks of a space are listed.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All.
    All,
    /// Those with this status.
    Status(&'a str),
    /// Those for this agent or user.
    Assignee(&'a str),
}

/// A space's tasks before a place in the order, newest first.
///
/// # Errors
/// The store's.
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
/// The store's.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([before], |row| row.get(0))?)
}

/// Removes at most `most` tasks that were finished before `before`; how many.
///
/// # Errors
/// The store's.
pub fn sweep(conn: &Connection, before: Micros, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![before, most])?)
}
