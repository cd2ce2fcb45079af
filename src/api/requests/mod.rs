//! Requests, for all dialects: an agent asks, and its owner decides for a limited time.

mod ask;
mod create;
mod decide;
pub mod fields;
mod show;
mod tell;

use rusqlite::Connection;

use crate::access::{Caller, Principal};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::requests::{self, Request, Viewer};
use crate::time::Micros;

pub use ask::{answered_by, question};
pub use create::{BY_CLIENT, RequestDraft, RequestOutcome, create, wanted};
pub use decide::{DecisionChoice, approve, deny, has_room, revoke, withdraw};
pub use show::{RECORD, RESULT, answer_of, show};
pub use tell::{RequestNews, after, ended, not_needed, of_join, people, topic_of};

/// Returns the caller as a viewer of requests.
pub fn viewer(caller: &Caller) -> Viewer {
    match caller.principal() {
        Principal::Agent { id, .. } => Viewer::Agent(id.clone()),
        Principal::User(_) if caller.is_admin() => Viewer::Admin,
        Principal::User(user) => Viewer::User(user.id.clone()),
    }
}

/// Returns the request of this id, if the caller may see it.
///
/// # Errors
/// `request_not_found`, or a `StoreError`.
pub fn find(conn: &Connection, caller: &Caller, id: &str, now: Micros) -> Result<Request, ApiError> {
    let found = requests::visible(conn, &viewer(caller), id, now)?;
    // A credential that is restricted to some agents sees no requests of others.
    found.filter(|request| caller.may_touch(&request.agent_id)).ok_or_else(|| codes::REQUEST_NOT_FOUND.into())
}
