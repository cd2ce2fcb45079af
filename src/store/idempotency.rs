//! Reservations and stored replies for `Idempotency-Key` (DESIGN D12).

use std::collections::{BTreeSet, HashMap};

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
const LAST: &str = "SELECT max(rowid) FROM idempotency";
const NEW: &str = "SELECT rowid, principal FROM idempotency WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
const HELD: &str = "SELECT count(*) FROM (SELECT 1 FROM idempotency WHERE principal = ?1 LIMIT ?2)";
const SURPLUS: &str = "SELECT rowid FROM idempotency WHERE principal = ?1 AND status IS NOT NULL
    ORDER BY created_at DESC LIMIT ?3 OFFSET ?2";
const DELETE: &str = "DELETE FROM idempotency WHERE rowid = ?1 AND principal = ?2 AND status IS NOT NULL";

const COUNT_RESERVED: &str = "SELECT count(*) FROM idempotency WHERE status IS NULL";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM idempotency WHERE created_at < ?1 AND status IS NOT NULL)";

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

/// Returns true if [`sweep`] may find something.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([before], |row| row.get(0))?)
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

/// At most how many rows each principal holds, so that only those are counted that may hold too many. Rows that were
/// deleted are not taken off before the next count.
#[derive(Debug, Default)]
pub struct RowCounts {
    /// The last row that was looked at.
    after: i64,
    held: HashMap<String, u64>,
}

impl RowCounts {
    /// Looks at up to `most` rows that were not looked at before. Returns their principals that hold more than `most`,
    /// and whether there are more rows to look at.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn look(&mut self, conn: &Connection, most: u64) -> Result<(Vec<String>, bool)> {
        // SQLite gives the number of the last row again after that row was deleted.
        let last: Option<i64> = conn.prepare_cached(LAST)?.query_row([], |row| row.get(0))?;
        self.after = self.after.min(last.unwrap_or(0));
        let mut statement = conn.prepare_cached(NEW)?;
        let (mut rows, mut seen, mut many) = (statement.query(params![self.after, most])?, 0, BTreeSet::new());
        while let Some(row) = rows.next()? {
            (self.after, seen) = (row.get(0)?, seen + 1);
            let principal: String = row.get(1)?;
            let held = self.held.entry(principal.clone()).or_default();
            *held += 1;
            if *held > most {
                many.insert(principal);
            }
        }
        let mut crowded = Vec::new();
        for principal in many {
            let held = conn.prepare_cached(HELD)?.query_row(params![principal, most + 1], |row| row.get(0))?;
            self.held.insert(principal.clone(), held);
            crowded.extend((held > most).then_some(principal));
        }
        Ok((crowded, seen == most))
    }
}

/// Returns up to `batch` of a principal's replies besides the newest `most`. Sorts them: do not call it on the writer's
/// thread.
///
/// # Errors
/// Any `StoreError`.
pub fn surplus(conn: &Connection, principal: &str, most: u64, batch: u64) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(SURPLUS)?;
    let rows = statement.query_map(params![principal, most, batch], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes these replies of a principal. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_all(conn: &Connection, principal: &str, rows: &[i64]) -> Result<usize> {
    let mut statement = conn.prepare_cached(DELETE)?;
    let mut deleted = 0;
    for row in rows {
        deleted += statement.execute(params![row, principal])?;
    }
    Ok(deleted)
}
