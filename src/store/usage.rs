//! What spaces hold, and what agents add a day: counters kept beside what they count, so that no row is ever counted.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::row::record;
use crate::time::Micros;

const SPEND: &str = "INSERT INTO agent_allowances (agent_id, day, bytes, rows) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (agent_id) DO UPDATE SET
        bytes = iif(day = excluded.day, bytes, 0) + excluded.bytes,
        rows = iif(day = excluded.day, rows, 0) + excluded.rows,
        day = excluded.day
    RETURNING bytes, rows";

record! {
    /// What a space, or the box, holds of what is bounded.
    pub struct Usage from "workspace_usage" {
        /// Keys of its context.
        pub context_keys: u64 = "context_keys",
        /// Bytes of its context.
        pub context_bytes: u64 = "context_bytes",
        /// Files.
        pub uploads: u64 = "uploads",
        /// Bytes of files, unfinished ones included.
        pub upload_bytes: u64 = "upload_bytes",
        /// Tasks that are neither done nor cancelled.
        pub open_tasks: u64 = "open_tasks",
    }
}

/// Who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageHolder<'a> {
    /// The space of this id.
    Space(&'a str),
    /// All spaces together.
    Box,
}

/// What a space or the box holds now.
///
/// # Errors
/// The store's.
pub fn of(conn: &Connection, holder: UsageHolder<'_>) -> Result<Usage> {
    let key = match holder {
        UsageHolder::Space(id) => format!("space:{id}"),
        UsageHolder::Box => "box".to_owned(),
    };
    let mut statement = conn.prepare_cached(&format!("{} WHERE holder = ?1", Usage::SELECT))?;
    let nothing = Usage { context_keys: 0, context_bytes: 0, uploads: 0, upload_bytes: 0, open_tasks: 0 };
    Ok(statement.query_row([key], Usage::read).optional()?.unwrap_or(nothing))
}

/// The day of a time, in UTC.
fn day_of(at: Micros) -> i64 {
    at.0.div_euclid(Micros::DAY)
}

/// When the next day begins, in UTC.
pub fn next_day(now: Micros) -> Micros {
    Micros(day_of(now).saturating_add(1).saturating_mul(Micros::DAY))
}

/// Adds to what an agent has added today; how many bytes and rows that makes.
///
/// # Errors
/// The store's.
pub fn spend(conn: &Connection, agent_id: &str, now: Micros, bytes: u64, rows: u64) -> Result<(u64, u64)> {
    let mut statement = conn.prepare_cached(SPEND)?;
    Ok(statement.query_row(params![agent_id, day_of(now), bytes, rows], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_utc() {
        let noon = Micros(Micros::DAY * 5 + 12 * 3600 * Micros::SECOND);
        assert_eq!(next_day(noon), Micros(Micros::DAY * 6));
        assert_eq!(next_day(Micros(Micros::DAY * 6)), Micros(Micros::DAY * 7));
    }
}
