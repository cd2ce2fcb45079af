//! The access check: credential, throttle, class, audience, scope, role, in this order (taOS contract, section 1; aX
//! contract, section 5).

use std::sync::Arc;
use std::time::Instant;

use super::action::Action;
use super::bearer::{Presented, presented, secret_of};
use super::caller::Caller;
use super::class::Class;
use super::cookie;
use super::denials::Denials;
use super::fingerprints::{Fingerprints, Known};
use super::jwt::{Audience, Claims, Refused};
use super::last_used::LastUsed;
use super::operator::Operators;
use super::presence::Presence;
use super::signing_keys::SigningKeys;
use super::throttle::Throttle;
use super::words;
use crate::config::FingerprintPolicy;
use crate::http::codes::{self, Code};
use crate::http::error::{ApiError, Dialect};
use crate::http::head::{Head, Peer};
use crate::limits::Limits;
use crate::secret::{Kind, SecretHash};
use crate::store::credentials::Holder;
use crate::store::{Store, audit, credentials, users};
use crate::time::Micros;

/// Lets requests in or turns them away.
pub struct Gate {
    store: Arc<Store>,
    operators: Operators,
    requests: Throttle,
    failed_logins: Throttle,
    last_used: LastUsed,
    denials: Denials,
    fingerprints: Fingerprints,
    /// The keys that sign short-lived tokens.
    pub keys: SigningKeys,
    /// Which agents were seen lately.
    pub presence: Presence,
}

/// What a route needs.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The action that a scope must cover.
    pub action: Action,
    /// The classes of token it takes; none: it does not tell them apart.
    pub classes: &'static [Class],
    /// How its refusals are called.
    pub dialect: Dialect,
}

/// What may be exchanged, and whom it stands for.
pub struct Exchanger {
    /// The principal behind it; of an enrollment, its issuer.
    pub caller: Caller,
    /// Its hash, to read it again where it is used.
    pub hash: SecretHash,
}

/// Why a credential is not good.
#[derive(Debug, Clone, Copy)]
enum Bad {
    /// No credential of ours looks like it.
    Unverifiable,
    /// A good token past its end.
    Expired,
    /// Unknown, revoked, expired, or its principal is gone.
    Dead,
}

impl Bad {
    fn code(self, dialect: Dialect) -> &'static Code {
        match (dialect, self) {
            (Dialect::Ax, Self::Expired) => codes::TOKEN_EXPIRED,
            (Dialect::Ax, Self::Dead) => codes::INVALID_CREDENTIAL,
            _ => codes::INVALID_TOKEN,
        }
    }
}

impl Gate {
    /// A gate with these limits.
    pub fn new(store: Arc<Store>, limits: &Limits, keys: SigningKeys, fingerprints: FingerprintPolicy) -> Self {
        Self {
            store,
            operators: Operators::new(),
            requests: Throttle::new(limits.requests_per_minute),
            failed_logins: Throttle::new(limits.failed_logins_per_minute),
            last_used: LastUsed::default(),
            denials: Denials::default(),
            fingerprints: Fingerprints::new(fingerprints),
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
        match presented(head) {
            Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => {
                match self.store.lookup(|conn| credentials::find(conn, &hash))?.filter(|h| is_good(h, kind)) {
                    Some(holder) => self.pass(head, need, holder, None),
                    None => refuse(Bad::Dead),
                }
            }
            Presented::Secret(..) | Presented::Malformed => refuse(Bad::Unverifiable),
            Presented::Key(key) => match key {
                _ if !need.classes.contains(&Class::Key) => Err(codes::PAT_NOT_ALLOWED.into()),
                None => refuse(Bad::Dead),
                Some((_, hash)) => {
                    let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
                    match found.filter(|holder| is_good_key(holder)) {
                        Some(holder) => self.pass_as(head, need, holder, Caller::from_key),
                        None => refuse(Bad::Dead),
                    }
                }
            },
            Presented::Token(text) => match self.keys.verify(text, Micros::now().0 / Micros::SECOND) {
                Err(Refused::Invalid) => refuse(Bad::Unverifiable),
                Err(Refused::Expired) => refuse(Bad::Expired),
                Ok(claims) => match self.behind(&claims)? {
                    Some(holder) => self.pass(head, need, holder, Some(&claims)),
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

    fn pass(&self, head: &Head, need: &Need, holder: Holder, claims: Option<&Claims>) -> Result<Caller, ApiError> {
        self.pass_as(head, need, holder, |holder, id| match claims {
            Some(claims) => Caller::from_token(holder, claims, id),
            None => Caller::from_holder(holder, id),
        })
        .and_then(|caller| match claims {
            // No route here is for another audience; a class that is refused has been told by now.
            Some(claims) if claims.audience != Audience::Api => {
                Err(self.denied(head, &caller, need, ApiError::new(codes::AUDIENCE_NOT_ALLOWED).with_status(403)))
            }
            _ => Ok(caller),
        })
        .and_then(|caller| self.check_scope_and_role(head, &caller, need).map(|()| caller))
    }

    /// Throttle, bookkeeping, class.
    fn pass_as(
        &self,
        head: &Head,
        need: &Need,
        holder: Holder,
        caller: impl FnOnce(Holder, String) -> Caller,
    ) -> Result<Caller, ApiError> {
        let (mark, stored) = (holder.token_mark.clone(), holder.fingerprints.clone());
        let caller = caller(holder, head.request_id.clone());
        self.throttle(head, &caller)?;
        if let Some(id) = caller.credential_id() {
            self.note(head, &caller, Known { credential_id: id, mark: mark.as_deref(), stored: &stored })?;
        }
        self.check_class(head, &caller, need)?;
        Ok(caller)
    }

    fn throttle(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        let key = caller.credential_id().map_or_else(|| head.peer.key(), str::to_owned);
        self.requests.take(&key, head.arrived).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("This credential has used up its requests of this minute.")
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
    fn note(&self, head: &Head, caller: &Caller, known: Known<'_>) -> Result<(), ApiError> {
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
            self.deny(format!("user:{}", holder.user.username), need.action, head);
            return Err(codes::CSRF_REFUSED.into());
        }
        self.pass(head, need, holder, None)
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
        self.check_class(head, &caller, need)?;
        self.check_scope_and_role(head, &caller, need)?;
        Ok(caller)
    }

    /// What a request to the exchange presents: a key, or an agent's own token.
    ///
    /// # Errors
    /// 401 `invalid_credential` or 429; 422 `class_not_allowed` for what is a credential and no key.
    pub fn exchanger(&self, head: &Head, need: &Need) -> Result<Exchanger, ApiError> {
        let (kind, hash) = match presented(head) {
            Presented::Nothing => return Err(codes::NOT_AUTHENTICATED.into()),
            Presented::Key(Some((kind, hash)))
            | Presented::Secret(kind @ (Kind::AgentToken | Kind::UserToken), hash) => (kind, hash),
            _ => return Err(self.refuse_credential(head, need, Bad::Dead)),
        };
        let found = self.store.lookup(|conn| credentials::find_exchangeable(conn, &hash))?;
        let Some(holder) = found.filter(|holder| is_good(holder, kind) || is_good_key(holder)) else {
            return Err(self.refuse_credential(head, need, Bad::Dead));
        };
        let caller = Caller::from_key(holder, head.request_id.clone());
        self.throttle(head, &caller)?;
        if let Some(id) = caller.credential_id() {
            self.last_used.note(id, Micros::now());
        }
        if kind == Kind::UserToken {
            return Err(
                ApiError::new(codes::CLASS_NOT_ALLOWED).detail("A user's token is used as it is, not exchanged.")
            );
        }
        Ok(Exchanger { caller, hash })
    }

    /// The user behind a token shown in a body, to open a session.
    ///
    /// # Errors
    /// 401, 429, or 403 `user_token_required`.
    pub fn login(&self, head: &Head, need: &Need, text: &str) -> Result<Caller, ApiError> {
        let hash = match secret_of(text) {
            Presented::Secret(Kind::UserToken, hash) => hash,
            Presented::Secret(Kind::AgentToken, hash) => {
                let known = self.store.lookup(|conn| credentials::find(conn, &hash))?;
                return Err(match known.filter(is_alive) {
                    Some(_) => codes::USER_TOKEN_REQUIRED.into(),
                    None => self.refuse_credential(head, need, Bad::Dead),
                });
            }
            _ => return Err(self.refuse_credential(head, need, Bad::Unverifiable)),
        };
        let found = self.store.lookup(|conn| credentials::find(conn, &hash))?;
        match found.filter(|holder| is_good(holder, Kind::UserToken)) {
            Some(holder) => Ok(Caller::from_holder(holder, head.request_id.clone())),
            None => Err(self.refuse_credential(head, need, Bad::Dead)),
        }
    }

    fn check_class(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
        if need.classes.is_empty() || caller.class_among(need.classes).is_some() {
            return Ok(());
        }
        let class = caller.class();
        let takes = |class| need.classes.contains(&class);
        let refusal = match class {
            _ if takes(Class::Admin) && !takes(Class::User) => ApiError::new(codes::ADMIN_REQUIRED)
                .detail(format!("Management endpoints require user_admin token, got {}", class.as_str())),
            Class::Agent => codes::USER_REQUIRED.into(),
            _ => insufficient(if takes(Class::User) { Class::User } else { Class::Agent }, need.action),
        };
        Err(self.denied(head, caller, need, refusal))
    }

    fn check_scope_and_role(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
        let class = caller.class_among(need.classes);
        let action = class.map_or(need.action, |class| class.action(need.action));
        let refusal = if caller.scopes().allow(action) {
            if !action.is_admin() || caller.is_admin() {
                return Ok(());
            }
            ApiError::new(codes::FORBIDDEN).detail("This needs the role admin.")
        } else if need.dialect == Dialect::Ax {
            insufficient(class.unwrap_or(Class::User), action)
        } else {
            ApiError::new(codes::SCOPE_DENIED)
                .detail(format!("The credential's scopes do not cover {}.", action.slug()))
                .with("action", action.slug())
        };
        Err(self.denied(head, caller, need, refusal))
    }

    fn denied(&self, head: &Head, caller: &Caller, need: &Need, refusal: ApiError) -> ApiError {
        self.deny(caller.actor(), need.action, head);
        refusal
    }

    /// A credential that is not good: 401, or 429 once this peer has failed too often.
    fn refuse_credential(&self, head: &Head, need: &Need, bad: Bad) -> ApiError {
        let peer = head.peer.key();
        self.deny(format!("peer:{peer}"), need.action, head);
        match self.failed_logins.take(&peer, Instant::now()) {
            Ok(()) => bad.code(need.dialect).into(),
            Err(seconds) => ApiError::new(codes::RATE_LIMITED)
                .detail("Too many failed credentials from this peer in this minute.")
                .retry_after(seconds),
        }
    }

    /// Records a denial, aggregated.
    pub fn deny(&self, actor: String, action: Action, head: &Head) {
        let resource = format!("{} {}", head.method, head.raw_path.chars().take(256).collect::<String>());
        self.record(self.denials.note(actor, action.slug(), resource, &head.request_id, Micros::now()));
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

/// What a request without any credential is told.
fn unauthenticated(dialect: Dialect) -> &'static Code {
    if dialect == Dialect::Ax { codes::NOT_AUTHENTICATED } else { codes::AUTH_REQUIRED }
}

/// The refusal that names the scope word a token of this class would need.
fn insufficient(class: Class, action: Action) -> ApiError {
    let word = words::needed(class, action);
    ApiError::new(codes::INSUFFICIENT_SCOPE)
        .detail(format!("Missing required scopes: ['{word}']"))
        .with("required", vec![word])
}

/// Neither expired nor of a disabled user.
fn is_alive(holder: &Holder) -> bool {
    holder.expires_at.is_none_or(|at| at > Micros::now()) && !holder.user.disabled
}

fn is_good(holder: &Holder, kind: Kind) -> bool {
    holder.kind == kind.as_str() && is_alive(holder)
}

fn is_good_key(holder: &Holder) -> bool {
    [Kind::UserPat, Kind::AgentPat, Kind::Enrollment].iter().any(|kind| is_good(holder, *kind))
}
