//! The errors of the daemon and its commands.

use std::io::{self};

use super::compose::StartError;
use crate::config::ConfigError;
use crate::store::{OpenError, StoreError};

/// Why the daemon or a command failed; each error has its exit code (DESIGN section 3).
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The application cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file, listener or thread is not available; the text names it.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// The command succeeded, but stdout could not be written.
    #[error("{0}the output could not be written: {1}")]
    Output(String, io::Error),
    /// A database is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The command failed for another reason.
    #[error("{0}")]
    Failed(String),
}

impl DaemonError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Start(StartError::Open(OpenError::Locked(_))) => 3,
            Self::Start(
                StartError::Open(OpenError::Damaged(..) | OpenError::Foreign(..) | OpenError::Lost(..))
                | StartError::Store(StoreError::Damaged(_)),
            )
            | Self::Damaged(_) => 4,
            Self::Start(_) | Self::Io(..) | Self::Output(..) | Self::Failed(_) => 1,
        }
    }
}
