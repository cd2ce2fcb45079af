//! The daily allowance of one agent for messages, tasks, context and files together (workspace contract, section 5).
//! Users are bounded by the limits of their spaces.

use rusqlite::Connection;

use crate::access::{Caller, Principal};
use crate::api::engine::call::Tx;
use crate::config::Workspace;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::usage;
use crate::time::Micros;

/// Counts the bytes and rows that the caller adds with this transaction. If an agent exceeds its allowance of today,
/// the transaction fails, and nothing is counted.
///
/// # Errors
/// `allowance_used` with the time when the agent may add again, or a `StoreError`.
pub fn spend(tx: &Tx<'_>, settings: &Workspace, bytes: u64, rows: u64) -> Result<(), ApiError> {
    spend_as(tx.conn, tx.caller, settings, (bytes, rows), tx.now)
}

/// Does the same as [`spend`] in any transaction; `added` is bytes and rows.
///
/// # Errors
/// See [`spend`].
pub fn spend_as(
    conn: &Connection,
    caller: &Caller,
    settings: &Workspace,
    added: (u64, u64),
    now: Micros,
) -> Result<(), ApiError> {
    let Principal::Agent { id, .. } = caller.principal() else { return Ok(()) };
    let (bytes, rows) = usage::spend(conn, id, now, added.0, added.1)?;
    if bytes > settings.agent_bytes_per_day {
        return Err(used_up(now, "agent_bytes_per_day"));
    }
    if rows > settings.agent_rows_per_day {
        return Err(used_up(now, "agent_rows_per_day"));
    }
    Ok(())
}

fn used_up(now: Micros, setting: &str) -> ApiError {
    let opens_at = usage::next_day(now);
    let seconds = (opens_at.0 - now.0) / Micros::SECOND + 1;
    ApiError::new(codes::ALLOWANCE_USED)
        .detail(format!("The agent has added as much as workspace.{setting} allows on one day."))
        .with("setting", format!("workspace.{setting}"))
        .with("opens_at", opens_at.micros())
        .retry_after(u64::try_from(seconds).unwrap_or(1))
}
