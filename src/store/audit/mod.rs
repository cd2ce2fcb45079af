//! The audit chain: append-only rows, each with a blake3 hash over the previous hash and itself (DESIGN D15).

mod list;
mod verify;

use rusqlite::{Connection, OptionalExtension, params};

use super::row::record;
use super::{Result, meta};
use crate::closed_set::closed_set;
use crate::secret::redacted;
use crate::time::Micros;

pub use list::{AuditFilter, list};
pub use verify::{ChainError, Walked, verify, verify_newest};

const LAST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const LAST_AT: &str = "SELECT at FROM audit ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "INSERT INTO audit (seq, at, actor, action, resource, outcome, count, request_id, prev_hash, hash,
        actor_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
/// The key in `meta` of the chain's end.
const HEAD: &str = "audit_head";
const SLUG_OF_AGENT: &str = "SELECT slug FROM agents WHERE id = ?1";
const USERNAME_OF: &str = "SELECT username FROM users WHERE id = ?1";
const SLUG_OF_SPACE: &str = "SELECT slug FROM spaces WHERE id = ?1";
const NAME_OF_CREDENTIAL: &str = "SELECT coalesce(a.slug || '/', u.username || '/', '')
        || CASE c.label WHEN '' THEN c.kind ELSE c.label END
    FROM credentials c LEFT JOIN agents a ON a.id = c.agent_id LEFT JOIN users u ON u.id = c.user_id WHERE c.id = ?1";
const NAME_OF_OPERATION: &str = "SELECT kind || coalesce('/' || agent_name, '') FROM operations WHERE id = ?1";
const NAME_OF_REQUEST: &str = "SELECT a.slug || '/' || r.kind FROM requests r JOIN agents a ON a.id = r.agent_id
    WHERE r.id = ?1";
const NAME_OF_CHANNEL: &str = "SELECT coalesce(u.username || '/', '') || c.kind FROM channels c
    LEFT JOIN users u ON u.id = c.user_id WHERE c.id = ?1";
const FIRST: &str = "SELECT seq, at, outcome = 'checkpoint' FROM audit ORDER BY seq LIMIT ?1";
const ENDS: &str =
    "SELECT (SELECT seq FROM audit ORDER BY seq LIMIT 1), (SELECT seq FROM audit ORDER BY seq DESC LIMIT 1)";
const BYTES_OF: &str = "SELECT octet_length(actor) + octet_length(action) + 2 * octet_length(resource)
        + octet_length(outcome) + octet_length(request_id) FROM audit WHERE seq = ?1";
/// The bytes of a row without its texts: two hashes, numbers, headers and its place in the index.
const ROW_BYTES: u64 = 64 + 56;
/// The rows that are measured to estimate the size of all rows.
const SAMPLE: u64 = 64;
const STOOD_FOR: &str = "SELECT total(count - 1) FROM audit WHERE seq <= ?1 AND outcome = 'checkpoint'";
const OLDEST: &str = "SELECT at FROM audit WHERE outcome <> 'checkpoint' ORDER BY seq LIMIT 1";
const DELETE_UP_TO: &str = "DELETE FROM audit WHERE seq <= ?1";
const DELETE_SPANS_UP_TO: &str = "DELETE FROM audit_spans WHERE span < ?1 / 1024";

closed_set! {
    /// How an action ended.
    pub enum AuditOutcome {
        Ok "ok" "It was done.";
        Denied "denied" "It was refused.";
        Failed "failed" "It was allowed and failed.";
        Checkpoint "checkpoint" "Not an action: the place where older rows were removed, with the hash of the last one.";
    }
}

/// The one who did an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name that people know: `user:NAME`, `agent:ID`, `peer:KEY` or `system`.
    pub name: String,
    /// The id of a principal, `user:ID` or `agent:ID`. Names are used again, ids are not.
    pub id: Option<String>,
}

impl Actor {
    /// Returns the key to count the actor by: the id, which no other principal ever has, else the name.
    pub fn key(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

impl<T: Into<String>> From<T> for Actor {
    fn from(name: T) -> Self {
        Self { name: name.into(), id: None }
    }
}

/// An action to record. It never contains a secret.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// The time of the action.
    pub at: Micros,
    /// The actor.
    pub actor: Actor,
    /// The action's slug.
    pub action: String,
    /// The resource, such as `agent:ID` or `user:ID`, or the route if no object was reached.
    pub resource: String,
    /// How the action ended.
    pub outcome: AuditOutcome,
    /// The number of equal actions that this row stands for.
    pub count: u64,
    /// The id of the request.
    pub request_id: String,
}

impl AuditEntry {
    /// Creates an entry for one action that succeeded now. Set the fields if that is not so.
    pub fn new(
        actor: impl Into<Actor>,
        action: impl Into<String>,
        resource: impl Into<String>,
        request_id: impl Into<String>,
    ) -> Self {
        Self {
            at: Micros::now(),
            actor: actor.into(),
            action: action.into(),
            resource: resource.into(),
            outcome: AuditOutcome::Ok,
            count: 1,
            request_id: request_id.into(),
        }
    }

    /// Returns the entry with another time.
    #[must_use]
    pub fn at(self, at: Micros) -> Self {
        Self { at, ..self }
    }

    /// Returns the entry with another outcome.
    #[must_use]
    pub fn ended(self, outcome: AuditOutcome) -> Self {
        Self { outcome, ..self }
    }
}

record! {
    /// A row of the audit chain.
    pub struct Record from "audit" {
        /// The place in the chain; grows by one.
        pub seq: i64 = "seq",
        /// The time of the action.
        pub at: Micros = "at",
        /// The name of the actor.
        pub actor: String = "actor",
        /// The slug of the action.
        pub action: String = "action",
        /// The resource.
        pub resource: String = "resource",
        /// The outcome as the file has it. The check of the chain finds a word that is no outcome.
        pub outcome: String = "outcome",
        /// The number of equal actions that this row stands for.
        pub count: i64 = "count",
        /// The id of the request.
        pub request_id: String = "request_id",
        /// The hash of the previous row.
        pub prev_hash: [u8; 32] = "prev_hash",
        /// The hash of this row.
        pub hash: [u8; 32] = "hash",
        /// The id of the actor, if it has one.
        pub actor_id: Option<String> = "actor_id",
    }
}

/// Returns the hash of a row: over the previous hash and every field that is set, each text with its length before it.
fn hash_of(record: &Record) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&record.prev_hash);
    for number in [record.seq, record.at.0, record.count] {
        hasher.update(&number.to_le_bytes());
    }
    let texts = [&record.actor, &record.action, &record.resource, &record.outcome, &record.request_id];
    for text in texts.into_iter().chain(&record.actor_id) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Appends a row. Call it in the transaction of the effect it records.
///
/// # Errors
/// Any `StoreError`.
pub fn append(conn: &Connection, entry: &AuditEntry) -> Result<()> {
    let last: Option<(i64, [u8; 32])> =
        conn.prepare_cached(LAST)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (seq, prev_hash) = last.map_or((1, [0; 32]), |(seq, hash)| (seq + 1, hash));
    insert(conn, entry, seq, prev_hash)
}

/// Returns the time of the newest row; `None` if there is none.
///
/// # Errors
/// Any `StoreError`.
pub fn last_at(conn: &Connection) -> Result<Option<Micros>> {
    Ok(conn.prepare_cached(LAST_AT)?.query_row([], |row| row.get(0)).optional()?)
}

fn insert(conn: &Connection, entry: &AuditEntry, seq: i64, prev_hash: [u8; 32]) -> Result<()> {
    let mut record = Record {
        seq,
        at: entry.at,
        actor: entry.actor.name.clone(),
        actor_id: entry.actor.id.clone(),
        action: entry.action.clone(),
        // The resource may contain what a client sent: names, paths.
        resource: redacted(&entry.resource).into_owned(),
        outcome: entry.outcome.slug().to_owned(),
        count: i64::try_from(entry.count).unwrap_or(i64::MAX),
        request_id: entry.request_id.clone(),
        prev_hash,
        hash: [0; 32],
    };
    record.hash = hash_of(&record);
    conn.prepare_cached(INSERT)?.execute(params![
        record.seq,
        record.at,
        record.actor,
        record.action,
        record.resource,
        record.outcome,
        record.count,
        record.request_id,
        record.prev_hash,
        record.hash,
        record.actor_id
    ])?;
    meta::set(conn, HEAD, &head(seq, &record.hash))
}

/// Returns the end of the chain as `meta` keeps it, so that rows cut off at the end are noticed.
fn head(seq: i64, hash: &[u8; 32]) -> String {
    format!("{seq}:{}", data_encoding::HEXLOWER.encode(hash))
}

/// Returns the name that people use for a subject of the chain, such as `agent:ID`, now or when it ended. A subject
/// without a name of its own has the holder's name and the label or kind: `ann/laptop`. Text after the id is ignored.
/// `None` if the subject is gone or has no name.
///
/// # Errors
/// Any `StoreError`.
pub fn called(conn: &Connection, subject: &str) -> Result<Option<String>> {
    let Some((kind, id)) = subject.split_once(':') else { return Ok(None) };
    let id = id.split(' ').next().unwrap_or(id);
    let sql = match kind {
        "agent" => SLUG_OF_AGENT,
        "user" => USERNAME_OF,
        "space" => SLUG_OF_SPACE,
        "credential" => NAME_OF_CREDENTIAL,
        "operation" => NAME_OF_OPERATION,
        "request" => NAME_OF_REQUEST,
        "channel" => NAME_OF_CHANNEL,
        _ => return Ok(None),
    };
    Ok(conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// True if [`retain`] may find rows to replace.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn
        .prepare_cached(OLDEST)?
        .query_row([], |row| row.get::<_, Micros>(0))
        .optional()?
        .is_some_and(|at| at < before))
}

/// Estimates the bytes of all rows, including their index: the number of places from the first to the last, times the
/// average size of [`SAMPLE`] rows, evenly spread.
///
/// # Errors
/// Any `StoreError`.
pub fn bytes(conn: &Connection) -> Result<u64> {
    let ends: (Option<u64>, Option<u64>) =
        conn.prepare_cached(ENDS)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else { return Ok(0) };
    let rows = last - first + 1;
    let (mut seen, mut sum) = (0, 0);
    for n in 0..SAMPLE.min(rows) {
        let seq = first + n * rows / SAMPLE.min(rows);
        let size: Option<u64> = conn.prepare_cached(BYTES_OF)?.query_row([seq], |row| row.get(0)).optional()?;
        if let Some(size) = size {
            (seen, sum) = (seen + 1, sum + size + ROW_BYTES);
        }
    }
    Ok((rows * sum).checked_div(seen).unwrap_or(0))
}

/// Replaces up to `most` rows at the beginning of the chain with one checkpoint row, which takes the place and the hash
/// of the last of them. The rows after it still verify. Only rows older than `before` are replaced, up to the first one
/// that is not, whatever time later rows claim. With `any_age`, all of the `most` are replaced, except the last row of
/// the chain. Returns how many rows were removed.
///
/// # Errors
/// Any `StoreError`.
pub fn retain(conn: &Connection, before: Micros, any_age: bool, most: u64) -> Result<usize> {
    let mut statement = conn.prepare_cached(FIRST)?;
    // Two more: the checkpoint that may be the first row, and a row that is looked at and stays.
    let first: Vec<(i64, Micros, bool)> = statement
        .query_map([most + 2], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let checkpoints = first.iter().take_while(|(.., checkpoint)| *checkpoint).count();
    let stays = usize::from(any_age);
    let rows = &first[checkpoints.min(first.len())..first.len().saturating_sub(stays).max(checkpoints)];
    let goes = |(_, at, checkpoint): &&(i64, Micros, bool)| *checkpoint || any_age || *at < before;
    let Some((seq, ..)) = rows.iter().take(most as usize).take_while(goes).last() else { return Ok(0) };
    let sql = format!("{} WHERE seq = ?1", Record::SELECT);
    let last = conn.prepare_cached(&sql)?.query_row([seq], Record::read)?;
    // A removed checkpoint stands for more rows than itself.
    let stood_for: f64 = conn.prepare_cached(STOOD_FOR)?.query_row([seq], |row| row.get(0))?;
    let removed = conn.prepare_cached(DELETE_UP_TO)?.execute([seq])?;
    conn.prepare_cached(DELETE_SPANS_UP_TO)?.execute([seq])?;
    conn.prepare_cached(INSERT)?.execute(params![
        seq,
        last.at,
        "system",
        "audit.retain",
        "audit",
        AuditOutcome::Checkpoint.slug(),
        removed as i64 + stood_for as i64,
        "-",
        last.prev_hash,
        last.hash,
        None::<String>
    ])?;
    Ok(removed)
}
