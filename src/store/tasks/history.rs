//! The history of a task: one row for each change; only the last ones are kept.

use rusqlite::{Connection, params};

use crate::limits::{TASK_HISTORY, TASK_HISTORY_CHARS};
use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

const NUMBER: &str = "UPDATE tasks SET changes = changes + ?2 WHERE seq = ?1 RETURNING changes";
const INSERT: &str = "INSERT INTO task_history (task, number, at, actor, field, from_value, to_value)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const TRIM: &str = "DELETE FROM task_history WHERE task = ?1 AND number <= ?2";

record! {
    /// A change of a task.
    pub struct HistoryEntry from "task_history" {
        /// When it was made.
        pub at: Micros = "at",
        /// Who made it, as `user:ID`, `agent:ID` or `taosd`.
        pub actor: String = "actor",
        /// The field that changed.
        pub field: String = "field",
        /// The value before.
        pub from: Option<String> = "from_value",
        /// The value after.
        pub to: Option<String> = "to_value",
    }
}

/// A field, its old value and its new value.
pub(super) type FieldChange = (&'static str, Option<String>, Option<String>);

/// Adds changes to the history of a task, and deletes the oldest if there are too many.
pub(super) fn note(conn: &Connection, seq: i64, changes: &[FieldChange], actor: &str, now: Micros) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let last: i64 = conn.prepare_cached(NUMBER)?.query_row(params![seq, changes.len()], |row| row.get(0))?;
    let first = last - i64::try_from(changes.len()).unwrap_or(0) + 1;
    let mut insert = conn.prepare_cached(INSERT)?;
    for (number, (field, from, to)) in (first..).zip(changes) {
        insert.execute(params![seq, number, now, actor, field, cut(from.as_deref()), cut(to.as_deref())])?;
    }
    if last > TASK_HISTORY {
        conn.prepare_cached(TRIM)?.execute(params![seq, last - TASK_HISTORY])?;
    }
    Ok(())
}

/// Returns a value as the history keeps it: only its beginning if it is long.
fn cut(text: Option<&str>) -> Option<String> {
    let text = text?;
    match text.char_indices().nth(TASK_HISTORY_CHARS) {
        Some((end, _)) => Some(format!("{}…", &text[..end])),
        None => Some(text.to_owned()),
    }
}

/// Lists a task's changes, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, seq: i64) -> Result<Vec<HistoryEntry>> {
    HistoryEntry::all(conn, "WHERE task = ?1 ORDER BY number LIMIT ?2", params![seq, TASK_HISTORY])
}
