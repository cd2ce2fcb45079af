//! The head of the audit chain, and whether an earlier head is still part of the chain. Whoever can write the database
//! file can shorten the chain or make it anew; a head that was published before reveals this.

use data_encoding::HEXLOWER;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Result, meta};

const LAST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const FIRST: &str = "SELECT seq FROM audit ORDER BY seq LIMIT 1";
const AT: &str = "SELECT hash FROM audit WHERE seq = ?1";

/// The number and hash of the last row, and the installation that the chain belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the row.
    pub seq: i64,
    /// The hash, hexadecimal.
    pub hash: String,
    /// The id of the installation.
    pub install_id: String,
}

/// Returns the current head; `None` for an empty chain.
///
/// # Errors
/// Any `StoreError`.
pub fn head(conn: &Connection) -> Result<Option<AuditHead>> {
    let last =
        conn.prepare_cached(LAST)?.query_row([], |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?))).optional()?;
    let install_id = meta::get(conn, meta::INSTALL_ID)?.unwrap_or_default();
    Ok(last.map(|(seq, hash)| AuditHead { seq, hash: HEXLOWER.encode(&hash), install_id }))
}

/// Returns false if the chain shows that it does not continue from `head`: it is of another chain, or of a later state
/// of this one. Returns true for a head older than the first row that is kept.
///
/// # Errors
/// Any `StoreError`.
pub fn descends(conn: &Connection, head: &AuditHead) -> Result<bool> {
    let found: Option<[u8; 32]> = conn.query_row(AT, params![head.seq], |row| row.get(0)).optional()?;
    let first: Option<i64> = conn.query_row(FIRST, [], |row| row.get(0)).optional()?;
    Ok(match found {
        Some(found) => HEXLOWER.encode(&found) == head.hash,
        None => first.is_some_and(|first| head.seq < first),
    })
}

/// Returns a text: how many rows have followed an earlier head, or why the chain does not continue from it. The chain
/// itself must have been verified.
///
/// # Errors
/// Any `StoreError`.
pub fn follows(conn: &Connection, seq: i64, hash: &str) -> Result<std::result::Result<String, String>> {
    let Some(now) = head(conn)? else { return Ok(Err("the audit is empty".into())) };
    if seq > now.seq {
        return Ok(Err(format!("row {seq} was told, and the audit ends with row {}: rows are missing", now.seq)));
    }
    let first: i64 = conn.query_row(FIRST, [], |row| row.get(0))?;
    if seq < first {
        return Ok(Err(format!("row {seq} is older than all that is kept, from row {first} on: name a later head")));
    }
    let found: Option<[u8; 32]> = conn.query_row(AT, params![seq], |row| row.get(0)).optional()?;
    Ok(match found {
        Some(found) if HEXLOWER.encode(&found) == hash => {
            Ok(format!("row {seq} is as told, {} rows since", now.seq - seq))
        }
        _ => Err(format!("row {seq} is not the one that was told: the audit was made anew")),
    })
}
