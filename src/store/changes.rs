//! The log of changes, in the order of the commits. Triggers write it, and event streams read it.

use rusqlite::{Connection, params};

use super::Result;
use crate::closed_set::closed_set;

const AFTER: &str = "SELECT seq, kind, ref FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT max(seq) FROM changes";

closed_set! {
    /// The kind of thing that changed.
    pub enum Changed {
        Request "request" "A request.";
        Operation "operation" "An operation.";
        Agent "agent" "An agent.";
    }
}

/// A row of the log of changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// The position in the log.
    pub seq: i64,
    /// The kind of thing that changed.
    pub kind: Changed,
    /// The id of the request, operation or agent.
    pub id: String,
}

/// Returns at most `most` changes after the position `seq`, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn after(conn: &Connection, seq: i64, most: u64) -> Result<Vec<Change>> {
    let mut statement = conn.prepare_cached(AFTER)?;
    let rows = statement
        .query_map(params![seq, most], |row| Ok(Change { seq: row.get(0)?, kind: row.get(1)?, id: row.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the position of the last change; 0 if there was none.
///
/// # Errors
/// Any `StoreError`.
pub fn last(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached(LAST)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
}
