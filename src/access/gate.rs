//! The access check: credential, throttle, channel, class, audience, scope, role, in this order (taOS contract, section
//! 1; aX contract, section 5).

use std::sync::Arc;
use std::time::Instant;

use super::allowance::{Allowance, Amount};
use super::authorize::{Bad, key_refused, nobody};
use super::caller::{Caller, Who};
use super::denials::Denials;
use super::fingerprints::Fingerprints;
use super::last_used::LastUsed;
use super::lookup::agentex;
use super::lookup::bearer::{Presented, in_query, presented};
use super::lookup::cookie;
use super::lookup::credential_cache::CredentialCache;
use super::lookup::credential_lookup::is_good_key;
use super::lookup::operator::Operators;
use super::presence::Presence;
use super::throttle::Throttle;
use super::tokens::jwt::{Audience, Refused};
use super::tokens::signing_keys::SigningKeys;
use crate::config::{BindCredentials, LiveConfig, Watched};
use crate::limits::BACKUPS_PER_HOUR;
use crate::rest::action::Action;
use crate::rest::class::Class;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::{Head, Peer};
use crate::rest::route::Need;
use crate::secret::Kind;
use crate::store::{Store, credentials, users};
use crate::time::{Clock, Micros};

/// Lets requests in or turns them away.
pub struct Gate {
    pub(super) store: Arc<Store>,
    pub(super) operators: Operators,
    requests: Throttle,
    pub(super) failed_logins: Throttle,
    notifications: Throttle,
    pub(super) last_used: LastUsed,
    pub(super) denials: Denials,
    /// Repeated actions of a principal, which the audit counts.
    pub(super) repeats: Denials,
    /// What principals may write.
    pub allowance: Allowance,
    /// Backups that are asked for.
    pub backups: Throttle,
    pub(super) known: CredentialCache,
    pub(super) fingerprints: Fingerprints,
    /// How to treat a credential of one agent on another agent's socket.
    pub(super) bind_credentials: Watched<BindCredentials>,
    pub(super) clock: Arc<Clock>,
    /// The keys that sign short-lived tokens.
    pub keys: SigningKeys,
    /// Which agents were seen lately.
    pub presence: Presence,
}

impl Gate {
    /// A gate that goes by these settings.
    pub fn new(store: Arc<Store>, config: &Arc<LiveConfig>, keys: SigningKeys, clock: Arc<Clock>) -> Self {
        Self {
            store,
            operators: Operators::new(),
            requests: Throttle::new(config.watch(|now| now.limits.requests_per_minute)),
            failed_logins: Throttle::new(config.watch(|now| now.limits.failed_logins_per_minute)),
            notifications: Throttle::new(config.watch(|now| now.limits.notify_rate())),
            last_used: LastUsed::default(),
            denials: Denials::default(),
            repeats: Denials::default(),
            allowance: Allowance::new(config.watch(|now| {
                let (rows, bytes) = now.limits.write_share();
                Amount { rows, bytes }
            })),
            backups: Throttle::hourly(BACKUPS_PER_HOUR),
            known: CredentialCache::default(),
            fingerprints: Fingerprints::new(config.watch(|now| now.ax.fingerprint_policy)),
            bind_credentials: config.watch(|now| now.containers.bind_credentials),
            clock,
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
            _ if need.classes.contains(&Class::InQuery) => in_query(head).unwrap_or_else(|| presented(head)),
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
                None => Err(nobody(head, need)),
            },
            Presented::Nothing => self.operator(head, need),
        }
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

    /// The caller, if the data in memory allows the request. `None` decides nothing: call [`Gate::admit`].
    pub fn admit_known(&self, head: &Head, action: Action) -> Option<Caller> {
        let Presented::Secret(Kind::AgentToken | Kind::UserToken, hash) = presented(head) else { return None };
        let who = self.known.get(&hash, self.store.version(), head.arrived)?;
        let caller = Caller::new(who, head.request_id.clone());
        let channel = match &head.peer {
            Peer::Agent { id } => caller.agent_id() == Some(id),
            Peer::Ip(_) | Peer::Unix { .. } => true,
        };
        // Where it comes from is looked at with more time.
        if !channel || !may(&caller, action) || Fingerprints::are_in(head) {
            return None;
        }
        self.requests.take(caller.account(), head.arrived).ok()?;
        self.note(head, &caller).ok()?;
        Some(caller)
    }

    /// Whether a caller that was admitted earlier would be admitted now; for streams, which outlast their request.
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
                log::warn!("a credential could not be checked again: {error}");
                false
            }
        }
    }

    pub(super) fn throttle(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        // On the operator's socket nobody's token can use up what the operator has.
        let taken = match caller.credential_id() {
            Some(_) => self.requests.take(caller.account(), head.arrived),
            None => self.requests.take(&head.peer.key(), head.arrived),
        };
        taken.map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This principal has sent too many requests in this minute.")
                .retry_after(seconds)
        })
    }

    fn throttle_notifications(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        self.notifications.take(&caller.principal_key(), head.arrived).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This principal has sent too many notifications in this minute.")
                .retry_after(seconds)
        })
    }

    /// Counts a peer's request to a public route that needs a rate limit.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn throttle_public(&self, head: &Head) -> Result<(), ApiError> {
        let key = format!("public:{}", head.peer.key());
        self.failed_logins
            .take(&key, Instant::now())
            .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))
    }
}

/// True if the caller's scopes and role allow an action.
fn may(caller: &Caller, action: Action) -> bool {
    caller.scopes().allow(action) && (!action.is_admin() || caller.is_admin())
}
