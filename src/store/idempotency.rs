//! Reservations and stored replies for `Idempotency-Key` (DESIGN D12).

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::limits;
use crate::time::Micros;

const SELECT: &str =
    "SELECT body_hash, owner, status, headers, body FROM idempotency WHERE principal = ?1 AND route = ?2 AND key = ?3";
const INSERT: &str = "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const COMPLETE: &str = "UPDATE idempotency SET status = ?5, headers = ?6, body = ?7
    WHERE principal = ?1 AND route = ?2 AND key = ?3 AND owner = ?4 AND status IS NULL";
const REPLACE: &str = "UPDATE idempotency SET status = ?5, headers = ?6, body = ?7
    WHERE principal = ?1 AND route = ?2 AND key = ?3 AND owner = ?4 AND status IS NOT NULL";
const FORGET: &str = "DELETE FROM idempotency
    WHERE principal = ?1 AND route = ?2 AND key = ?3 AND owner = ?4 AND status IS NOT NULL";
const RELEASE: &str = "DELETE FROM idempotency WHERE principal = ?1 AND route = ?2 AND key = ?3 AND status IS NULL";
const RELEASE_ALL: &str = "DELETE FROM idempotency WHERE status IS NULL";
const SWEEP: &str = "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency
    WHERE created_at < ?1 AND status IS NOT NULL ORDER BY created_at LIMIT ?2)";
const CROWDED: &str = "SELECT c.principal, (SELECT created_at FROM idempotency WHERE principal = c.principal
        ORDER BY created_at DESC LIMIT 1 OFFSET ?1)
    FROM (SELECT principal FROM idempotency GROUP BY principal HAVING count(*) > ?1 LIMIT 1) c";
const SWEEP_CROWDED: &str = "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency
    WHERE principal = ?1 AND status IS NOT NULL AND created_at <= ?2 LIMIT ?3)";

const COUNT_RESERVED: &str = "SELECT count(*) FROM idempotency WHERE status IS NULL";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM idempotency WHERE created_at < ?1 AND status IS NOT NULL)
    OR (SELECT count(*) FROM idempotency) > ?2";

/// The identity of a request, which its repeats share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// The principal that sends it.
    pub principal: String,
    /// The method and path.
    pub route: String,
    /// The `Idempotency-Key`.
    pub key: String,
}

/// A reply kept for repeats.
#[derive(Debug, Clone)]
pub struct StoredReply {
    /// The status.
    pub status: u16,
    /// The headers as a JSON object.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The result of a reservation.
#[derive(Debug)]
pub enum Reserved {
    /// The key is reserved for the caller: do the work.
    Ours,
    /// The work was done before with the same body.
    Done(StoredReply),
    /// The same request is being worked on.
    InFlight,
    /// The key was used with another body.
    OtherBody,
}

/// Reserves a key for `owner`, or returns the state of the request that has it already.
///
/// # Errors
/// Any `StoreError`.
pub fn reserve(
    conn: &Connection,
    key: &RequestKey,
    body_hash: &[u8; 32],
    owner: &str,
    now: Micros,
) -> Result<Reserved> {
    let id = params![key.principal, key.route, key.key];
    let found = conn
        .prepare_cached(SELECT)?
        .query_row(id, |row| {
            let same = row.get_ref(0)?.as_blob()? == body_hash;
            let reply = match row.get::<_, Option<u16>>(2)? {
                None => None,
                Some(status) => Some(StoredReply { status, headers: row.get(3)?, body: row.get(4)? }),
            };
            Ok(match (same, reply) {
                (false, _) => Reserved::OtherBody,
                (true, Some(reply)) => Reserved::Done(reply),
                (true, None) => Reserved::InFlight,
            })
        })
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    conn.prepare_cached(INSERT)?.execute(params![key.principal, key.route, key.key, body_hash, owner, now])?;
    Ok(Reserved::Ours)
}

/// Stores the reply for a key that `owner` has reserved.
///
/// # Errors
/// Any `StoreError`.
pub fn complete(conn: &Connection, key: &RequestKey, owner: &str, reply: &StoredReply) -> Result<()> {
    set_reply(conn, COMPLETE, key, owner, reply)
}

/// Stores another reply in place of the one that `owner` stored.
///
/// # Errors
/// Any `StoreError`.
pub fn replace(conn: &Connection, key: &RequestKey, owner: &str, reply: &StoredReply) -> Result<()> {
    set_reply(conn, REPLACE, key, owner, reply)
}

/// Deletes the reply that `owner` stored.
///
/// # Errors
/// Any `StoreError`.
pub fn forget(conn: &Connection, key: &RequestKey, owner: &str) -> Result<()> {
    conn.prepare_cached(FORGET)?.execute(params![key.principal, key.route, key.key, owner])?;
    Ok(())
}

fn set_reply(conn: &Connection, sql: &str, key: &RequestKey, owner: &str, reply: &StoredReply) -> Result<()> {
    conn.prepare_cached(sql)?.execute(params![
        key.principal,
        key.route,
        key.key,
        owner,
        reply.status,
        reply.headers,
        reply.body
    ])?;
    Ok(())
}

/// Releases a reservation, so that the next repeat does the work.
///
/// # Errors
/// Any `StoreError`.
pub fn release(conn: &Connection, key: &RequestKey) -> Result<()> {
    conn.prepare_cached(RELEASE)?.execute(params![key.principal, key.route, key.key])?;
    Ok(())
}

/// Returns the number of reservations without a reply.
///
/// # Errors
/// Any `StoreError`.
pub fn reserved(conn: &Connection) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_RESERVED)?.query_row([], |row| row.get(0))?)
}

/// Returns true if [`sweep`] or [`crowded`] may find something.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row(params![before, limits::IDEMPOTENCY_ROWS], |row| row.get(0))?)
}

/// Releases every reservation, because at start-up their owners are gone. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn release_all(conn: &Connection) -> Result<usize> {
    Ok(conn.prepare_cached(RELEASE_ALL)?.execute([])?)
}

/// Deletes at most [`limits::PURGE_BATCH`] replies to keys that were reserved before `before`. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![before, limits::PURGE_BATCH])?)
}

/// Returns a principal that holds more than [`limits::IDEMPOTENCY_ROWS`] rows, and up to when its surplus was stored.
/// Counts rows: do not call it on the writer's thread.
///
/// # Errors
/// Any `StoreError`.
pub fn crowded(conn: &Connection) -> Result<Option<(String, Micros)>> {
    let found =
        conn.prepare_cached(CROWDED)?.query_row([limits::IDEMPOTENCY_ROWS], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// Deletes at most [`limits::PURGE_BATCH`] of a principal's replies stored up to `until`. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep_crowded(conn: &Connection, principal: &str, until: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP_CROWDED)?.execute(params![principal, until, limits::PURGE_BATCH])?)
}
