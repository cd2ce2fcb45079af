//! Counters of what spaces hold and of what agents add in a day. They change with each write, so that no statement has
//! to count rows.

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
    /// The bounded resources that a space, or the box, holds.
    pub struct Usage from "workspace_usage" {
        /// The number of context keys.
        pub context_keys: u64 = "context_keys",
        /// The bytes of context.
        pub context_bytes: u64 = "context_bytes",
        /// The number of files.
        pub uploads: u64 = "uploads",
        /// The bytes of files, unfinished ones included.
        pub upload_bytes: u64 = "upload_bytes",
        /// The number of tasks that are neither done nor cancelled.
        pub open_tasks: u64 = "open_tasks",
    }
}

/// The holder of a [`Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageHolder<'a> {
    /// The space of this id.
    Space(&'a str),
    /// All spaces together. Only files are counted for it.
    Box,
}

/// Returns what a space or the box holds now.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, holder: UsageHolder<'_>) -> Result<Usage> {
    let key = match holder {
        UsageHolder::Space(id) => format!("space:{id}"),
        UsageHolder::Box => "box".to_owned(),
    };
    let mut statement = conn.prepare_cached(&format!("{} WHERE holder = ?1", Usage::SELECT))?;
    let nothing = Usage { context_keys: 0, context_bytes: 0, uploads: 0, upload_bytes: 0, open_tasks: 0 };
    Ok(statement.query_row([key], Usage::read).optional()?.unwrap_or(nothing))
}

/// Returns the day of a time, in UTC, as a number of days.
fn day_of(at: Micros) -> i64 {
    at.0.div_euclid(Micros::DAY)
}

/// Returns when the next day begins, in UTC.
pub fn next_day(now: Micros) -> Micros {
    Micros(day_of(now).saturating_add(1).saturating_mul(Micros::DAY))
}

/// Adds bytes and rows to the counters of an agent for today (UTC). Returns the bytes and rows of the whole day.
///
/// # Errors
/// Any `StoreError`.
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
