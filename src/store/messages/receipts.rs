//! Receipts: the state of a message at each of its recipients. A receipt only goes forward.

use rusqlite::{Connection, OptionalExtension, params};

use crate::closed_set::closed_set;
use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

const ADD: &str = "INSERT INTO message_receipts (place, principal, name, space_id, seq, state, at)
    VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6) ON CONFLICT DO NOTHING";
const IS_QUEUED: &str = "SELECT 1 FROM message_receipts WHERE place = ?1 AND principal = ?2 AND state = 'queued'";
const FETCHED: &str = "UPDATE message_receipts SET state = 'fetched', at = ?3
    WHERE place = ?1 AND principal = ?2 AND state = 'queued'";
const READ: &str = "UPDATE message_receipts SET state = 'read', at = ?3
    WHERE place = ?1 AND principal = ?2 AND (state = 'queued' OR state = 'fetched')";
const ANSWERED: &str = "UPDATE message_receipts SET state = 'answered', at = ?3
    WHERE place = ?1 AND principal = ?2 AND state <> 'answered'";

closed_set! {
    /// The state of a message at a recipient; each state comes after those before it.
    pub enum ReceiptState {
        Queued "queued" "It is on disk and has not been fetched.";
        Fetched "fetched" "Its text left the box to the recipient.";
        Read "read" "The recipient marked it as read.";
        Answered "answered" "The recipient replied or reacted.";
    }
}

record! {
    /// A receipt.
    pub struct Receipt from "message_receipts r" {
        /// The recipient, `user:ID` or `agent:ID`.
        pub principal: String = "r.principal",
        /// The recipient's name when the message was sent.
        pub name: String = "r.name",
        /// The state.
        pub state: ReceiptState = "r.state",
        /// When it got this state.
        pub at: Micros = "r.at",
    }
}

/// The message of a receipt.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The message's place in the order of all messages.
    pub place: i64,
    /// The id of its space.
    pub space_id: &'a str,
    /// Its place in the space.
    pub seq: i64,
}

/// Adds a receipt, queued. Returns false if there is one already.
///
/// # Errors
/// Any `StoreError`.
pub fn add(conn: &Connection, at: At<'_>, principal: &str, name: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(ADD)?.execute(params![at.place, principal, name, at.space_id, at.seq, now])? > 0)
}

/// Moves a receipt forward to this state. A receipt that is further stays as it is.
///
/// # Errors
/// Any `StoreError`.
pub fn advance(conn: &Connection, place: i64, principal: &str, to: ReceiptState, now: Micros) -> Result<()> {
    let sql = match to {
        ReceiptState::Queued => return Ok(()),
        ReceiptState::Fetched => FETCHED,
        ReceiptState::Read => READ,
        ReceiptState::Answered => ANSWERED,
    };
    conn.prepare_cached(sql)?.execute(params![place, principal, now])?;
    Ok(())
}

/// True if a recipient has still to fetch this message.
///
/// # Errors
/// Any `StoreError`.
pub fn is_queued(conn: &Connection, place: i64, principal: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_QUEUED)?.query_row(params![place, principal], |_| Ok(())).optional()?.is_some())
}

/// Lists the receipts of a message.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, place: i64) -> Result<Vec<Receipt>> {
    let mut statement = conn.prepare_cached(&format!("{} WHERE r.place = ?1 ORDER BY r.principal", Receipt::SELECT))?;
    let rows = statement.query_map([place], Receipt::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
