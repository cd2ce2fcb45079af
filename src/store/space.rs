//! Room in the database file that nothing is kept in: how much there is, and giving it back.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Result;

/// What `PRAGMA auto_vacuum` says of a file that can give pages back one by one.
const INCREMENTAL: i64 = 2;

/// Pages of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// All of them.
    pub all: u64,
    /// Those that nothing is kept in.
    pub free: u64,
    /// Whether they can be given back without making the file anew.
    pub can_go: bool,
}

/// How the pages are used.
///
/// # Errors
/// The store's.
pub fn pages(conn: &Connection) -> Result<Pages> {
    let number = |pragma: &str| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let count = |pragma: &str| number(pragma).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Pages {
        all: count("page_count")?,
        free: count("freelist_count")?,
        can_go: number("auto_vacuum")? == INCREMENTAL,
    })
}

/// Gives at most so many pages back, and says how long that took, the commit not included.
///
/// # Errors
/// The store's.
pub fn give_back(conn: &Connection, pages: u64) -> Result<Duration> {
    let begun = Instant::now();
    // Each step of the statement gives one page back.
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(begun.elapsed())
}

/// Brings what is committed from the WAL into the file, as far as no reader is in the way: only then it shrinks.
///
/// # Errors
/// The store's.
pub fn settle(conn: &Connection) -> Result<()> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}
