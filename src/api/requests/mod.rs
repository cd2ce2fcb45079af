//! Requests as all dialects share them: an agent asks, its owner decides, for a time.

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
pub use create::{RequestDraft, RequestOutcome, create, wanted};
pub use decide::{DecisionChoice, approve, deny, has_room, revoke, withdraw};
pub use show::{RECORD, RESULT, answer_of, show};
pub use tell::{RequestNews, after, ended, not_needed, of_join, people, topic_of};

/// Whose eyes requests are looked at with.
pub fn viewer(caller: &Caller) -> Viewer {
    match caller.principal() {
        Principal::Agent { id, .. } => Viewer::Agent(id.clone()),
        Principal::User(_) if caller.is_admin() => Viewer::Admin,
        Principal::User(user) => Viewer::User(user.id.clone()),
    }
}

/// The request of this id, if the caller may see it.
///
/// # Errors
/// `request_not_found`, or the store's.
pub fn find(conn: &Connection, caller: &Caller, id: &str, now: Micros) -> Result<Request, ApiError> {
    let found = requests::visible(conn, &viewer(caller), id, now)?;
    // A credential for certain agents sees nothing of others.
    found.filter(|request| caller.may_touch(&request.agent_id)).ok_or_else(|| codes::REQUEST_NOT_FOUND.into())
}
