//! Where the edge listens.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// Where the edge listens, bound beforehand.
#[derive(Debug, Default)]
pub struct Listeners {
    /// The network.
    pub tcp: Vec<TcpListener>,
    /// The operator's socket; peers are known by their kernel credentials.
    pub operator: Option<UnixListener>,
    /// Names for this machine beside its own, as in `allowed_hosts`.
    pub allowed_hosts: Vec<String>,
}
