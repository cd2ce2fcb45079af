//! The access check: credential, throttle, scope, role, in this order (taOS contract, section 1).

use std::sync::Arc;
use std::time::Instant;

use super::action::Action;
use super::bearer::{Presented, presented};
use super::caller::{Caller, Who};
use super::denials::Denials;
use super::known::Known;
use super::last_used::LastUsed;
use super::operator::Operators;
use super::throttle::Throttle;
use crate::config::BindCredentials;
use crate::http::codes;
use crate::http::error::ApiError;
use crate::http::head::{Head, Peer};
use crate::limits::Limits;
use crate::secret::{Kind, SecretHash};
use crate::store::{self, Store, audit, credentials, users};
use crate::time::Micros;

/// Lets requests in or turns them away.
pub struct Gate {
    store: Arc<Store>,
    operators: Operators,
    requests: Throttle,
    failed_logins: Throttle,
    notifications: Throttle,
    last_used: LastUsed,
    denials: Denials,
    known: Known,
    bind_credentials: BindCredentials,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(store: Arc<Store>, limits: &Limits, bind_credentials: BindCredentials) -> Self {
        Self {
            store,
            operators: Operators::new(),
            requests: Throttle::new(limits.requests_per_minute),
            failed_logins: Throttle::new(limits.failed_logins_per_minute),
            notifications: Throttle::new(if limits.requests_per_minute == 0 { 0 } else { limits.notify_per_minute }),
            last_used: LastUsed::default(),
            denials: Denials::default(),
            known: Known::default(),
            bind_credentials,
        }
    }

    /// The caller of a route that needs `action`.
    ///
    /// # Errors
    /// 401, 429 or 403, or the store's.
    pub fn admit(&self, head: &Head, action: Action) -> Result<Caller, ApiError> {
        let caller = match presented(head) {
            Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => self.holder(head, kind, &hash)?,
            Presented::Secret(..) | Presented::Malformed => return Err(self.refuse_credential(head, action)),
            Presented::Nothing => self.operator(head)?,
        };
        let Some(caller) = caller else { return Err(self.refuse_credential(head, action)) };
        self.check_channel(head, &caller, action)?;
        let key = caller.credential_id().map_or_else(|| head.peer.key(), str::to_owned);
        self.requests.take(&key, head.arrived).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This credential has used up its requests of this minute.")
                .retry_after(seconds)
        })?;
        if action == Action::UiNotify {
            self.notifications.take(&caller.principal_key(), head.arrived).map_err(|seconds| {
                ApiError::new(codes::RATE_LIMITED)
                    .detail("This principal has used up its notifications of this minute.")
                    .retry_after(seconds)
            })?;
        }
        if let Some(id) = caller.credential_id() {
            self.last_used.note(id, Micros::now());
        }
        self.check_scope_and_role(head, &caller, action)?;
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
        if !channel || refusal(&caller, action).is_some() {
            return None;
        }
        self.requests.take(id, head.arrived).ok()?;
        self.last_used.note(id, Micros::now());
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
            Ok(now) => now.is_some_and(|now| refusal(&now, action).is_none()),
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

    /// The operator, if the request came over its socket from someone who may use it.
    fn operator(&self, head: &Head) -> Result<Option<Caller>, ApiError> {
        let Peer::Unix { uid, gid, .. } = head.peer else { return Err(codes::AUTH_REQUIRED.into()) };
        if !self.operators.admit(uid, gid) {
            return Err(ApiError::new(codes::AUTH_REQUIRED)
                .detail("This user is not root, not the daemon's own and not in group taosd."));
        }
        let user = self.store.lookup(users::operator)?;
        Ok(user.map(|user| Caller::operator(user, head.request_id.clone())))
    }

    /// A token stolen from one container is useless in the next: over an agent's own socket no other agent's credential
    /// is taken (DESIGN D14).
    fn check_channel(&self, head: &Head, caller: &Caller, action: Action) -> Result<(), ApiError> {
        let Peer::Agent { id } = &head.peer else { return Ok(()) };
        if caller.agent_id().is_none_or(|agent| agent == id) || self.bind_credentials == BindCredentials::Off {
            return Ok(());
        }
        if self.bind_credentials == BindCredentials::Warn {
            log::warn!("request {}: {} came over the socket of agent {id}", head.request_id, caller.actor());
            return Ok(());
        }
        self.deny(&key_of(caller), caller.actor(), action, head);
        Err(codes::WRONG_CHANNEL.into())
    }

    fn check_scope_and_role(&self, head: &Head, caller: &Caller, action: Action) -> Result<(), ApiError> {
        let Some(refusal) = refusal(caller, action) else { return Ok(()) };
        self.deny(&key_of(caller), caller.actor(), action, head);
        Err(refusal)
    }

    /// A credential that is not good: 401, or 429 once this peer has failed too often.
    fn refuse_credential(&self, head: &Head, action: Action) -> ApiError {
        let peer = head.peer.key();
        let actor = format!("peer:{peer}");
        self.deny(&actor, actor.clone(), action, head);
        match self.failed_logins.take(&peer, Instant::now()) {
            Ok(()) => codes::INVALID_TOKEN.into(),
            Err(seconds) => ApiError::new(codes::RATE_LIMITED)
                .detail("Too many failed credentials from this peer in this minute.")
                .retry_after(seconds),
        }
    }

    /// Records a denial, aggregated.
    fn deny(&self, key: &str, actor: String, action: Action, head: &Head) {
        self.record(self.denials.note(key, entry(actor, action, head)));
    }

    /// Watches over an admitted call, so that a refusal by its handler is recorded as well.
    pub fn watch(self: &Arc<Self>, caller: &Caller, action: Action, head: &Head) -> Watch {
        Watch { gate: Arc::clone(self), key: key_of(caller), entry: entry(caller.actor(), action, head) }
    }

    /// Writes what is due: uses of credentials and counts of denials. `all`: also the running minutes.
    pub fn flush(&self, all: bool) {
        self.record(self.denials.take(Micros::now(), all));
        let uses = self.last_used.take();
        if uses.is_empty() {
            return;
        }
        let written = self.store.write({
            let uses = uses.clone();
            move |conn| credentials::touch(conn, &uses)
        });
        if let Err(error) = written {
            log::warn!("the last uses of credentials could not be written, trying again later: {error}");
            self.last_used.put_back(uses);
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

/// Why the caller's scopes or role do not do for an action.
fn refusal(caller: &Caller, action: Action) -> Option<ApiError> {
    if !caller.scopes().allow(action) {
        let error = ApiError::new(codes::SCOPE_DENIED)
            .detail(format!("The credential's scopes do not cover {}.", action.slug()))
            .with("action", action.slug());
        return Some(error);
    }
    let refused = action.is_admin() && !caller.is_admin();
    refused.then(|| ApiError::new(codes::FORBIDDEN).detail("This needs the role admin."))
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
        if error.code.status == 403 {
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
