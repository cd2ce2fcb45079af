//! HTTP: the edge that faces the network, the pool that runs handlers, and the table of routes.
//!
//! Nothing outside this room names hyper or tokio. Handlers see an input and return a
//! [`reply::Reply`]; what the network does to a connection is the edge's business alone.

pub mod codes;
pub mod edge;
pub mod error;
pub mod head;
pub mod pool;
pub mod reply;
pub mod service;
pub mod stream;
