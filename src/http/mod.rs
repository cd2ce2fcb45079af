//! HTTP: the edge that faces the network, the pool that runs handlers, and what a table of routes is made of.
//!
//! Nothing outside this room names hyper's connections or tokio. Handlers see an [`crate::rest::input::Input`] and return a
//! [`crate::rest::reply::Reply`]; what the network does to a connection is the edge's business alone.

pub mod access_log;
pub mod edge;
pub mod pool;
pub(crate) mod worker_shares;
