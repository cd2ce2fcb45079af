//! Verifies the audit chain.

use rusqlite::{Connection, Rows};

use super::{AuditOutcome, ENDS, HEAD, Record, hash_of, head};
use crate::store::{Result, meta};

const NEWEST: &str = "WHERE seq > (SELECT max(seq) FROM audit) - ?1 ORDER BY seq";
const HAS_ACTOR_ID: &str = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('audit') WHERE name = 'actor_id')";

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

/// Verifies the whole chain and returns the number of its rows.
///
/// # Errors
/// Any `StoreError`; in the inner result, the first break found.
pub fn verify(conn: &Connection) -> Result<std::result::Result<u64, ChainError>> {
    // A file of an older version is checked before its migration, so the column may be missing.
    let has_id: bool = conn.query_row(HAS_ACTOR_ID, [], |row| row.get(0))?;
    let columns = if has_id { Record::COLUMNS.to_owned() } else { Record::COLUMNS.replace("actor_id", "NULL") };
    let mut statement = conn.prepare(&format!("SELECT {columns} FROM audit ORDER BY seq"))?;
    Ok(walk(conn, statement.query([])?, true)?.map(|walked| walked.rows))
}

/// The part of the chain that was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The number of rows.
    pub rows: u64,
    /// The first and the last place; 0 if there are no rows.
    pub places: (i64, i64),
    /// Whether that is the whole chain.
    pub whole: bool,
}

/// Verifies the newest rows of the chain, at most `most` of them.
///
/// # Errors
/// Any `StoreError`; in the inner result, the first break found.
pub fn verify_newest(conn: &Connection, most: u64) -> Result<std::result::Result<Walked, ChainError>> {
    let first: Option<i64> = conn.prepare_cached(ENDS)?.query_row([], |row| row.get(0))?;
    let last: Option<i64> = conn.prepare_cached(ENDS)?.query_row([], |row| row.get(1))?;
    let whole = last.unwrap_or(0) - first.unwrap_or(0) < i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(&format!("{} {NEWEST}", Record::SELECT))?;
    walk(conn, statement.query([most])?, whole)
}

/// Verifies rows up to the end of the chain: from its beginning if `whole`, else from any row.
fn walk(conn: &Connection, mut rows: Rows<'_>, whole: bool) -> Result<std::result::Result<Walked, ChainError>> {
    let mut last: Option<Record> = None;
    let mut walked = Walked { rows: 0, places: (0, 0), whole };
    while let Some(row) = rows.next()? {
        let record = Record::read(row)?;
        // A checkpoint has the hash of the row that it stands for, and only the first row may be one.
        let checkpoint = record.outcome == AuditOutcome::Checkpoint.slug() && last.is_none();
        if !checkpoint && hash_of(&record) != record.hash {
            return Ok(Err(ChainError::Altered(record.seq)));
        }
        let follows = match &last {
            Some(last) => record.seq == last.seq + 1 && record.prev_hash == last.hash,
            None => !whole || checkpoint || (record.seq == 1 && record.prev_hash == [0; 32]),
        };
        if !follows {
            return Ok(Err(ChainError::Gap(record.seq)));
        }
        walked.rows += 1;
        walked.places = (if walked.rows == 1 { record.seq } else { walked.places.0 }, record.seq);
        last = Some(record);
    }
    let end = last.map(|last| (last.seq, head(last.seq, &last.hash)));
    if meta::get(conn, HEAD)? != end.as_ref().map(|(_, head)| head.clone()) {
        return Ok(Err(ChainError::CutOff(end.map_or(0, |(seq, _)| seq))));
    }
    Ok(Ok(walked))
}
