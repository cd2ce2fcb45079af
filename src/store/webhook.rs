//! The webhook's outbox: which notifications are still to be delivered, and when to try again.

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
    /// The notification.
    pub notification_id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it came in.
    pub queued_at: Micros,
    /// When it is to be tried.
    pub next_at: Micros,
}

/// Queues a delivery, due at once. Call it in the notification's own transaction.
///
/// # Errors
/// The store's.
pub fn queue(conn: &Connection, notification_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![notification_id, now])?;
    Ok(())
}

/// The oldest delivery, due or not.
///
/// # Errors
/// The store's.
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

/// Counts a failed attempt and sets the next.
///
/// # Errors
/// The store's.
pub fn postpone(conn: &Connection, notification_id: &str, until: Micros) -> Result<()> {
    conn.prepare_cached(POSTPONE)?.execute(params![notification_id, until])?;
    Ok(())
}

/// Ends a delivery: taken, or given up.
///
/// # Errors
/// The store's.
pub fn done(conn: &Connection, notification_id: &str) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([notification_id])?;
    Ok(())
}

/// Gives up what came in before a time. How many.
///
/// # Errors
/// The store's.
pub fn expire(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(EXPIRE)?.execute([before])?)
}
