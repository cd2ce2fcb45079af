//! Why an operation fails. The conversion at the end of this file decides what clients see.

use std::fmt;

use serde_json::Value;

use crate::containers::{self, Away, Runtime};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::store::StoreError;

/// Seconds after which a client may ask again.
const RETRY: u64 = 10;

/// The result of an operation that was carried out, or why it failed.
pub type OperationResult = Result<Value, OperationError>;

/// Why an operation failed, or a step that a request shares with operations.
#[derive(Debug, Clone)]
pub enum OperationError {
    /// There is no such live agent.
    NoAgent,
    /// There is no such archived agent.
    NoArchivedAgent,
    /// The agent has no container.
    NoContainer,
    /// The agent is frozen.
    Frozen,
    /// This host has no container runtime.
    NoRuntime,
    /// The container runtime was asked and does not reply; with the earlier failure, for the log.
    Away(containers::Error, Option<String>),
    /// Someone has cancelled it.
    Cancelled,
    /// The daemon ended in the middle of it.
    Interrupted,
    /// Too much work is waiting.
    Busy,
    /// The name was taken while the agent was restored.
    NameTaken,
    /// The token did not reach its container; with the reason, for the log.
    NotDelivered(String),
    /// The token was revoked while it was delivered.
    TokenRevoked,
    /// A mounted folder must not be used; with the reason, for the client.
    UnfitMount(String),
    /// The agent's socket could not be opened; with the reason, for the log.
    NoSocket(String),
    /// The deployment cannot be used; with the reason, for the log.
    Unusable(String),
    /// A bug of the daemon; with the cause, for the log.
    Internal(String),
    /// An error of the container runtime.
    Container(containers::Error),
    /// An error of the store.
    Store(StoreError),
}

impl OperationError {
    /// True if it was stopped because someone cancelled it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Container(containers::Error::Cancelled))
    }

    /// True if the container runtime may have carried out the call, at least in part.
    pub fn has_unknown_effect(&self) -> bool {
        matches!(self, Self::Container(error) | Self::Away(error, _) if error.has_unknown_effect())
    }

    /// True if no container runtime could be asked, which may change.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::NoRuntime | Self::Away(..) | Self::Container(containers::Error::RuntimeUnavailable { .. }))
    }

    /// True if there is a container runtime and it did not reply.
    pub fn is_away(&self) -> bool {
        self.is_unreachable() && !matches!(self, Self::NoRuntime)
    }

    /// The error code that clients get.
    pub fn slug(&self) -> &'static str {
        ApiError::from(self.clone()).code.slug
    }

    /// The sentence that clients get.
    pub fn detail(&self) -> String {
        ApiError::from(self.clone()).detail
    }

    /// The internal cause; for the log, never for the client.
    pub fn cause(&self) -> Option<String> {
        ApiError::from(self.clone()).cause
    }

    /// The error that the operation's row stores: the same JSON as in a reply.
    pub fn kept(&self) -> String {
        ApiError::from(self.clone()).envelope(Dialect::Taos).to_string()
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ApiError::from(self.clone()).fmt(f)
    }
}

impl std::error::Error for OperationError {}

impl From<containers::Error> for OperationError {
    fn from(error: containers::Error) -> Self {
        Self::Container(error)
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        use OperationError as E;
        let because = |code, cause| Self { cause: Some(cause), ..Self::new(code) };
        match error {
            E::NoAgent => codes::AGENT_NOT_FOUND.into(),
            E::NoArchivedAgent => codes::ARCHIVED_AGENT_NOT_FOUND.into(),
            E::Frozen => codes::AGENT_FROZEN.into(),
            E::NoContainer => codes::AGENT_HAS_NO_CONTAINER.into(),
            E::NoRuntime => {
                let none = "this host has no container runtime";
                let error = containers::Error::unavailable(Runtime::None, Away::Absent, none);
                // The log reported it at the start.
                Self { cause: None, ..Self::from(error) }.retry_after(60)
            }
            E::Away(error, before) => {
                let away = Self::from(error).retry_after(RETRY);
                Self { cause: before.or(away.cause.clone()), ..away }
            }
            E::Cancelled => codes::CANCELLED.into(),
            E::Interrupted => codes::INTERRUPTED.into(),
            E::Busy => codes::BUSY.into(),
            E::NameTaken => {
                Self::new(codes::SLUG_COLLISION_UNRESOLVABLE).detail("The name was taken while the agent was restored.")
            }
            E::NotDelivered(cause) => because(codes::DELIVERY_FAILED, cause),
            E::TokenRevoked => {
                Self::new(codes::DELIVERY_FAILED).detail("The token was revoked while it was delivered.")
            }
            E::UnfitMount(why) => Self::new(codes::CONTAINER_FAILED).detail(why),
            E::NoSocket(cause) => {
                because(codes::CONTAINER_FAILED, cause).detail("The agent's socket could not be opened.")
            }
            E::Unusable(cause) => because(codes::CONTAINER_FAILED, cause).detail("The deployment cannot be used."),
            E::Internal(cause) => because(codes::INTERNAL, cause),
            E::Container(error) => error.into(),
            E::Store(error) => error.into(),
        }
    }
}
