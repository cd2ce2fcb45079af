//! Slow work that a request has started: operations, their threads, and their work in containers.

pub(crate) mod archive;
pub mod backups;
pub mod check;
pub mod delivery;
pub(crate) mod deploy;
mod error;
pub mod freeze;
pub mod inbox;
mod jobs;
pub(crate) mod lifecycle;
pub(crate) mod mounts;
pub mod nodes;
mod own;
pub mod progress;
pub mod runner;
mod settles;
pub(crate) mod sleep;
pub mod sockets;
mod unwritten;

pub use error::{OperationError, OperationResult};
pub(crate) use jobs::within;
pub use jobs::{JobSettings, Jobs, Runtimes};
