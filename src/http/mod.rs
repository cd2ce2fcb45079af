//! The HTTP server: the edge that faces the network, and the pool that runs handlers.
//!
//! Nothing outside this room names hyper's connections or tokio. Handlers see an [`crate::rest::input::Input`] and return a
//! [`crate::rest::reply::Reply`]; only the edge handles connections.

pub mod access_log;
pub mod edge;
pub mod pool;
pub(crate) mod worker_shares;
