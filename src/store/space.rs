//! Free pages of the database file: how many there are, and how to give them back to the disk.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Result;

/// The value of `PRAGMA auto_vacuum` for a file that can give pages back one by one.
const INCREMENTAL: i64 = 2;

/// The page counts of the database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// All pages.
    pub all: u64,
    /// The pages without content.
    pub free: u64,
    /// Whether free pages can be given back without writing the whole file anew.
    pub can_go: bool,
}

/// Returns how the pages are used.
///
/// # Errors
/// Any `StoreError`.
pub fn pages(conn: &Connection) -> Result<Pages> {
    let number = |pragma: &str| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let count = |pragma: &str| number(pragma).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Pages {
        all: count("page_count")?,
        free: count("freelist_count")?,
        can_go: number("auto_vacuum")? == INCREMENTAL,
    })
}

/// Gives at most `pages` pages back. Returns how long that took, without the commit.
///
/// # Errors
/// Any `StoreError`.
pub fn give_back(conn: &Connection, pages: u64) -> Result<Duration> {
    let begun = Instant::now();
    // Each step of the statement gives one page back.
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(begun.elapsed())
}

/// Writes committed pages from the WAL into the file, as far as no reader prevents it. Only then the file shrinks.
///
/// # Errors
/// Any `StoreError`.
pub fn settle(conn: &Connection) -> Result<()> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}
