//! Finds who is behind the credential of a request: first in memory, then in the store. The gate decides what the
//! caller may do.

use std::sync::Arc;

use hyper::header::ORIGIN;

use super::agentex;
use super::bearer::{Presented, in_query, presented, secret_of};
use super::cookie;
use super::credential_cache::{CredentialCache, VerifiedTokens};
use super::operator::Operators;
use crate::access::caller::{Caller, Who};
use crate::access::refusal::{Bad, key_refused, nobody, unauthenticated};
use crate::access::tokens::jwt::{Audience, Claims, Refused};
use crate::access::tokens::signing_keys::SigningKeys;
use crate::rest::class::Class;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::{Head, Peer};
use crate::rest::route::Need;
use crate::secret::{Kind, SecretHash};
use crate::store::credentials::{Holder, Holding, KeyType};
use crate::store::{self, Store, StoreError, audit, credentials, requests, users};
use crate::time::{Clock, Micros};

/// Finds the principal behind a credential.
pub struct CredentialLookup {
    pub(in crate::access) store: Arc<Store>,
    cache: CredentialCache,
    verified: VerifiedTokens,
    keys: Arc<SigningKeys>,
    operators: Operators,
    clock: Arc<Clock>,
}

/// The principal behind a request, and the audience of its credential.
pub enum Identified {
    /// A caller with its own credential, or with a token for this audience.
    Caller(Caller, Audience),
    /// A key, on a route that takes keys: its scopes are checked at the exchange.
    Key(Caller),
}

/// What a token is good for, asked by a service that received it.
pub struct Standing {
    /// The principal behind it, with its present scopes.
    pub caller: Caller,
    /// The claims of a short-lived token; `None` for other tokens.
    pub claims: Option<Claims>,
    /// True if it is a refresh token.
    pub is_refresh: bool,
}

/// Why no caller was found.
pub enum NotFound {
    /// The credential is not good. This counts as a failed login of the peer.
    Bad(Bad),
    /// The request is refused before any credential is checked, or the store cannot be read.
    Refused(ApiError),
    /// A session's cookie came from a page of another origin.
    CrossOrigin {
        /// The session's credential.
        credential_id: String,
        /// The session's user.
        actor: audit::Actor,
    },
    /// The credential is good, but its agent is frozen.
    Frozen {
        /// The credential's id.
        credential_id: String,
        /// The agent's id.
        agent_id: String,
    },
}

impl From<ApiError> for NotFound {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for NotFound {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Bad> for NotFound {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl CredentialLookup {
    /// A lookup in this store, with nothing cached.
    pub fn new(store: Arc<Store>, keys: Arc<SigningKeys>, clock: Arc<Clock>) -> Self {
        let (cache, verified) = (CredentialCache::default(), VerifiedTokens::default());
        Self { store, keys, clock, cache, verified, operators: Operators::new() }
    }

    /// Returns the principal behind a request to a route.
    ///
    /// # Errors
    /// A [`NotFound`].
    pub fn find(&self, head: &Head, need: &Need) -> Result<Identified, NotFound> {
        // A malicious page can make a browser send any request, with the credential.
        if need.dialect == Dialect::Mcp
            && head.headers.contains_key(ORIGIN)
            && (head.foreign_host || !cookie::is_own_origin(head))
        {
            return Err(ApiError::from(codes::ORIGIN_NOT_ALLOWED).into());
        }
        let presented = match need.dialect {
            Dialect::Agentex => agentex::presented(head)?,
            _ if need.classes.contains(&Class::InQuery) => in_query(head).unwrap_or_else(|| presented(head)),
            _ => presented(head),
        };
        let own = |caller| Identified::Caller(caller, Audience::Api);
        match presented {
            // An external key is valid only for requests that are sent on to its agent.
            Presented::Secret(Kind::AgentKey, hash) if need.dialect == Dialect::Agentex => {
                Ok(own(self.agent_key(head, &hash, KeyType::Internal)?))
            }
            Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => {
                Ok(own(self.holder(head, kind, &hash)?))
            }
            Presented::Secret(..) | Presented::Malformed => Err(Bad::Unverifiable.into()),
            Presented::Key(key) => self.key(head, need, key.map(|(_, hash)| hash)).map(Identified::Key),
            Presented::Token(text) => self.token(head, text),
            Presented::Nothing if head.peer.is_tcp() => match cookie::session(head) {
                // The MCP endpoint takes no cookie: a browser sends cookies by itself.
                Some(_) if need.dialect == Dialect::Mcp => Err(nobody(head, need).into()),
                Some(session) => self.session(head, session).map(own),
                None => Err(nobody(head, need).into()),
            },
            Presented::Nothing => self.operator(head, need).map(own),
        }
    }

    /// Returns the caller behind a Bearer if the cache has it.
    pub fn cached(&self, head: &Head) -> Option<Caller> {
        let hash = match presented(head) {
            Presented::Secret(Kind::AgentToken | Kind::UserToken, hash) => hash,
            Presented::Token(text) => SecretHash::of(text),
            _ => return None,
        };
        self.cache.get(&hash, self.store.state(), head)
    }

    fn holder(&self, head: &Head, kind: Kind, hash: &SecretHash) -> Result<Caller, NotFound> {
        // The state is read before the database: a commit in between makes the entry stale, never wrong.
        let state = self.store.state();
        if let Some(caller) = self.cache.get(hash, state, head) {
            return Ok(caller);
        }
        let holder = self.store.lookup(|conn| credentials::find(conn, hash))?.ok_or(Bad::Dead)?;
        let now = Micros::now();
        if holder.expires_at.is_some_and(|at| at <= now) {
            self.mark_expired(holder.credential_id, now);
            return Err(Bad::Dead.into());
        }
        let holder = usable(Some(holder), |holder| holder.kind == kind && !holder.user.disabled)?;
        self.mark_ended(&holder, now);
        Ok(self.cache.put(*hash, &caller_of(head, holder), state, head.arrived))
    }

    /// Ends a credential that has expired, before the refusal is sent, so that a clock set back does not revive it.
    /// Each credential is written at most once: afterwards it is not found any more. While the clock is in doubt
    /// nothing is written, and the credential is only refused.
    fn mark_expired(&self, id: String, now: Micros) {
        if self.clock.settled().is_none() {
            return;
        }
        if let Err(error) = self.store.write(move |conn| credentials::expire(conn, &id, now)) {
            log::warn!("an expired credential could not be marked: {error}");
        }
    }

    /// Ends approved requests of the holder's agent that are past their end, as [`Self::mark_expired`] does.
    fn mark_ended(&self, holder: &Holder, now: Micros) {
        let lent = holder.agent.as_ref().map(Holding::lent).unwrap_or_default();
        let past: Vec<String> = lent
            .into_iter()
            .filter(|lent| lent.until.is_some_and(|until| until <= now.0))
            .map(|lent| lent.id)
            .collect();
        if past.is_empty() || self.clock.settled().is_none() {
            return;
        }
        let written = self.store.write(move |conn| past.iter().try_for_each(|id| requests::end(conn, id).map(|_| ())));
        if let Err(error) = written {
            log::warn!("requests past their end could not be ended: {error}");
        }
    }

    /// Returns the holder of a key, on a route that takes keys.
    fn key(&self, head: &Head, need: &Need, hash: Option<SecretHash>) -> Result<Caller, NotFound> {
        if !need.classes.contains(&Class::Key) {
            return Err(key_refused().into());
        }
        let hash = hash.ok_or(Bad::Dead)?;
        let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
        let holder = usable(found, is_good_key)?;
        Ok(Caller::from_key(holder, head.request_id.clone()))
    }

    /// Returns the principal of a short-lived token.
    fn token(&self, head: &Head, text: &str) -> Result<Identified, NotFound> {
        let (hash, state) = (SecretHash::of(text), self.store.state());
        if let Some(caller) = self.cache.get(&hash, state, head) {
            return Ok(Identified::Caller(caller, Audience::Api));
        }
        let claims = self.verified(text, hash)?;
        let holder = self.behind_token(&claims)?;
        self.mark_ended(&holder, Micros::now());
        let caller = Caller::from_token(holder, &claims, head.request_id.clone());
        // Every route of the API refuses tokens for other audiences, so the cache does not keep them.
        let caller = match claims.audience {
            Audience::Api => self.cache.put(hash, &caller, state, head.arrived),
            Audience::Mcp | Audience::Service { .. } => caller,
        };
        Ok(Identified::Caller(caller, claims.audience.clone()))
    }

    /// Returns the claims of a short-lived token. Its signature is verified once.
    fn verified(&self, text: &str, hash: SecretHash) -> Result<Arc<Claims>, Bad> {
        let now = Micros::now().0 / Micros::SECOND;
        if let Some(claims) = self.verified.get(&hash, now) {
            return Ok(claims);
        }
        let claims = self.keys.verify(text, now).map(Arc::new).map_err(|refused| match refused {
            Refused::Invalid => Bad::Unverifiable,
            Refused::Expired => Bad::Expired,
        })?;
        self.verified.put(hash, Arc::clone(&claims), now);
        Ok(claims)
    }

    /// Returns the live credential that a token was made from, if it still belongs to the token's subject.
    fn behind_token(&self, claims: &Claims) -> Result<Holder, NotFound> {
        let found = self.store.lookup(|conn| credentials::find_by_id(conn, &claims.credential_id))?;
        usable(found, |holder| {
            let sub = holder.agent.as_ref().map_or(&holder.user.id, |agent| &agent.id);
            is_alive(holder) && *sub == claims.sub && holder.user.id == claims.user_id
        })
    }

    /// Returns the user of a session cookie, if the request comes from one of our own pages.
    fn session(&self, head: &Head, session: Option<SecretHash>) -> Result<Caller, NotFound> {
        // A browser sends cookies by itself, so the `Host` of the request must be one of ours.
        if head.foreign_host {
            return Err(ApiError::from(codes::HOST_NOT_ALLOWED).into());
        }
        let now = Micros::now();
        let hash = session.ok_or(Bad::Dead)?;
        let found = self.store.lookup(|conn| credentials::find_session(conn, &hash, now))?;
        let holder = found.filter(|holder| is_good(holder, Kind::Session)).ok_or(Bad::Dead)?;
        if !cookie::is_same_origin(head) {
            let actor = audit::Actor {
                name: format!("user:{}", holder.user.username),
                id: Some(format!("user:{}", holder.user.id)),
            };
            return Err(NotFound::CrossOrigin { credential_id: holder.credential_id, actor });
        }
        Ok(caller_of(head, holder))
    }

    /// Returns the operator, if the request came over its socket from a user who may use it.
    fn operator(&self, head: &Head, need: &Need) -> Result<Caller, NotFound> {
        let missing = unauthenticated(need.dialect);
        let Peer::Unix { uid, gid, .. } = head.peer else { return Err(ApiError::from(missing).into()) };
        if !self.operators.admit(uid, gid) {
            let refusal =
                ApiError::new(missing).detail("This user is not root, not the daemon's own and not in group taosd.");
            return Err(refusal.into());
        }
        let user = self.store.lookup(users::operator)?.ok_or(Bad::Dead)?;
        Ok(Caller::operator(user, head.request_id.clone()))
    }

    /// Returns the agent of a live Agentex key of this type.
    fn agent_key(&self, head: &Head, hash: &SecretHash, of: KeyType) -> Result<Caller, NotFound> {
        let found = self.store.lookup(|conn| credentials::find(conn, hash))?;
        let holder = usable(found, |holder| holder.key_type == Some(of) && is_good(holder, Kind::AgentKey))?;
        // An external key is good only while its maker still has the needed role on the agent.
        if of == KeyType::External && !self.store.lookup(|conn| agentex::still_gives(conn, &holder))? {
            return Err(Bad::Dead.into());
        }
        Ok(caller_of(head, holder))
    }

    /// Returns the agent whose external key a request to be sent on carries; `None` if it carries none.
    ///
    /// # Errors
    /// A [`NotFound`], also for two credentials.
    pub fn external_key(&self, head: &Head) -> Result<Option<Caller>, NotFound> {
        let Some(key) = agentex::forwarding_key(head)? else { return Ok(None) };
        let hash = key.ok_or(Bad::Dead)?;
        self.agent_key(head, &hash, KeyType::External).map(Some)
    }

    /// Returns what a token is good for now; `None` if for nothing. Keys for the exchange, sessions and Agentex keys
    /// are good for nothing here.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub fn standing(&self, head: &Head, text: &str) -> Result<Option<Standing>, ApiError> {
        let (holder, claims) = match secret_of(text) {
            Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => {
                let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
                (found.filter(|holder| is_good(holder, kind)), None)
            }
            Presented::Token(text) => {
                let Ok(claims) = self.keys.verify(text, Micros::now().0 / Micros::SECOND) else { return Ok(None) };
                match self.behind_token(&claims) {
                    Ok(holder) => (Some(holder), Some(claims)),
                    Err(NotFound::Refused(refusal)) => return Err(refusal),
                    Err(_) => (None, None),
                }
            }
            _ => (None, None),
        };
        let Some(holder) = holder.filter(|holder| !holder.is_frozen()) else { return Ok(None) };
        let caller = match &claims {
            Some(claims) => Caller::from_token(holder, claims, head.request_id.clone()),
            None => caller_of(head, holder),
        };
        Ok(Some(Standing { caller, claims, is_refresh: false }))
    }

    /// Returns what the refresh token of this grant is good for.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn standing_of_grant(&self, head: &Head, id: &str) -> store::Result<Option<Standing>> {
        let holder = self.store.lookup(|conn| credentials::find_by_id(conn, id))?;
        let holder = holder.filter(|holder| is_good(holder, Kind::OauthGrant) && !holder.is_frozen());
        Ok(holder.map(|holder| Standing { caller: caller_of(head, holder), claims: None, is_refresh: true }))
    }

    /// Returns who is behind a credential that is to be exchanged: a key or an agent's own token. For an enrollment
    /// that is its issuer.
    ///
    /// # Errors
    /// A [`NotFound`].
    pub fn exchangeable(
        &self,
        head: &Head,
        need: &Need,
        shown: Presented<'_>,
    ) -> Result<(Caller, Kind, SecretHash), NotFound> {
        let (kind, hash) = match shown {
            Presented::Nothing => return Err(nobody(head, need).into()),
            Presented::Key(Some((kind, hash)))
            | Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => (kind, hash),
            _ => return Err(Bad::Dead.into()),
        };
        let found = self.store.lookup(|conn| credentials::find_exchangeable(conn, &hash))?;
        let holder = usable(found, |holder| is_good(holder, kind) || is_good_key(holder))?;
        Ok((Caller::from_key(holder, head.request_id.clone()), kind, hash))
    }

    /// Returns the user behind a token in a body, to open a session.
    ///
    /// # Errors
    /// A [`NotFound`]; `user_token_required` for an agent's live token.
    pub fn user_of_token(&self, head: &Head, text: &str) -> Result<Caller, NotFound> {
        let (kind, hash) = match secret_of(text) {
            Presented::Secret(kind @ (Kind::UserToken | Kind::AgentToken), hash) => (kind, hash),
            _ => return Err(Bad::Unverifiable.into()),
        };
        let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
        if kind == Kind::AgentToken {
            usable(found, is_alive)?;
            return Err(ApiError::from(codes::USER_TOKEN_REQUIRED).into());
        }
        let holder = found.filter(|holder| is_good(holder, Kind::UserToken)).ok_or(Bad::Dead)?;
        Ok(caller_of(head, holder))
    }

    /// Returns the user behind a token, found by the credential's id, to open a session with a login link.
    ///
    /// # Errors
    /// A [`NotFound`].
    pub fn user_of_credential(&self, head: &Head, id: &str) -> Result<Caller, NotFound> {
        let holder = self.store.lookup(|conn| credentials::find_by_id(conn, id))?;
        let holder = holder.filter(|holder| is_good(holder, Kind::UserToken)).ok_or(Bad::Dead)?;
        Ok(caller_of(head, holder))
    }

    /// Returns the caller behind a live credential of this kind, found by its id.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn behind(&self, head: &Head, id: &str, kind: Kind) -> store::Result<Option<Caller>> {
        let holder = self.store.lookup(|conn| credentials::find_by_id(conn, id))?;
        Ok(holder.filter(|holder| is_good(holder, kind)).map(|holder| caller_of(head, holder)))
    }

    /// Returns the user of the session that a page was opened with; `None` if there is no session or it has ended.
    /// Reading a page changes nothing, so no origin check is needed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub fn session_of(&self, head: &Head) -> store::Result<Option<Caller>> {
        if head.foreign_host {
            return Ok(None);
        }
        let Some(Some(hash)) = cookie::session(head) else { return Ok(None) };
        let now = Micros::now();
        let found = self.store.lookup(|conn| credentials::find_session(conn, &hash, now))?;
        Ok(found.filter(|holder| is_good(holder, Kind::Session)).map(|holder| caller_of(head, holder)))
    }
}

fn caller_of(head: &Head, holder: Holder) -> Caller {
    Caller::new(Arc::new(Who::from_holder(holder)), head.request_id.clone())
}

/// Returns the holder if it is good and its agent is not frozen. The reply says "frozen" only to who holds a good
/// credential.
fn usable(found: Option<Holder>, is_good: impl Fn(&Holder) -> bool) -> Result<Holder, NotFound> {
    let holder = found.filter(is_good).ok_or(Bad::Dead)?;
    match &holder.agent {
        Some(agent) if agent.frozen => {
            Err(NotFound::Frozen { agent_id: agent.id.clone(), credential_id: holder.credential_id })
        }
        _ => Ok(holder),
    }
}

/// True if the credential has not expired and its user is not disabled.
pub(in crate::access) fn is_alive(holder: &Holder) -> bool {
    holder.expires_at.is_none_or(|at| at > Micros::now()) && !holder.user.disabled
}

fn is_good(holder: &Holder, kind: Kind) -> bool {
    holder.kind == kind && is_alive(holder)
}

fn is_good_key(holder: &Holder) -> bool {
    [Kind::UserPat, Kind::AgentPat, Kind::Enrollment].iter().any(|kind| is_good(holder, *kind))
}
