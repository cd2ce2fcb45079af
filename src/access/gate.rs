//! The access check: credential, throttle, channel, class, audience, scope, role, in this order (taOS contract, section
//! 1; aX contract, section 5).

use std::sync::Arc;
use std::time::Instant;

use hyper::http::StatusCode;

use super::action::Action;
use super::agentex;
use super::bearer::{Presented, presented};
use super::caller::{Caller, Who};
use super::class::Class;
use super::cookie;
use super::denials::Denials;
use super::fingerprints::Fingerprints;
use super::judge::{Bad, Need, key_refused, unauthenticated};
use super::jwt::{Audience, Claims, Refused};
use super::known::Known;
use super::last_used::LastUsed;
use super::operator::Operators;
use super::presence::Presence;
use super::signing_keys::SigningKeys;
use super::throttle::Throttle;
use crate::config::{BindCredentials, Live, Watched};
use crate::http::codes;
use crate::http::error::{ApiError, Dialect};
use crate::http::head::{Head, Peer};
use crate::secret::{Kind, SecretHash};
use crate::store::credentials::Holder;
use crate::store::{self, Store, audit, credentials, users};
use crate::time::Micros;

/// Lets requests in or turns them away.
pub struct Gate {
    pub(super) store: Arc<Store>,
    operators: Operators,
    requests: Throttle,
    pub(super) failed_logins: Throttle,
    notifications: Throttle,
    pub(super) last_used: LastUsed,
    denials: Denials,
    known: Known,
    fingerprints: Fingerprints,
    /// What becomes of a credential on another agent's socket.
    pub(super) bind_credentials: Watched<BindCredentials>,
    /// The keys that sign short-lived tokens.
    pub keys: SigningKeys,
    /// Which agents were seen lately.
    pub presence: Presence,
}

impl Gate {
    /// A gate that goes by these settings.
    pub fn new(store: Arc<Store>, config: &Arc<Live>, keys: SigningKeys) -> Self {
        Self {
            store,
            operators: Operators::new(),
            requests: Throttle::new(config.watch(|now| now.limits.requests_per_minute)),
            failed_logins: Throttle::new(config.watch(|now| now.limits.failed_logins_per_minute)),
            notifications: Throttle::new(config.watch(|now| now.limits.notify_rate())),
            last_used: LastUsed::default(),
            denials: Denials::default(),
            known: Known::default(),
            fingerprints: Fingerprints::new(config.watch(|now| now.ax.fingerprint_policy)),
            bind_credentials: config.watch(|now| now.containers.bind_credentials),
            keys,
            presence: Presence::default(),
        }
    }

    /// The caller of a route.
    ///
    /// # Errors
    /// 401, 429 or 403, or the store's.
    pub fn admit(&self, head: &Head, need: &Need) -> Result<Caller, ApiError> {
        let refuse = |bad| Err(self.refuse_credential(head, need, bad));
        let presented = match need.dialect {
            Dialect::Agentex => agentex::presented(head)?,
            _ => presented(head),
        };
        match presented {
            Presented::Secret(Kind::AgentKey, hash) if need.dialect == Dialect::Agentex => {
                // A key from outside is nobody but for what is sent on to its agent.
                match self.agent_key(head, &hash, "internal")? {
                    Some(caller) => self.pass(head, need, caller, Audience::Api),
                    None => refuse(Bad::Dead),
                }
            }
            Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => {
                match self.holder(head, kind, &hash)? {
                    Some(caller) => self.pass(head, need, caller, Audience::Api),
                    None => refuse(Bad::Dead),
                }
            }
            Presented::Secret(..) | Presented::Malformed => refuse(Bad::Unverifiable),
            Presented::Key(key) => match key {
                _ if !need.classes.contains(&Class::Key) => Err(key_refused()),
                None => refuse(Bad::Dead),
                Some((_, hash)) => {
                    let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
                    match found.filter(is_good_key) {
                        Some(holder) => self.pass_as(head, need, Caller::from_key(holder, head.request_id.clone())),
                        None => refuse(Bad::Dead),
                    }
                }
            },
            Presented::Token(text) => match self.keys.verify(text, Micros::now().0 / Micros::SECOND) {
                Err(Refused::Invalid) => refuse(Bad::Unverifiable),
                Err(Refused::Expired) => refuse(Bad::Expired),
                Ok(claims) => match self.behind(&claims)? {
                    Some(holder) => {
                        let caller = Caller::from_token(holder, &claims, head.request_id.clone());
                        self.pass(head, need, caller, claims.audience)
                    }
                    None => refuse(Bad::Dead),
                },
            },
            Presented::Nothing if head.peer.is_tcp() => match cookie::session(head) {
                Some(session) => self.by_cookie(head, need, session),
                None => Err(unauthenticated(need.dialect).into()),
            },
            Presented::Nothing => self.operator(head, need),
        }
    }

    /// The live credential behind a token, if it still belongs to whom the token says.
    fn behind(&self, claims: &Claims) -> Result<Option<Holder>, ApiError> {
        let found = self.store.lookup(|conn| credentials::find_by_id(conn, &claims.credential_id))?;
        Ok(found.filter(|holder| {
            let sub = holder.agent.as_ref().map_or(&holder.user.id, |agent| &agent.id);
            is_alive(holder) && *sub == claims.sub && holder.user.id == claims.user_id
        }))
    }

    pub(super) fn pass(
        &self,
        head: &Head,
        need: &Need,
        caller: Caller,
        audience: Audience,
    ) -> Result<Caller, ApiError> {
        let caller = self.pass_as(head, need, caller)?;
        // No route here is for another audience; a class that is refused has been told by now.
        if audience != Audience::Api {
            return Err(self.denied(head, &caller, need, ApiError::new(codes::AUDIENCE_NOT_ALLOWED).with_status(403)));
        }
        self.check_scope_and_role(head, &caller, need)?;
        Ok(caller)
    }

    /// Channel, throttle, bookkeeping, class.
    fn pass_as(&self, head: &Head, need: &Need, caller: Caller) -> Result<Caller, ApiError> {
        self.check_channel(head, &caller, need)?;
        self.throttle(head, &caller)?;
        if need.action == Action::UiNotify {
            self.throttle_notifications(head, &caller)?;
        }
        self.note(head, &caller)?;
        self.check_class(head, &caller, need)?;
        Ok(caller)
    }

    /// The caller, where what is in memory says yes to everything. `None` says nothing: [`Gate::admit`] has to look.
    pub fn admit_known(&self, head: &Head, action: Action) -> Option<Caller> {
        let Presented::Secret(Kind::AgentToken | Kind::UserToken, hash) = presented(head) else { return None };
        let who = self.known.get(&hash, self.store.version(), head.arrived)?;
        let caller = Caller::new(who, head.request_id.clone());
        let id = caller.credential_id()?;
        let channel = match &head.peer {
            Peer::Agent { id } => caller.agent_id() == Some(id),
            Peer::Ip(_) | Peer::Unix { .. } => true,
        };
        // Where it comes from is looked at with more time.
        if !channel || !may(&caller, action) || Fingerprints::are_in(head) {
            return None;
        }
        self.requests.take(id, head.arrived).ok()?;
        self.note(head, &caller).ok()?;
        Some(caller)
    }

    /// Whether a caller admitted some time ago would be let in again: for what outlasts its request.
    pub fn is_still_good(&self, caller: &Caller, action: Action) -> bool {
        if caller.expires_at().is_some_and(|at| at <= Micros::now()) {
            return false;
        }
        let found = match caller.credential_id() {
            Some(id) => self.store.lookup(|conn| credentials::find_by_id(conn, id)).map(|holder| {
                holder
                    .filter(|holder| !holder.user.disabled && holder.expires_at.is_none_or(|at| at > Micros::now()))
                    .map(|holder| Caller::new(Arc::new(Who::from_holder(holder)), String::new()))
            }),
            None => self.store.lookup(users::operator).map(|user| {
                user.filter(|user| user.id == caller.user().id).map(|user| Caller::operator(user, String::new()))
            }),
        };
        match found {
            Ok(now) => now.is_some_and(|now| may(&now, action)),
            Err(error) => {
                log::warn!("a credential could not be looked at again: {error}");
                false
            }
        }
    }

    fn holder(&self, head: &Head, kind: Kind, hash: &SecretHash) -> Result<Option<Caller>, ApiError> {
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

    /// Ends a credential that was seen to be expired, so that a clock set back does not revive it. At most one write
    /// a credential: afterwards it is not found any more.
    fn mark_expired(&self, id: String, now: Micros) {
        self.store.submit(
            move |conn| credentials::expire(conn, &id, now),
            |marked: store::Result<()>| {
                if let Err(error) = marked {
                    log::warn!("an expired credential could not be marked: {error}");
                }
            },
        );
    }

    pub(super) fn throttle(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        let key = caller.credential_id().map_or_else(|| head.peer.key(), str::to_owned);
        self.requests.take(&key, head.arrived).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This credential has used up its requests of this minute.")
                .retry_after(seconds)
        })
    }

    fn throttle_notifications(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        self.notifications.take(&caller.principal_key(), head.arrived).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This principal has used up its notifications of this minute.")
                .retry_after(seconds)
        })
    }

    /// Counts a request of a peer at a public route that could be flooded.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn throttle_public(&self, head: &Head) -> Result<(), ApiError> {
        let key = format!("public:{}", head.peer.key());
        self.failed_logins
            .take(&key, Instant::now())
            .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))
    }

    /// Notes that the credential was used, by whom and from where.
    fn note(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        let Some(known) = caller.fingerprints() else { return Ok(()) };
        let now = Micros::now();
        self.last_used.note(known.credential_id, now);
        if let Some(agent) = caller.agent_id() {
            self.presence.note(agent, now);
        }
        let Some((surprise, worth_telling)) = self.fingerprints.note(head, known, now) else { return Ok(()) };
        let denies = self.fingerprints.denies();
        if worth_telling {
            self.record(vec![audit::Entry {
                at: now,
                actor: caller.actor(),
                action: surprise.event().to_owned(),
                resource: format!("credential:{}", known.credential_id),
                outcome: if denies { audit::Outcome::Denied } else { audit::Outcome::Ok },
                count: 1,
                request_id: head.request_id.clone(),
            }]);
        }
        if denies { Err(ApiError::new(codes::FINGERPRINT_MISMATCH).with_status(403)) } else { Ok(()) }
    }

    /// The user behind a session cookie, if the request comes from a page of ours.
    fn by_cookie(&self, head: &Head, need: &Need, session: Option<SecretHash>) -> Result<Caller, ApiError> {
        let now = Micros::now();
        let found = match session {
            Some(hash) => self.store.lookup(|conn| credentials::find_session(conn, &hash, now))?,
            None => None,
        };
        let Some(holder) = found.filter(|holder| is_good(holder, Kind::Session)) else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        if !cookie::is_same_origin(head) {
            self.deny(&holder.credential_id, format!("user:{}", holder.user.username), need.action, head);
            return Err(codes::CSRF_REFUSED.into());
        }
        let caller = Caller::new(Arc::new(Who::from_holder(holder)), head.request_id.clone());
        self.pass(head, need, caller, Audience::Api)
    }

    /// The operator, if the request came over its socket from someone who may use it.
    fn operator(&self, head: &Head, need: &Need) -> Result<Caller, ApiError> {
        let missing = unauthenticated(need.dialect);
        let Peer::Unix { uid, gid, .. } = head.peer else { return Err(missing.into()) };
        if !self.operators.admit(uid, gid) {
            return Err(
                ApiError::new(missing).detail("This user is not root, not the daemon's own and not in group taosd.")
            );
        }
        let Some(user) = self.store.lookup(users::operator)? else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        let caller = Caller::operator(user, head.request_id.clone());
        self.throttle(head, &caller)?;
        if need.action == Action::UiNotify {
            self.throttle_notifications(head, &caller)?;
        }
        self.check_class(head, &caller, need)?;
        self.check_scope_and_role(head, &caller, need)?;
        Ok(caller)
    }

    /// Records a denial, aggregated.
    pub(super) fn deny(&self, key: &str, actor: String, action: Action, head: &Head) {
        self.record(self.denials.note(key, entry(actor, action, head)));
    }

    /// Records that a caller was denied, aggregated.
    pub fn deny_caller(&self, caller: &Caller, action: Action, head: &Head) {
        self.deny(&key_of(caller), caller.actor(), action, head);
    }

    /// Watches over an admitted call, so that a refusal by its handler is recorded as well.
    pub fn watch(self: &Arc<Self>, caller: &Caller, action: Action, head: &Head) -> Watch {
        Watch { gate: Arc::clone(self), key: key_of(caller), entry: entry(caller.actor(), action, head) }
    }

    /// Writes what is due: uses of credentials and counts of denials. `all`: also the running minutes.
    pub fn flush(&self, all: bool) {
        self.record(self.denials.take(Micros::now(), all));
        let (uses, fingerprints) = (self.last_used.take(), self.fingerprints.take(Micros::now()));
        if uses.is_empty() && fingerprints.is_empty() {
            return;
        }
        let written = self.store.write({
            let (uses, fingerprints) = (uses.clone(), fingerprints.clone());
            move |conn| {
                credentials::touch(conn, &uses)?;
                credentials::add_fingerprints(conn, &fingerprints)
            }
        });
        if let Err(error) = written {
            log::warn!("the last uses of credentials could not be written, trying again later: {error}");
            self.last_used.put_back(uses);
            self.fingerprints.put_back(fingerprints);
        }
    }

    fn record(&self, entries: Vec<audit::Entry>) {
        if entries.is_empty() {
            return;
        }
        self.store.submit(
            move |conn| entries.iter().try_for_each(|entry| audit::append(conn, entry)),
            |written| {
                if let Err(error) = written {
                    log::error!("denials could not be recorded: {error}");
                }
            },
        );
    }
}

/// True if the caller's scopes and role do for an action.
fn may(caller: &Caller, action: Action) -> bool {
    caller.scopes().allow(action) && (!action.is_admin() || caller.is_admin())
}

/// Neither expired nor of a disabled user.
pub(super) fn is_alive(holder: &Holder) -> bool {
    holder.expires_at.is_none_or(|at| at > Micros::now()) && !holder.user.disabled
}

pub(super) fn is_good(holder: &Holder, kind: Kind) -> bool {
    holder.kind == kind.as_str() && is_alive(holder)
}

pub(super) fn is_good_key(holder: &Holder) -> bool {
    [Kind::UserPat, Kind::AgentPat, Kind::Enrollment].iter().any(|kind| is_good(holder, *kind))
}

/// What an admitted call is recorded as if its handler refuses it.
pub struct Watch {
    gate: Arc<Gate>,
    key: String,
    entry: audit::Entry,
}

impl Watch {
    /// Records the refusal if it is one for want of rights: a role, a grant or a scope.
    pub fn saw(&self, error: &ApiError) {
        if error.status() == StatusCode::FORBIDDEN {
            let entry = audit::Entry { at: Micros::now(), ..self.entry.clone() };
            self.gate.record(self.gate.denials.note(&self.key, entry));
        }
    }
}

/// What denials are counted by: the credential; on the operator's socket, which needs none, the principal.
fn key_of(caller: &Caller) -> String {
    caller.credential_id().map_or_else(|| caller.actor(), str::to_owned)
}

fn entry(actor: String, action: Action, head: &Head) -> audit::Entry {
    audit::Entry {
        at: Micros::now(),
        actor,
        action: action.slug().to_owned(),
        resource: format!("{} {}", head.method, head.raw_path.chars().take(256).collect::<String>()),
        outcome: audit::Outcome::Denied,
        count: 1,
        request_id: head.request_id.clone(),
    }
}
