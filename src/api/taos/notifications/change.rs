//! Marking notifications as read and deleting them. Only the recipient may do this, not the agent that sent one.

use serde_json::json;

use super::fields::holder;
use crate::access::Caller;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::SWEEP_BATCH;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::store::notifications::{self, Notification};

/// Refuses agents.
fn users_only(caller: &Caller) -> Result<(), ApiError> {
    if caller.agent_id().is_none() {
        return Ok(());
    }
    Err(ApiError::new(codes::FORBIDDEN)
        .detail("Only the recipient may change a notification. The agent that sent it may only read it."))
}

/// Returns the notification of the path, if the caller may change it.
fn find(tx: &Tx<'_>) -> Result<Notification, ApiError> {
    let found = notifications::get(tx.conn, &holder(tx.caller), tx.input.param(0))?;
    let found = found.ok_or(codes::NOTIFICATION_NOT_FOUND)?;
    users_only(tx.caller)?;
    Ok(found)
}

pub(crate) fn read(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        notifications::mark_read(tx.conn, find(tx)?.seq)?;
        Ok(Reply::ok(&json!({"ok": true})))
    })
}

pub(crate) fn read_all(app: &App, call: Call) -> Handled {
    users_only(&call.caller)?;
    let last = app.store.lookup(notifications::last)?;
    // Marks those that exist now, so few in one transaction that others' writes go in between.
    let mut updated = 0;
    loop {
        let user_id = call.caller.user().id.clone();
        let marked = app.store.write(move |conn| notifications::mark_some_read(conn, &user_id, last, SWEEP_BATCH))?;
        updated += marked;
        if (marked as u64) < SWEEP_BATCH {
            return Ok(Reply::ok(&json!({"ok": true, "updated": updated})).into());
        }
    }
}

pub(crate) fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        notifications::delete(tx.conn, find(tx)?.seq)?;
        Ok(Reply::no_content())
    })
}
