//! The HTTP server: the edge that faces the network, and the pool that runs handlers.
//!
//! Only this module and [`crate::client`] hold hyper's connections. Handlers see an [`crate::rest::input::Input`] and
//! return a [`crate::rest::reply::Reply`]. Only the edge deals with the network and its connections.

pub mod access_log;
pub mod edge;
pub mod pool;
pub(crate) mod worker_shares;
