//! The one error type of the container drivers. It separates "the runtime says that there is no such container" from
//! every failure to find out.

use std::fmt;

use super::{Away, Driver, text};
use crate::rest::codes;
use crate::rest::error::ApiError;

/// The longest message kept from a runtime, in bytes.
const MAX_MESSAGE: usize = 500;

/// A container runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Incus, over its REST API.
    Incus,
    /// LXD, over its REST API.
    Lxd,
    /// Classic LXC, by its tools.
    Lxc,
    /// This box has none, or the operator wants none.
    None,
}

impl Runtime {
    /// The word used in configuration, replies and log lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incus => "incus",
            Self::Lxd => "lxd",
            Self::Lxc => "lxc",
            Self::None => "none",
        }
    }

    /// The name as people write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Incus => "Incus",
            Self::Lxd => "LXD",
            Self::Lxc => "Classic LXC",
            Self::None => "A container runtime",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a call on a container failed. After `Deadline` and `InvalidResponse` its effect is unknown: read the state
/// again.
///
/// Messages come from the runtime. They are cut to 500 bytes, without control characters and secrets, and are for the
/// log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The runtime itself said that there is no such container. No other failure becomes this error.
    #[error("there is no container {0}")]
    NotFound(String),
    /// The name is taken by another container.
    #[error("there is a container {0} already")]
    AlreadyExists(String),
    /// There is no runtime, or it cannot be reached. Nothing was done, unless it is [`Away::Lost`].
    #[error("the container runtime {runtime} is unavailable: {reason}")]
    RuntimeUnavailable {
        /// The kind of runtime that was wanted.
        runtime: Runtime,
        /// The way in which it is away.
        away: Away,
        /// Why it cannot be used.
        reason: String,
        /// The node that it is on; `None` for this box.
        node: Option<String>,
    },
    /// The runtime has no such image.
    #[error("there is no image {image}")]
    NoImage {
        /// The image that was asked for.
        image: String,
        /// The images that it has, sorted; at most [`Error::IMAGES`].
        known: Vec<String>,
    },
    /// The deadline passed before the call was done.
    #[error("the container runtime {0} did not finish before the deadline")]
    Deadline(Runtime),
    /// The container's journal was not read in time, or an earlier reading of it has not ended.
    #[error("the container's journal was not read in time")]
    JournalHangs,
    /// The caller cancelled the call. Read the state again to see what was done.
    #[error("the call was called off")]
    Cancelled,
    /// The runtime, or the driver before it asked, refused: the request or the container's state does not allow the
    /// call.
    #[error("the container runtime refused: {0}")]
    Refused(String),
    /// The runtime tried and did not succeed.
    #[error("the container runtime failed: {0}")]
    Failed(String),
    /// The runtime's reply cannot be read or is incomplete.
    #[error("the container runtime gave an unreadable answer: {0}")]
    InvalidResponse(String),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        use Error::{
            AlreadyExists, Cancelled, Deadline, Failed, InvalidResponse, JournalHangs, NoImage, NotFound, Refused,
            RuntimeUnavailable,
        };
        let cause = Some(error.to_string());
        let (code, detail) = match &error {
            RuntimeUnavailable { node: Some(node), away, .. } => return Self { cause, ..node_away(node, *away) },
            RuntimeUnavailable { runtime, away, .. } => return Self { cause, ..unavailable(*runtime, *away) },
            NoImage { image, known } => {
                let told = match known.as_slice() {
                    [] => "it has none".to_owned(),
                    known => format!("those there are: {}", known.join(", ")),
                };
                let detail = format!("The container runtime has no image {image}; {told}.");
                return Self { cause, ..Self::new(codes::UNKNOWN_IMAGE).detail(detail).with("known", known.clone()) };
            }
            Deadline(_) => (codes::CONTAINER_FAILED, "The container runtime did not answer in time."),
            JournalHangs => (codes::CONTAINER_FAILED, "The container's own journalctl did not end in time."),
            Cancelled => (codes::CANCELLED, codes::CANCELLED.about),
            NotFound(_) => (codes::CONTAINER_FAILED, "The container runtime says that the container is gone."),
            AlreadyExists(_) => (codes::CONTAINER_FAILED, "A container of that name exists already."),
            Refused(_) => (codes::CONTAINER_FAILED, "The container runtime refused."),
            Failed(_) => (codes::CONTAINER_FAILED, "The container runtime failed."),
            InvalidResponse(_) => (codes::CONTAINER_FAILED, "The container runtime gave an unreadable answer."),
        };
        Self { cause, ..Self::new(code).detail(detail) }
    }
}

/// `container_runtime_unavailable` with the way in which the runtime is away and the command that repairs it.
fn unavailable(runtime: Runtime, away: Away) -> ApiError {
    let mend = away.mend(runtime);
    ApiError::new(codes::CONTAINER_RUNTIME_UNAVAILABLE)
        .detail(format!("{} As root: {mend}", away.about(runtime)))
        .with("runtime", runtime.as_str())
        .with("away", away.as_str())
        .with("mend", mend)
}

/// The same error for a node, which no command of this box can repair.
fn node_away(node: &str, away: Away) -> ApiError {
    ApiError::new(codes::CONTAINER_RUNTIME_UNAVAILABLE)
        .detail(format!("The node {node} is away: {}.", away.about_node()))
        .with("node", node)
        .with("away", away.as_str())
        .with("mend", format!("taosctl nodes check {node}"))
}

impl Error {
    /// True if the call may have been carried out, at least in part.
    #[must_use]
    pub fn has_unknown_effect(&self) -> bool {
        matches!(
            self,
            Self::Deadline(_)
                | Self::Cancelled
                | Self::Failed(_)
                | Self::InvalidResponse(_)
                | Self::RuntimeUnavailable { away: Away::Lost, .. }
        )
    }

    /// The highest number of images that [`Error::NoImage`] names.
    pub const IMAGES: usize = 20;

    pub(super) fn no_image(image: &str, mut known: Vec<String>) -> Self {
        known.sort();
        known.truncate(Self::IMAGES);
        Self::NoImage { image: image.to_owned(), known }
    }

    pub(super) fn refused(message: impl AsRef<str>) -> Self {
        Self::Refused(text::one_line(message.as_ref(), MAX_MESSAGE))
    }

    pub(super) fn failed(message: impl AsRef<str>) -> Self {
        Self::Failed(text::one_line(message.as_ref(), MAX_MESSAGE))
    }

    pub(super) fn invalid_response(message: impl AsRef<str>) -> Self {
        Self::InvalidResponse(text::one_line(message.as_ref(), MAX_MESSAGE))
    }

    pub(crate) fn unavailable(runtime: Runtime, away: Away, reason: impl AsRef<str>) -> Self {
        let reason = text::one_line(reason.as_ref(), MAX_MESSAGE);
        Self::RuntimeUnavailable { runtime, away, reason, node: None }
    }

    /// The same error with this node as its place.
    #[must_use]
    pub(crate) fn on(self, on: Option<&str>) -> Self {
        match self {
            Self::RuntimeUnavailable { runtime, away, reason, .. } => {
                Self::RuntimeUnavailable { runtime, away, reason, node: on.map(str::to_owned) }
            }
            other => other,
        }
    }

    /// Turns the error into [`Error::RuntimeUnavailable`], if it shows that the runtime is away.
    #[must_use]
    pub fn as_away(self, driver: &dyn Driver) -> Self {
        let away = |away, why: &Self| Self::unavailable(driver.runtime(), away, why.to_string()).on(driver.node());
        match &self {
            Self::Deadline(_) => away(Away::Hanging, &self),
            Self::InvalidResponse(_) => away(Away::Refusing, &self),
            _ => self,
        }
    }

    /// True if the runtime gave no answer that can be read; another try may get one.
    pub(crate) fn is_no_answer(&self) -> bool {
        matches!(self, Self::Deadline(_) | Self::InvalidResponse(_) | Self::RuntimeUnavailable { .. })
    }

    /// An error of the host's file system during the step `what`.
    pub(super) fn io(what: &str, error: &std::io::Error) -> Self {
        Self::failed(format!("{what}: {error}"))
    }

    /// The same error with these texts removed from its message, since a runtime may quote what it was sent.
    #[must_use]
    pub(super) fn without(self, secrets: &[&str]) -> Self {
        let clean = |message: String| {
            secrets.iter().filter(|s| s.len() >= 4).fold(message, |m, secret| m.replace(secret, "[redacted]"))
        };
        match self {
            Self::Refused(message) => Self::Refused(clean(message)),
            Self::Failed(message) => Self::Failed(clean(message)),
            Self::InvalidResponse(message) => Self::InvalidResponse(clean(message)),
            other => other,
        }
    }
}
