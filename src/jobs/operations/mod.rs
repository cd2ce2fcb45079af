//! What a slow request becomes: operations, their threads and what they do in containers.

pub(crate) mod archive;
pub mod delivery;
pub(crate) mod deploy;
pub(crate) mod lifecycle;
pub mod progress;
pub mod runner;
pub mod sockets;
