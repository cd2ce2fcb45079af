//! HTTP: the edge that faces the network, the pool that runs handlers, and what a table of routes is made of.
//!
//! Nothing outside this room names hyper's connections or tokio. Handlers see an [`input::Input`] and return a
//! [`reply::Reply`]; what the network does to a connection is the edge's business alone.

pub mod access_log;
pub mod client;
mod client_io;
pub mod codes;
pub mod courier;
pub mod edge;
pub mod error;
pub mod field;
pub mod head;
pub mod input;
pub mod intake;
pub mod json;
pub mod multipart;
pub mod openapi;
pub mod pool;
pub mod relay;
pub mod reply;
pub mod route;
pub mod router;
pub mod service;
mod shares;
pub mod stream;
pub mod tags;
pub mod text;
