//! What has changed, in the order of the commits: triggers keep it, streams of events read it.

use rusqlite::{Connection, params};

use super::Result;
use crate::closed_set::closed_set;

const AFTER: &str = "SELECT seq, kind, ref FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT max(seq) FROM changes";

closed_set! {
    /// What changed.
    pub enum Changed {
        Request "request" "A request.";
        Operation "operation" "An operation.";
        Agent "agent" "An agent.";
    }
}

/// A change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its place in the order of all.
    pub seq: i64,
    /// What changed.
    pub kind: Changed,
    /// Its id.
    pub id: String,
}

/// At most so many changes after a place.
///
/// # Errors
/// The store's.
pub fn after(conn: &Connection, seq: i64, most: u64) -> Result<Vec<Change>> {
    let mut statement = conn.prepare_cached(AFTER)?;
    let rows = statement
        .query_map(params![seq, most], |row| Ok(Change { seq: row.get(0)?, kind: row.get(1)?, id: row.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The place of the last change; 0 if there was none.
///
/// # Errors
/// The store's.
pub fn last(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached(LAST)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
}
