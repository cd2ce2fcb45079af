//! The audit chain: append-only rows, each with a blake3 hash over the previous hash and itself (DESIGN D15).

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::page::{Take, each};
use super::{Result, meta};
use crate::limits::SWEEP_BATCH;
use crate::time::Micros;

const LAST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "INSERT INTO audit (seq, at, actor, action, resource, outcome, count, request_id, prev_hash, hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
/// The key in `meta` of the chain's end.
const HEAD: &str = "audit_head";
const COLUMNS: &str = "seq, at, actor, action, resource, outcome, count, request_id, prev_hash, hash";
const LIST: &str = "SELECT seq, at, actor, action, resource, outcome, count, request_id, prev_hash, hash FROM audit
    WHERE seq < ?1 AND (?3 IS NULL OR actor = ?3) AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR resource = ?5)
    ORDER BY seq DESC LIMIT ?2";
// The old rows at the chain's beginning: up to the first that is not old, whatever time those behind it claim.
const LAST_OLD: &str = "WITH head AS (SELECT seq, at, outcome FROM audit ORDER BY seq LIMIT ?2)
    SELECT max(seq) FROM head WHERE outcome <> 'checkpoint' AND seq <
        coalesce((SELECT min(seq) FROM head WHERE at >= ?1 AND outcome <> 'checkpoint'), 9223372036854775807)";
const STOOD_FOR: &str = "SELECT total(count - 1) FROM audit WHERE seq <= ?1 AND outcome = 'checkpoint'";
const OLDEST: &str = "SELECT at FROM audit WHERE outcome <> 'checkpoint' ORDER BY seq LIMIT 1";
const DELETE_UP_TO: &str = "DELETE FROM audit WHERE seq <= ?1";

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was refused.
    Denied,
    /// It was allowed and failed.
    Failed,
    /// Not an action: the place where older rows were removed; carries the hash of the last one.
    Checkpoint,
}

impl Outcome {
    /// The outcome's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// What is recorded of an action. Never a secret.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Micros,
    /// Who: `user:NAME`, `agent:ID`, `peer:KEY` or `system`.
    pub actor: String,
    /// The action's slug.
    pub action: String,
    /// On what: `agent:ID`, `user:ID`, … or the route where no object was reached.
    pub resource: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How many alike this row stands for.
    pub count: u64,
    /// The request it came with.
    pub request_id: String,
}

/// A row of the chain.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place; grows by one.
    pub seq: i64,
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub resource: String,
    /// How it ended.
    pub outcome: String,
    /// How many alike.
    pub count: i64,
    /// The request.
    pub request_id: String,
    /// The hash of the row before.
    pub prev_hash: [u8; 32],
    /// The hash of this row.
    pub hash: [u8; 32],
}

fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        seq: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        resource: row.get(4)?,
        outcome: row.get(5)?,
        count: row.get(6)?,
        request_id: row.get(7)?,
        prev_hash: row.get(8)?,
        hash: row.get(9)?,
    })
}

/// The hash of a row: over the hash before it and every field, each with its length before it.
fn hash_of(record: &Record) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&record.prev_hash);
    for number in [record.seq, record.at.0, record.count] {
        hasher.update(&number.to_le_bytes());
    }
    for text in [&record.actor, &record.action, &record.resource, &record.outcome, &record.request_id] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Appends a row. Call it in the transaction of the effect it records.
///
/// # Errors
/// The store's.
pub fn append(conn: &Connection, entry: &Entry) -> Result<()> {
    let last: Option<(i64, [u8; 32])> =
        conn.prepare_cached(LAST)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (seq, prev_hash) = last.map_or((1, [0; 32]), |(seq, hash)| (seq + 1, hash));
    insert(conn, entry, seq, prev_hash)
}

fn insert(conn: &Connection, entry: &Entry, seq: i64, prev_hash: [u8; 32]) -> Result<()> {
    let mut record = Record {
        seq,
        at: entry.at,
        actor: entry.actor.clone(),
        action: entry.action.clone(),
        resource: entry.resource.clone(),
        outcome: entry.outcome.as_str().to_owned(),
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
        record.hash
    ])?;
    meta::set(conn, HEAD, &head(seq, &record.hash))
}

/// The chain's end as `meta` keeps it, so that rows cut off at the end are missed.
fn head(seq: i64, hash: &[u8; 32]) -> String {
    format!("{seq}:{}", data_encoding::HEXLOWER.encode(hash))
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this actor's.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on this resource.
    pub resource: Option<String>,
}

/// Rows before `before` (a place in the chain), newest first, `limit` at the most.
///
/// # Errors
/// The store's.
pub fn list(conn: &Connection, filter: &Filter, before: i64, limit: u64, take: Take<'_, Record>) -> Result<()> {
    let mut statement = conn.prepare_cached(LIST)?;
    each(&mut statement, params![before, limit, filter.actor, filter.action, filter.resource], read, take)
}

/// Where and how the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row's own hash is not the hash of its content.
    #[error("audit row {0} was altered")]
    Altered(i64),
    /// The last rows are missing.
    #[error("the rows after audit row {0} are missing")]
    CutOff(i64),
    /// A row does not carry the hash of the row before it, or rows are missing.
    #[error("audit row {0} does not follow the row before it")]
    Gap(i64),
}

/// Walks the whole chain. How many rows it has.
///
/// # Errors
/// The store's; inside, the first break found.
pub fn verify(conn: &Connection) -> Result<std::result::Result<u64, ChainError>> {
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let mut last: Option<Record> = None;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let record = read(row)?;
        // A checkpoint carries the hash of the row it stands for, and may only be the first row.
        let checkpoint = record.outcome == Outcome::Checkpoint.as_str() && last.is_none();
        if !checkpoint && hash_of(&record) != record.hash {
            return Ok(Err(ChainError::Altered(record.seq)));
        }
        let follows = match &last {
            Some(last) => record.seq == last.seq + 1 && record.prev_hash == last.hash,
            None => checkpoint || (record.seq == 1 && record.prev_hash == [0; 32]),
        };
        if !follows {
            return Ok(Err(ChainError::Gap(record.seq)));
        }
        count += 1;
        last = Some(record);
    }
    let end = last.map(|last| (last.seq, head(last.seq, &last.hash)));
    if meta::get(conn, HEAD)? != end.as_ref().map(|(_, head)| head.clone()) {
        return Ok(Err(ChainError::CutOff(end.map_or(0, |(seq, _)| seq))));
    }
    Ok(Ok(count))
}

/// True if [`retain`] may find something.
///
/// # Errors
/// The store's.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn
        .prepare_cached(OLDEST)?
        .query_row([], |row| row.get::<_, Micros>(0))
        .optional()?
        .is_some_and(|at| at < before))
}

/// Replaces some of the rows older than `before` by one checkpoint row in the place of the last of them, carrying its hash; what
/// follows it still verifies. How many rows went.
///
/// # Errors
/// The store's.
pub fn retain(conn: &Connection, before: Micros) -> Result<usize> {
    let last: Option<i64> = conn.prepare_cached(LAST_OLD)?.query_row(params![before, SWEEP_BATCH], |row| row.get(0))?;
    let Some(seq) = last else { return Ok(0) };
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq = ?1");
    let last = conn.prepare_cached(&sql)?.query_row([seq], read)?;
    // A checkpoint that goes too stands for more than itself.
    let stood_for: f64 = conn.prepare_cached(STOOD_FOR)?.query_row([seq], |row| row.get(0))?;
    let removed = conn.prepare_cached(DELETE_UP_TO)?.execute([seq])?;
    conn.prepare_cached(INSERT)?.execute(params![
        seq,
        last.at,
        "system",
        "audit.retain",
        "audit",
        Outcome::Checkpoint.as_str(),
        removed as i64 + stood_for as i64,
        "-",
        last.prev_hash,
        last.hash
    ])?;
    Ok(removed)
}
