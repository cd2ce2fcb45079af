//! The webhook's outbox: the notifications that are still to be delivered, and when to try again.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO webhook_outbox (notification_id, queued_at, next_at) VALUES (?1, ?2, ?2)";
const NEXT: &str = "SELECT notification_id, attempts, queued_at, next_at FROM webhook_outbox
    ORDER BY notification_id LIMIT 1";
const POSTPONE: &str = "UPDATE webhook_outbox SET attempts = attempts + 1, next_at = ?2 WHERE notification_id = ?1";
const EXPIRE: &str = "DELETE FROM webhook_outbox WHERE queued_at < ?1";
const DELETE: &str = "DELETE FROM webhook_outbox WHERE notification_id = ?1";

/// A delivery that is still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The id of the notification.
    pub notification_id: String,
    /// The number of failed attempts.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Micros,
    /// When the next attempt is due.
    pub next_at: Micros,
}

/// Queues a delivery, due at once. Call it in the transaction that stores the notification.
///
/// # Errors
/// Any `StoreError`.
pub fn queue(conn: &Connection, notification_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![notification_id, now])?;
    Ok(())
}

/// Returns the oldest delivery, due or not.
///
/// # Errors
/// Any `StoreError`.
pub fn next(conn: &Connection) -> Result<Option<Pending>> {
    let found = conn.prepare_cached(NEXT)?.query_row([], |row| {
        Ok(Pending {
            notification_id: row.get(0)?,
            attempts: row.get(1)?,
            queued_at: row.get(2)?,
            next_at: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// Counts a failed attempt and sets the time of the next one.
///
/// # Errors
/// Any `StoreError`.
pub fn postpone(conn: &Connection, notification_id: &str, until: Micros) -> Result<()> {
    conn.prepare_cached(POSTPONE)?.execute(params![notification_id, until])?;
    Ok(())
}

/// Deletes a delivery that was accepted or given up.
///
/// # Errors
/// Any `StoreError`.
pub fn done(conn: &Connection, notification_id: &str) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([notification_id])?;
    Ok(())
}

/// Gives up the deliveries queued before `before`. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn expire(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(EXPIRE)?.execute([before])?)
}
