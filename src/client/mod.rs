//! Requests to other servers: single HTTP requests, forwarding, and relaying of bytes.

mod body;
pub mod endpoint;
pub mod error;
pub mod forwarder;
pub mod http;
pub mod identity;
pub(crate) mod io;
pub mod relay;
pub mod tls;
