//! The present rights of a caller that was admitted earlier. A request may wait after its admission, for its body, for
//! news or for the writer, and what the caller may do can end meanwhile.

use rusqlite::Connection;

use super::authorize;
use super::caller::Caller;
use super::gate::Gate;
use super::lookup::credential_lookup::is_alive;
use super::refusal::{Bad, frozen};
use crate::rest::action::Action;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::store::{self, agents, credentials, users};
use crate::time::Micros;

impl Gate {
    /// Gives a caller that was admitted earlier its present rights; for streams and waits, which outlast their request.
    /// False if its credential has ended, or if it may no longer do all these actions.
    #[must_use]
    pub fn renew(&self, caller: &mut Caller, actions: &[Action]) -> bool {
        match self.lookup.store.lookup(|conn| found_again(conn, caller)) {
            Ok(Some(now)) => {
                *caller = now;
                actions.iter().all(|action| authorize::may(caller, *action))
            }
            Ok(None) => false,
            Err(error) => {
                log::warn!("a credential could not be checked again: {error}");
                false
            }
        }
    }

    /// Returns a caller that was admitted before its request waited, with its present rights. Reads nothing if nothing
    /// was committed since.
    ///
    /// # Errors
    /// Those of [`require_still_good`].
    pub fn renewed(&self, caller: &Caller, action: Action, dialect: Dialect) -> Result<Caller, ApiError> {
        let store = &self.lookup.store;
        if caller.rights_read().is_some_and(|rights| rights.state == store.state()) && !caller.is_expired() {
            // What was lent for a time may be over.
            return Ok(caller.again(caller.request_id().to_owned()));
        }
        store.read(|conn| require_still_good(conn, caller, action, dialect))
    }
}

/// Returns a caller found earlier with its present rights; `None` if its credential is no longer good.
///
/// # Errors
/// Any [`store::StoreError`].
pub fn found_again(conn: &Connection, caller: &Caller) -> store::Result<Option<Caller>> {
    if caller.expires_at().is_some_and(|at| at <= Micros::now()) {
        return Ok(None);
    }
    credential_again(conn, caller)
}

/// As [`found_again`], for the credential itself: a short-lived token may have run out.
fn credential_again(conn: &Connection, caller: &Caller) -> store::Result<Option<Caller>> {
    match caller.credential_id() {
        Some(id) => {
            let found = credentials::find_by_id(conn, id)?;
            let good = found.filter(|holder| is_alive(holder) && !holder.is_frozen());
            Ok(good.map(|holder| caller.renewed(holder)))
        }
        None => {
            let user = users::operator(conn)?.filter(|user| user.id == caller.user().id);
            Ok(user.map(|user| Caller::operator(user, caller.request_id().to_owned())))
        }
    }
}

/// Returns a caller that was admitted earlier with its present rights; for work that outlasts its request's admission:
/// the body may have come slowly, or the request waited. A short-lived token need only be good at the admission: a slow
/// body may take longer than is left of it. The refusals are those of the dialect.
///
/// # Errors
/// 401 if its credential has ended or is frozen by now, 403 if it may no longer do `action`, or a
/// [`store::StoreError`].
pub fn require_still_good(
    conn: &Connection,
    caller: &Caller,
    action: Action,
    dialect: Dialect,
) -> Result<Caller, ApiError> {
    if caller.presents_key() {
        // The exchange reads the key itself again, in its transaction. A repeat may present one that is used up.
        let is_frozen = caller.agent_id().map(|id| agents::is_frozen(conn, id)).transpose()?;
        return if is_frozen == Some(true) { Err(frozen()) } else { Ok(caller.clone()) };
    }
    if let Some(now) = credential_again(conn, caller)? {
        authorize::kept(caller, &now, action, dialect)?;
        return Ok(now);
    }
    Err(match caller.agent_id() {
        Some(id) if agents::is_frozen(conn, id)? => frozen(),
        _ => Bad::Dead.refusal(dialect),
    })
}

/// Checks that a caller has lost no right since its admission, for work that was partly decided then.
///
/// # Errors
/// `scope_denied`, or what the dialect says for it.
pub fn require_no_less(before: &Caller, now: &Caller, dialect: Dialect) -> Result<(), ApiError> {
    let (had, has) = (before.lasting_scopes(), now.lasting_scopes());
    let is_less = (had != has && has.first_not_covered(had).is_some())
        || (before.is_admin() && !now.is_admin())
        || before.only_agents() != now.only_agents();
    if !is_less {
        return Ok(());
    }
    let code = if dialect == Dialect::Ax { codes::INSUFFICIENT_SCOPE } else { codes::SCOPE_DENIED };
    Err(ApiError::new(code).detail("The caller's rights were narrowed while the request was under way. Send it again."))
}
