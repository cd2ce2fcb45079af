//! What one agent may add a day, in messages, tasks, context and files together (workspace contract, section 5). People
//! are bounded by what their spaces may hold.

use rusqlite::Connection;

use crate::access::{Caller, Principal};
use crate::api::engine::call::Tx;
use crate::config::Workspace;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::usage;
use crate::time::Micros;

/// Counts what the caller adds with this transaction. Where that is more than an agent may add today, the transaction
/// fails, and nothing is counted.
///
/// # Errors
/// `allowance_used` with the time when it opens again, or the store's.
pub fn spend(tx: &Tx<'_>, settings: &Workspace, bytes: u64, rows: u64) -> Result<(), ApiError> {
    spend_as(tx.conn, tx.caller, settings, (bytes, rows), tx.now)
}

/// The same in any transaction; `added` is bytes and rows.
///
/// # Errors
/// As of [`spend`].
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
