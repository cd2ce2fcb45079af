//! The error code of each refusal of a credential or of its rights (taOS contract, section 1; aX contract, section 5).

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
    /// It does not have the form of any of our credentials, or its signature is wrong.
    Unverifiable,
    /// A valid token that has expired.
    Expired,
    /// Unknown, revoked, expired, or its principal is gone.
    Dead,
}

impl Bad {
    pub(super) fn refusal(self, dialect: Dialect) -> ApiError {
        match (dialect, self) {
            (Dialect::Ax, Self::Expired) => codes::TOKEN_EXPIRED.into(),
            (Dialect::Ax, Self::Dead) => dead(),
            // One reply for all cases, so that nobody learns which credentials existed.
            (Dialect::Agentex, _) => codes::UNAUTHENTICATED.into(),
            _ => codes::INVALID_TOKEN.into(),
        }
    }
}

/// The error code for a request without any credential.
pub(super) fn unauthenticated(dialect: Dialect) -> &'static Code {
    match dialect {
        Dialect::Taos | Dialect::OAuth | Dialect::Html | Dialect::Mcp => codes::AUTH_REQUIRED,
        Dialect::Ax => codes::NOT_AUTHENTICATED,
        Dialect::Agentex => codes::UNAUTHENTICATED,
    }
}

/// The refusal of a request over TCP without a principal. With a foreign `Host`, a browser may have been tricked.
pub fn nobody(head: &Head, need: &Need) -> ApiError {
    if head.foreign_host { codes::HOST_NOT_ALLOWED.into() } else { unauthenticated(need.dialect).into() }
}

/// The refusal that names the scope word which a token of this class would need.
pub(super) fn insufficient(class: Class, action: Action) -> ApiError {
    let word = ax_scopes::needed(class, action);
    ApiError::new(codes::INSUFFICIENT_SCOPE)
        .detail(format!("Missing required scopes: ['{word}']"))
        .with("required", vec![word])
}

/// The refusal of a key that is no longer valid, or of a token made from it, in the words that clients expect.
pub fn dead() -> ApiError {
    ApiError::new(codes::INVALID_CREDENTIAL).detail("PAT is unknown, revoked or expired")
}

/// The refusal when a token could not be signed; the cause is in the log.
pub fn unsigned(cause: std::io::Error) -> ApiError {
    log::error!("a token could not be signed: {cause}");
    codes::INTERNAL.into()
}

/// The refusal of any credential of a frozen agent.
pub fn frozen() -> ApiError {
    ApiError::new(codes::AGENT_FROZEN)
        .with_status(401)
        .detail("The agent is frozen: its credentials do not work until its owner thaws it.")
}

/// The refusal of a key where only tokens are accepted, in the words that clients expect.
pub(super) fn key_refused() -> ApiError {
    ApiError::new(codes::PAT_NOT_ALLOWED).detail("PATs cannot be used on business routes")
}
