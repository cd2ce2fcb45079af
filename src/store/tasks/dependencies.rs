//! The tasks that a task has to wait for: without cycles, and with a bound on the search for one.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::store::Result;

const INSERT: &str = "INSERT INTO task_dependencies (task, depends_on) VALUES (?1, ?2)";
const CLEAR: &str = "DELETE FROM task_dependencies WHERE task = ?1";
const OF: &str = "SELECT depends_on FROM task_dependencies WHERE task = ?1";
const IDS_OF: &str = "SELECT t.id FROM task_dependencies d JOIN tasks t ON t.seq = d.depends_on WHERE d.task = ?1
    ORDER BY d.depends_on";
const DEPENDENTS_OF: &str = "SELECT count(*) FROM (SELECT 1 FROM task_dependencies WHERE depends_on = ?1 LIMIT ?2)";
const WAITS: &str = "UPDATE tasks SET waiting_on = (
        SELECT count(*) FROM task_dependencies d JOIN tasks t ON t.seq = d.depends_on
        WHERE d.task = ?1 AND t.finished_at IS NULL
    ) WHERE seq = ?1";
const RELEASE: &str = "UPDATE tasks SET waiting_on = waiting_on + ?2
    WHERE seq IN (SELECT task FROM task_dependencies WHERE depends_on = ?1)";

/// The most tasks that may wait for one task.
pub const DEPENDENTS: u64 = 1000;
/// The most tasks that are looked at to find a cycle.
const LOOKED_AT: usize = 4096;

/// Why dependencies are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circle {
    /// The task would wait for itself.
    Itself,
    /// More tasks are connected than may be looked at.
    TooDeep,
    /// Too many tasks wait for one of them.
    TooMany,
}

/// Makes a task wait for these tasks instead of those that it waited for.
///
/// # Errors
/// Any `StoreError`.
pub fn set(conn: &Connection, seq: i64, on: &[i64]) -> Result<std::result::Result<(), Circle>> {
    if let Err(circle) = look(conn, seq, on)? {
        return Ok(Err(circle));
    }
    conn.prepare_cached(CLEAR)?.execute([seq])?;
    let mut insert = conn.prepare_cached(INSERT)?;
    for depends_on in on {
        insert.execute(params![seq, depends_on])?;
    }
    conn.prepare_cached(WAITS)?.execute([seq])?;
    Ok(Ok(()))
}

fn look(conn: &Connection, seq: i64, on: &[i64]) -> Result<std::result::Result<(), Circle>> {
    let mut dependents = conn.prepare_cached(DEPENDENTS_OF)?;
    for depends_on in on {
        let waiting: u64 = dependents.query_row(params![depends_on, DEPENDENTS], |row| row.get(0))?;
        if waiting >= DEPENDENTS {
            return Ok(Err(Circle::TooMany));
        }
    }
    let mut next = conn.prepare_cached(OF)?;
    let mut seen: HashSet<i64> = HashSet::new();
    let mut open: Vec<i64> = on.to_vec();
    while let Some(task) = open.pop() {
        if task == seq {
            return Ok(Err(Circle::Itself));
        }
        if !seen.insert(task) {
            continue;
        }
        if seen.len() > LOOKED_AT {
            return Ok(Err(Circle::TooDeep));
        }
        for row in next.query_map([task], |row| row.get(0))? {
            open.push(row?);
        }
    }
    Ok(Ok(()))
}

/// Lists the ids of the tasks that a task waits for or has waited for.
///
/// # Errors
/// Any `StoreError`.
pub fn all_of(conn: &Connection, seq: i64) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(IDS_OF)?;
    let rows = statement.query_map([seq], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that a task was finished (-1) or is open again (1), for the tasks that wait for it.
pub(super) fn told(conn: &Connection, seq: i64, by: i64) -> Result<()> {
    conn.prepare_cached(RELEASE)?.execute(params![seq, by])?;
    Ok(())
}
