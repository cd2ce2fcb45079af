//! The judgement over a caller: channel, class, scope and role, and how each refusal is called (taOS contract, section
//! 1; aX contract, section 5).

use std::time::Instant;

use super::caller::Caller;
use super::gate::Gate;
use super::scopes::ax_scopes;
use crate::config::BindCredentials;
use crate::rest::action::Action;
use crate::rest::class::Class;
use crate::rest::codes::{self, Code};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::{Head, Peer};
use crate::rest::route::Need;

/// Why a credential is not good.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bad {
    /// No credential of ours looks like it.
    Unverifiable,
    /// A good token past its end.
    Expired,
    /// Unknown, revoked, expired, or its principal is gone.
    Dead,
}

impl Bad {
    fn refusal(self, dialect: Dialect) -> ApiError {
        match (dialect, self) {
            (Dialect::Ax, Self::Expired) => codes::TOKEN_EXPIRED.into(),
            (Dialect::Ax, Self::Dead) => dead(),
            // One answer for all: nobody learns which credentials there were.
            (Dialect::Agentex, _) => codes::UNAUTHENTICATED.into(),
            _ => codes::INVALID_TOKEN.into(),
        }
    }
}

impl Gate {
    /// A token stolen from one container is useless in the next: over an agent's own socket no other agent's credential
    /// is taken (DESIGN D14).
    pub(super) fn check_channel(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
        let Peer::Agent { id } = &head.peer else { return Ok(()) };
        if caller.agent_id().is_none_or(|agent| agent == id) {
            return Ok(());
        }
        match self.bind_credentials.now() {
            BindCredentials::Off => Ok(()),
            BindCredentials::Warn => {
                log::warn!("request {}: {} came over the socket of agent {id}", head.request_id, caller.actor());
                Ok(())
            }
            BindCredentials::Deny => Err(self.denied(head, caller, need, codes::WRONG_CHANNEL.into())),
        }
    }

    pub(super) fn check_class(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
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

    pub(super) fn check_scope_and_role(&self, head: &Head, caller: &Caller, need: &Need) -> Result<(), ApiError> {
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

    pub(super) fn denied(&self, head: &Head, caller: &Caller, need: &Need, refusal: ApiError) -> ApiError {
        self.deny_caller(caller, need.action, head);
        refusal
    }

    /// A credential that is not good: 401, or 429 once this peer has failed too often.
    pub(super) fn refuse_credential(&self, head: &Head, need: &Need, bad: Bad) -> ApiError {
        let peer = head.peer.key();
        let actor = format!("peer:{peer}");
        self.deny(&actor, actor.as_str().into(), need.action, head);
        match self.failed_logins.take(&peer, Instant::now()) {
            Ok(()) => bad.refusal(need.dialect),
            Err(seconds) => ApiError::new(codes::RATE_LIMITED)
                .detail("Too many failed credentials from this peer in this minute.")
                .retry_after(seconds),
        }
    }
}

/// What a request without any credential is told.
pub(super) fn unauthenticated(dialect: Dialect) -> &'static Code {
    match dialect {
        Dialect::Taos => codes::AUTH_REQUIRED,
        Dialect::Ax => codes::NOT_AUTHENTICATED,
        Dialect::Agentex => codes::UNAUTHENTICATED,
    }
}

/// The refusal of a request over TCP that nobody stands behind: under a foreign name a browser may have been tricked.
pub fn nobody(head: &Head, need: &Need) -> ApiError {
    if head.foreign_host { codes::HOST_NOT_ALLOWED.into() } else { unauthenticated(need.dialect).into() }
}

/// The refusal that names the scope word a token of this class would need.
fn insufficient(class: Class, action: Action) -> ApiError {
    let word = ax_scopes::needed(class, action);
    ApiError::new(codes::INSUFFICIENT_SCOPE)
        .detail(format!("Missing required scopes: ['{word}']"))
        .with("required", vec![word])
}

/// A key, or the key behind a token, that is no more; in the words that clients know.
pub fn dead() -> ApiError {
    ApiError::new(codes::INVALID_CREDENTIAL).detail("PAT is unknown, revoked or expired")
}

/// A key where only tokens are taken; in the words that clients know.
pub(super) fn key_refused() -> ApiError {
    ApiError::new(codes::PAT_NOT_ALLOWED).detail("PATs cannot be used on business routes")
}
