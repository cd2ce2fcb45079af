//! The listeners of the edge.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// The listeners of the edge, bound before it starts.
#[derive(Debug, Default)]
pub struct Listeners {
    /// The TCP listeners.
    pub tcp: Vec<TcpListener>,
    /// The operator's socket, where the kernel identifies the peers.
    pub operator: Option<UnixListener>,
    /// More names for this box, as in `allowed_hosts`.
    pub allowed_hosts: Vec<String>,
}
