//! How each refusal of a credential or of its rights is called (taOS contract, section 1; aX contract, section 5).

use super::scopes::ax_scopes;
use crate::rest::action::Action;
use crate::rest::class::Class;
use crate::rest::codes::{self, Code};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::Head;
use crate::rest::route::Need;

/// Why a credential is not good.
#[derive(Debug, Clone, Copy)]
pub enum Bad {
    /// No credential of ours looks like it.
    Unverifiable,
    /// A good token past its end.
    Expired,
    /// Unknown, revoked, expired, or its principal is gone.
    Dead,
}

impl Bad {
    pub(super) fn refusal(self, dialect: Dialect) -> ApiError {
        match (dialect, self) {
            (Dialect::Ax, Self::Expired) => codes::TOKEN_EXPIRED.into(),
            (Dialect::Ax, Self::Dead) => dead(),
            // One answer for all: nobody learns which credentials there were.
            (Dialect::Agentex, _) => codes::UNAUTHENTICATED.into(),
            _ => codes::INVALID_TOKEN.into(),
        }
    }
}

/// What a request without any credential is told.
pub(super) fn unauthenticated(dialect: Dialect) -> &'static Code {
    match dialect {
        Dialect::Taos | Dialect::OAuth | Dialect::Html | Dialect::Mcp => codes::AUTH_REQUIRED,
        Dialect::Ax => codes::NOT_AUTHENTICATED,
        Dialect::Agentex => codes::UNAUTHENTICATED,
    }
}

/// The refusal of a request over TCP that nobody stands behind: under a foreign name a browser may have been tricked.
pub fn nobody(head: &Head, need: &Need) -> ApiError {
    if head.foreign_host { codes::HOST_NOT_ALLOWED.into() } else { unauthenticated(need.dialect).into() }
}

/// The refusal that names the scope word a token of this class would need.
pub(super) fn insufficient(class: Class, action: Action) -> ApiError {
    let word = ax_scopes::needed(class, action);
    ApiError::new(codes::INSUFFICIENT_SCOPE)
        .detail(format!("Missing required scopes: ['{word}']"))
        .with("required", vec![word])
}

/// A key, or the key behind a token, that is no more; in the words that clients know.
pub fn dead() -> ApiError {
    ApiError::new(codes::INVALID_CREDENTIAL).detail("PAT is unknown, revoked or expired")
}

/// A token that could not be signed; the cause is in the log.
pub fn unsigned(cause: std::io::Error) -> ApiError {
    log::error!("a token could not be signed: {cause}");
    codes::INTERNAL.into()
}

/// Any credential of a frozen agent.
pub fn frozen() -> ApiError {
    ApiError::new(codes::AGENT_FROZEN)
        .with_status(401)
        .detail("The agent is frozen: its credentials do not work until its owner thaws it.")
}

/// A key where only tokens are taken; in the words that clients know.
pub(super) fn key_refused() -> ApiError {
    ApiError::new(codes::PAT_NOT_ALLOWED).detail("PATs cannot be used on business routes")
}
