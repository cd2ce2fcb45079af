//! Who is behind what a request presents: looked up among what is known, else in the store.

use std::sync::Arc;

use super::cookie;
use crate::access::authorize::{Bad, unauthenticated};
use crate::access::caller::{Caller, Who};
use crate::access::gate::Gate;
use crate::access::tokens::jwt::{Audience, Claims};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::head::{Head, Peer};
use crate::rest::route::Need;
use crate::secret::{Kind, SecretHash};
use crate::store::credentials::Holder;
use crate::store::{audit, credentials, users};
use crate::time::Micros;

impl Gate {
    pub(crate) fn holder(&self, head: &Head, kind: Kind, hash: &SecretHash) -> Result<Option<Caller>, ApiError> {
        // Read before the database: a commit in between makes the entry stale, never wrong.
        let version = self.store.version();
        let caller = |who| Caller::new(who, head.request_id.clone());
        if let Some(who) = self.known.get(hash, version, head.arrived) {
            return Ok(Some(caller(who)));
        }
        let Some(holder) = self.store.lookup(|conn| credentials::find(conn, hash))? else { return Ok(None) };
        let now = Micros::now();
        if holder.expires_at.is_some_and(|at| at <= now) {
            self.mark_expired(holder.credential_id, now);
            return Ok(None);
        }
        if holder.kind != kind.as_str() || holder.user.disabled {
            return Ok(None);
        }
        let who = Arc::new(Who::from_holder(holder));
        self.known.put(*hash, Arc::clone(&who), version, head.arrived);
        Ok(Some(caller(who)))
    }

    /// Ends a credential that was seen to be expired, before anybody is told, so that a clock set back does not revive it.
    /// At most one write a credential: afterwards it is not found any more. A clock in doubt only refuses.
    fn mark_expired(&self, id: String, now: Micros) {
        if self.clock.settled().is_none() {
            return;
        }
        if let Err(error) = self.store.write(move |conn| credentials::expire(conn, &id, now)) {
            log::warn!("an expired credential could not be marked: {error}");
        }
    }

    /// The live credential behind a token, if it still belongs to whom the token says.
    pub(crate) fn behind(&self, claims: &Claims) -> Result<Option<Holder>, ApiError> {
        let found = self.store.lookup(|conn| credentials::find_by_id(conn, &claims.credential_id))?;
        Ok(found.filter(|holder| {
            let sub = holder.agent.as_ref().map_or(&holder.user.id, |agent| &agent.id);
            is_alive(holder) && *sub == claims.sub && holder.user.id == claims.user_id
        }))
    }

    /// The user behind a session cookie, if the request comes from a page of ours.
    pub(crate) fn by_cookie(&self, head: &Head, need: &Need, session: Option<SecretHash>) -> Result<Caller, ApiError> {
        // A cookie is what a browser sends by itself, whatever else the page has put into the request.
        if head.foreign_host {
            return Err(codes::HOST_NOT_ALLOWED.into());
        }
        let now = Micros::now();
        let found = match session {
            Some(hash) => self.store.lookup(|conn| credentials::find_session(conn, &hash, now))?,
            None => None,
        };
        let Some(holder) = found.filter(|holder| is_good(holder, Kind::Session)) else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        if !cookie::is_same_origin(head) {
            let actor = audit::Actor {
                name: format!("user:{}", holder.user.username),
                id: Some(format!("user:{}", holder.user.id)),
            };
            self.deny(&holder.credential_id, actor, need.action, head);
            return Err(codes::CSRF_REFUSED.into());
        }
        let caller = Caller::new(Arc::new(Who::from_holder(holder)), head.request_id.clone());
        self.pass(head, need, caller, Audience::Api)
    }

    /// The operator, if the request came over its socket from someone who may use it.
    pub(crate) fn operator(&self, head: &Head, need: &Need) -> Result<Caller, ApiError> {
        let missing = unauthenticated(need.dialect);
        let Peer::Unix { uid, gid, .. } = head.peer else { return Err(missing.into()) };
        if !self.operators.admit(uid, gid) {
            return Err(ApiError::new(missing)
                .detail("The Unix user is not root, not the daemon's own user and not in the group taosd."));
        }
        let Some(user) = self.store.lookup(users::operator)? else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        let caller = Caller::operator(user, head.request_id.clone());
        self.pass(head, need, caller, Audience::Api)
    }
}

/// Neither expired nor of a disabled user.
pub(crate) fn is_alive(holder: &Holder) -> bool {
    holder.expires_at.is_none_or(|at| at > Micros::now()) && !holder.user.disabled
}

pub(crate) fn is_good(holder: &Holder, kind: Kind) -> bool {
    holder.kind == kind.as_str() && is_alive(holder)
}

pub(crate) fn is_good_key(holder: &Holder) -> bool {
    [Kind::UserPat, Kind::AgentPat, Kind::Enrollment].iter().any(|kind| is_good(holder, *kind))
}
