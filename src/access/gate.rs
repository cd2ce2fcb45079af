//! The access check: credential, throttle, channel, class, audience, scope, role, in this order (taOS contract, section
//! 1; aX contract, section 5).

use std::sync::Arc;
use std::time::Instant;

use hyper::http::Method;

use super::allowance::{Allowance, Amount};
use super::authorize;
use super::caller::Caller;
use super::challenge;
use super::fingerprints::Fingerprints;
use super::lookup::agentex;
use super::lookup::bearer::{Presented, presented, secret_of};
use super::lookup::credential_lookup::{CredentialLookup, Identified, NotFound, Standing};
use super::presence::Presence;
use super::record::{CallRecord, CallWatch};
use super::refusal::{Bad, nobody};
use super::throttle::Throttle;
use super::tokens::jwt::Audience;
use super::tokens::signing_keys::SigningKeys;
use super::tripwire::{OnTouch, Tripwires};
use super::used_from::UsedFrom;
use crate::config::{BindCredentials, LiveConfig, Watched};
use crate::limits::{BACKUPS_PER_HOUR, DATABASE_CHECKS_PER_HOUR};
use crate::rest::action::Action;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::{Head, X_AGENT_API_KEY};
use crate::rest::route::Need;
use crate::secret::{Kind, SecretHash};
use crate::store::{Store, audit};
use crate::time::Clock;

/// Admits or refuses requests.
pub struct Gate {
    pub(super) lookup: CredentialLookup,
    record: Arc<CallRecord>,
    requests: Throttle,
    failed_logins: Throttle,
    notifications: Throttle,
    tripwires: Tripwires,
    /// What principals have written, and may write.
    allowance: Arc<Allowance>,
    /// The rate of requested backups.
    pub backups: Throttle,
    /// The rate of requested database checks.
    pub checks: Throttle,
    /// What happens to a credential that arrives over another agent's socket.
    bind_credentials: Watched<BindCredentials>,
    /// The keys that sign short-lived tokens.
    pub keys: Arc<SigningKeys>,
    /// Which agents were seen lately.
    pub presence: Arc<Presence>,
    /// From where people's credentials were last used.
    pub used_from: Arc<UsedFrom>,
}

/// A credential that may be exchanged, and the principal it stands for.
pub struct Exchanger {
    /// The principal behind it; for an enrollment, its issuer.
    pub caller: Caller,
    /// The credential's hash, to read it again when it is used.
    pub hash: SecretHash,
}

/// Who asks to send a request on to an agent.
pub enum Sender {
    /// A user; the handler checks its role.
    User(Box<Caller>),
    /// The holder of an external key of this agent.
    Key {
        /// The agent's id.
        agent_id: String,
    },
}

impl Gate {
    /// A gate with these settings.
    pub fn new(store: Arc<Store>, config: &Arc<LiveConfig>, keys: SigningKeys, clock: Arc<Clock>) -> Self {
        let keys = Arc::new(keys);
        let fingerprints = Fingerprints::new(config.watch(|now| now.ax.fingerprint_policy));
        let record = Arc::new(CallRecord::new(Arc::clone(&store), fingerprints));
        Self {
            tripwires: Tripwires::new(Arc::clone(&store)),
            lookup: CredentialLookup::new(store, Arc::clone(&keys), clock),
            requests: Throttle::new(config.watch(|now| now.limits.requests_per_minute)),
            failed_logins: Throttle::new(config.watch(|now| now.limits.failed_logins_per_minute)),
            notifications: Throttle::new(config.watch(|now| now.limits.notify_rate())),
            allowance: Arc::new(Allowance::new(config.watch(|now| {
                let (rows, bytes) = now.limits.write_share();
                Amount { rows, bytes }
            }))),
            backups: Throttle::hourly(BACKUPS_PER_HOUR),
            checks: Throttle::hourly(DATABASE_CHECKS_PER_HOUR),
            bind_credentials: config.watch(|now| now.containers.bind_credentials),
            presence: Arc::clone(&record.presence),
            used_from: Arc::clone(&record.used_from),
            record,
            keys,
        }
    }

    /// Sets who reports the uses of decoys.
    pub fn on_touch(&self, told: Arc<dyn OnTouch>) {
        self.tripwires.tell(told);
    }

    /// Returns the caller of a route.
    ///
    /// # Errors
    /// 401, 403 or 429, or a store error.
    pub fn admit(&self, head: &Head, need: &Need) -> Result<Caller, ApiError> {
        let admitted = self.admit_to(head, need);
        if need.dialect == Dialect::Mcp { admitted.map_err(|refusal| challenge::put(refusal, head)) } else { admitted }
    }

    fn admit_to(&self, head: &Head, need: &Need) -> Result<Caller, ApiError> {
        match self.lookup.find(head, need).map_err(|why| self.turn_away(head, need, why))? {
            Identified::Caller(caller, audience) => self.pass(head, need, caller, audience),
            Identified::Key(caller) => self.pass_as(head, need, caller),
        }
    }

    fn pass(&self, head: &Head, need: &Need, caller: Caller, audience: Audience) -> Result<Caller, ApiError> {
        let caller = self.pass_as(head, need, caller)?;
        // A refused class has been recorded by now.
        authorize::audience(&caller, &audience, need).map_err(|refusal| self.denied(head, &caller, need, refusal))?;
        authorize::scope_and_role(&caller, need).map_err(|refusal| self.denied(head, &caller, need, refusal))?;
        Ok(caller)
    }

    /// Checks whether a caller that one route has admitted may call another one within the same request. This does not
    /// count as another request.
    ///
    /// # Errors
    /// 403, or 429 for too many notifications.
    pub fn admit_within(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
        if need.action == Action::UiNotify {
            self.throttle_notifications(head, caller)?;
        }
        let judged = authorize::class(caller, need).and_then(|()| authorize::scope_and_role(caller, need));
        // A page asks for things that its reader may not see, so such a refusal is not recorded as an attempt.
        judged.map_err(
            |refusal| if head.method == Method::GET { refusal } else { self.denied(head, caller, need, refusal) },
        )
    }

    /// Checks the channel, counts and records the request, and checks the class.
    fn pass_as(&self, head: &Head, need: &Need, caller: Caller) -> Result<Caller, ApiError> {
        self.check_channel(head, &caller, need)?;
        self.throttle(head, &caller)?;
        if need.action == Action::UiNotify {
            self.throttle_notifications(head, &caller)?;
        }
        self.record.note(head, &caller)?;
        authorize::class(&caller, need).map_err(|refusal| self.denied(head, &caller, need, refusal))?;
        Ok(caller)
    }

    /// Returns the caller if the data in memory allows the request. `None` decides nothing: call [`Gate::admit`]. A
    /// request that this admits must be [counted](Gate::count).
    pub fn admit_known(&self, head: &Head, need: &Need) -> Option<Caller> {
        let caller = self.lookup.cached(head)?;
        // A fingerprint, a foreign channel or a second credential needs the full check.
        let plain = authorize::is_own_channel(head, caller.agent_id()) && !Fingerprints::are_in(head);
        if !plain || head.headers.contains_key(&X_AGENT_API_KEY) {
            return None;
        }
        authorize::class(&caller, need).and_then(|()| authorize::scope_and_role(&caller, need)).ok()?;
        Some(caller)
    }

    /// Counts a request that [`Gate::admit_known`] admitted. `None`: [`Gate::admit`] must decide, and says why it
    /// refuses.
    pub fn count(&self, head: &Head, caller: &Caller) -> Option<()> {
        self.requests.take(caller.account(), head.arrived).ok()?;
        self.record.note(head, caller).ok()
    }

    /// Returns what a request to the exchange presents: a key, or an agent's own token.
    ///
    /// # Errors
    /// 401 `invalid_credential` or 429; 422 `class_not_allowed` for a user's token, which is no key.
    pub fn exchanger(&self, head: &Head, need: &Need) -> Result<Exchanger, ApiError> {
        self.exchanger_of(head, need, presented(head))
    }

    /// As [`Gate::exchanger`], for the credential in a form.
    ///
    /// # Errors
    /// Those of [`Gate::exchanger`].
    pub fn exchanger_of_text(&self, head: &Head, need: &Need, text: &str) -> Result<Exchanger, ApiError> {
        // Any refusal: a peer that has failed too often must not be able to try out decoys unnoticed.
        self.exchanger_of(head, need, secret_of(text))
            .inspect_err(|_| self.tripwires.look_beside_headers(text, head, need.action))
    }

    fn exchanger_of(&self, head: &Head, need: &Need, shown: Presented<'_>) -> Result<Exchanger, ApiError> {
        let (caller, kind, hash) = self.exchanging(head, need, shown)?;
        self.throttle(head, &caller)?;
        if let Some(id) = caller.credential_id() {
            self.record.used(id);
        }
        if kind == Kind::UserToken {
            return Err(
                ApiError::new(codes::CLASS_NOT_ALLOWED).detail("A user's token is used as it is, not exchanged.")
            );
        }
        Ok(Exchanger { caller, hash })
    }

    fn exchanging(
        &self,
        head: &Head,
        need: &Need,
        shown: Presented<'_>,
    ) -> Result<(Caller, Kind, SecretHash), ApiError> {
        let found = self.lookup.exchangeable(head, need, shown).map_err(|why| self.turn_away(head, need, why))?;
        self.check_channel(head, &found.0, need)?;
        Ok(found)
    }

    /// Returns the principal behind a request, before its body is read, for a route whose handler checks the credential
    /// ([`Gate::exchanger`], [`Gate::sender`]). A request to be sent on then counts twice in its rate.
    ///
    /// # Errors
    /// Those of [`Gate::exchanger`] or [`Gate::sender`].
    pub fn vouch(&self, head: &Head, need: &Need) -> Result<String, ApiError> {
        match need.dialect {
            Dialect::Agentex => match self.sender(head, need)? {
                Sender::User(caller) => Ok(caller.principal_key()),
                Sender::Key { agent_id } => Ok(format!("agent:{agent_id}")),
            },
            // A client of these routes may authenticate in the form.
            Dialect::OAuth if presented(head) == Presented::Nothing => Ok(head.peer.key()),
            Dialect::OAuth => Ok(self.admit(head, need)?.principal_key()),
            _ => Ok(self.exchanging(head, need, presented(head))?.0.principal_key()),
        }
    }

    /// Returns the user behind a token in a body, to open a session.
    ///
    /// # Errors
    /// 401, 429, or 403 `user_token_required`.
    pub fn login(&self, head: &Head, need: &Need, text: &str) -> Result<Caller, ApiError> {
        let caller = self.lookup.user_of_token(head, text).map_err(|why| {
            self.tripwires.look_beside_headers(text, head, need.action);
            self.turn_away(head, need, why)
        })?;
        self.throttle(head, &caller)?;
        Ok(caller)
    }

    /// Returns the user that a one-time link logs in. `found` is the credential that the link was made with, or `None`
    /// for a dead link, which counts as a failed login of the peer.
    ///
    /// # Errors
    /// `link_invalid` or 429.
    pub fn login_by_link(&self, head: &Head, need: &Need, found: Option<&str>) -> Result<Caller, ApiError> {
        let dead = |gate: &Self| {
            let refusal = gate.refuse_credential(head, need, Bad::Dead);
            if refusal.code == codes::INVALID_TOKEN { codes::LINK_INVALID.into() } else { refusal }
        };
        let Some(credential) = found else { return Err(dead(self)) };
        let caller = match self.lookup.user_of_credential(head, credential) {
            Ok(caller) => caller,
            Err(NotFound::Bad(_)) => return Err(dead(self)),
            Err(why) => return Err(self.turn_away(head, need, why)),
        };
        self.throttle(head, &caller)?;
        Ok(caller)
    }

    /// Returns the caller behind a live credential of this kind, for a secret in a form that stands for the credential.
    ///
    /// # Errors
    /// `rate_limited`, `wrong_channel`, or a store error.
    pub fn behind(&self, head: &Head, need: &Need, id: &str, kind: Kind) -> Result<Option<Caller>, ApiError> {
        let Some(caller) = self.lookup.behind(head, id, kind)? else { return Ok(None) };
        self.check_channel(head, &caller, need)?;
        self.throttle(head, &caller)?;
        Ok(Some(caller))
    }

    /// Checks that a request may end a credential of this agent, or of a user, over its channel. The credential need not
    /// be live.
    ///
    /// # Errors
    /// `wrong_channel`.
    pub fn check_channel_of(
        &self,
        head: &Head,
        need: &Need,
        credential_id: &str,
        agent_id: Option<&str>,
    ) -> Result<(), ApiError> {
        let checked = authorize::channel(head, agent_id, self.bind_credentials.now());
        checked.inspect_err(|_| self.deny_agent(head, need, credential_id, agent_id.unwrap_or_default()))
    }

    fn deny_agent(&self, head: &Head, need: &Need, credential_id: &str, agent_id: &str) {
        let actor = audit::Actor { name: format!("agent:{agent_id}"), id: Some(format!("agent:{agent_id}")) };
        self.record.deny(credential_id, actor, need.action, head);
    }

    /// Returns what a token that a service received is good for; `None` if for nothing. A decoy is reported.
    ///
    /// # Errors
    /// A store error.
    pub fn standing(&self, head: &Head, need: &Need, text: &str) -> Result<Option<Standing>, ApiError> {
        let found = self.lookup.standing(head, text)?;
        if found.is_none() {
            self.tripwires.look_at_text(text, head, need.action);
        }
        Ok(found)
    }

    /// Returns what the refresh token of this grant is good for.
    ///
    /// # Errors
    /// A store error.
    pub fn standing_of_grant(&self, head: &Head, id: &str) -> Result<Option<Standing>, ApiError> {
        Ok(self.lookup.standing_of_grant(head, id)?)
    }

    /// Counts a request of a registered program (OAuth client).
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn throttle_client(&self, head: &Head, id: &str) -> Result<(), ApiError> {
        self.requests
            .take(&format!("client:{id}"), head.arrived)
            .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))
    }

    /// Counts a bad secret at the token endpoint as a failed login of the peer. Returns `refusal`, or 429.
    pub fn failed(&self, head: &Head, need: &Need, refusal: ApiError) -> ApiError {
        let told = self.refuse_credential(head, need, Bad::Dead);
        if told.code == codes::RATE_LIMITED { told } else { refusal }
    }

    /// Reports the decoys in a refused request: those in its headers, and this secret of a client.
    pub fn report_decoys(&self, head: &Head, need: &Need, secret: &str) {
        self.tripwires.look(head, need.action);
        self.tripwires.look_beside_headers(secret, head, need.action);
    }

    /// Returns the user of the session that a page is opened with, if there is one.
    ///
    /// # Errors
    /// `rate_limited`, or a store error.
    pub fn viewer(&self, head: &Head) -> Result<Option<Caller>, ApiError> {
        let Some(caller) = self.lookup.session_of(head)? else { return Ok(None) };
        self.throttle(head, &caller)?;
        if let Some(id) = caller.credential_id() {
            self.record.used(id);
        }
        Ok(Some(caller))
    }

    /// Returns who asks to send a request on to an agent. A key passes only if it is the agent's own external key.
    ///
    /// # Errors
    /// `two_credentials`, 401, 403 or 429, or a store error.
    pub fn sender(&self, head: &Head, need: &Need) -> Result<Sender, ApiError> {
        if let Some(caller) = self.lookup.external_key(head).map_err(|why| self.turn_away(head, need, why))? {
            let caller = self.pass(head, need, caller, Audience::Api)?;
            return Ok(Sender::Key { agent_id: caller.agent_id().unwrap_or_default().to_owned() });
        }
        if head.peer.is_tcp() && agentex::presented(head)? == Presented::Nothing {
            return Err(nobody(head, need));
        }
        let caller = self.admit(head, need)?;
        if caller.agent_id().is_some() {
            return Err(self.refuse_sender(head, need));
        }
        Ok(Sender::User(Box::new(caller)))
    }

    /// The refusal for a key of another agent: the same as for an unknown key.
    pub fn refuse_sender(&self, head: &Head, need: &Need) -> ApiError {
        self.refuse_credential(head, need, Bad::Dead)
    }

    /// Records that a caller was denied; denials are aggregated.
    pub fn deny_caller(&self, caller: &Caller, action: Action, head: &Head) {
        self.record.deny_caller(caller, action, head);
    }

    /// Watches an admitted call, so that a refusal by its handler is recorded as well.
    pub fn watch(&self, caller: &Caller, action: Action, head: &Head) -> CallWatch {
        CallWatch::new(Arc::clone(&self.record), Arc::clone(&self.allowance), caller, action, head)
    }

    /// Writes what is due: uses of credentials and of decoys, and counts of denials. `all`: also of the minutes that
    /// still run.
    pub fn flush(&self, all: bool) {
        self.record.flush(all);
        self.tripwires.flush(all);
    }

    fn check_channel(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
        authorize::channel(head, caller.agent_id(), self.bind_credentials.now())
            .map_err(|refusal| self.denied(head, caller, need, refusal))
    }

    fn denied(&self, head: &Head, caller: &Caller, need: &Need, refusal: ApiError) -> ApiError {
        self.deny_caller(caller, need.action, head);
        refusal
    }

    /// The refusal of a request without a valid credential. It is recorded if a credential was tried.
    fn turn_away(&self, head: &Head, need: &Need, why: NotFound) -> ApiError {
        self.tripwires.look(head, need.action);
        match why {
            NotFound::Bad(bad) => self.refuse_credential(head, need, bad),
            NotFound::Refused(refusal) => refusal,
            NotFound::Frozen { credential_id, agent_id } => {
                self.deny_agent(head, need, &credential_id, &agent_id);
                // The credential is valid, so this is no failed login of the peer. The agent's own rate bounds it.
                match self.requests.take(&format!("agent:{agent_id}"), head.arrived) {
                    Ok(()) => super::refusal::frozen(),
                    Err(seconds) => ApiError::new(codes::RATE_LIMITED).retry_after(seconds),
                }
            }
            NotFound::CrossOrigin { credential_id, actor } => {
                self.record.deny(&credential_id, actor, need.action, head);
                codes::CSRF_REFUSED.into()
            }
        }
    }

    /// A bad credential: 401, or 429 once this peer has failed too often.
    fn refuse_credential(&self, head: &Head, need: &Need, bad: Bad) -> ApiError {
        let peer = head.peer.key();
        let actor = format!("peer:{peer}");
        self.record.deny(&actor, actor.as_str().into(), need.action, head);
        match self.failed_logins.take(&peer, Instant::now()) {
            Ok(()) => bad.refusal(need.dialect),
            Err(seconds) => ApiError::new(codes::RATE_LIMITED)
                .detail("Too many failed credentials from this peer in this minute.")
                .retry_after(seconds),
        }
    }

    fn throttle(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        // On the operator's socket, tokens count per principal, so they cannot use up the operator's own rate.
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
