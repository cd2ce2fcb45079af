//! `taosd`: identity authority and control plane for the AI agents on one small box.
//!
//! The rooms, from the top down. A room uses only rooms below it, so no two use each other; `tests/house.rs` checks this.
//!
//! - [`fuzzing`] - the parsers that the fuzz targets call
//! - [`offline`] - the commands that do not serve: check, backup, restore
//! - [`daemon`] - the composition root: builds every part, wires them; reload, watchdog, stop
//! - [`ctl`] - `taosctl`
//! - [`ui`] - the console: pages for people, made from what the API answers
//! - [`api`] - handlers, a folder a dialect, each with its rows of the route table
//! - [`jobs`] - work that no request waits for
//! - [`access`] - who calls, and may they
//! - [`config`] - what can be set
//! - [`containers`] - the interface of a container runtime, and a driver for each
//! - [`http`] - the server: the edge that faces the network, and the pool that runs handlers
//! - [`client`] - requests to others
//! - [`rest`] - the types for routes, requests and replies
//! - [`store`] - the only room that knows SQL
//! - [`docs`] - the pages that the daemon serves
//! - [`limits`] - every bound
//! - [`secret`] - the formats of secrets: how to make, parse and hash them
//! - `say` - what the two programs print
//! - [`time`] - times as the database keeps them
//! - [`threads`] - locks, and threads that work from time to time
//! - `closed_set` - words that are one enum

#![forbid(unsafe_code)]
#![warn(clippy::disallowed_macros)]

pub mod access;
pub mod api;
pub mod client;
mod closed_set;
pub mod config;
pub mod containers;
pub mod ctl;
pub mod daemon;
pub mod docs;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod offline;
pub mod rest;
pub mod say;
pub mod secret;
pub mod store;
pub mod threads;
pub mod time;
pub mod ui;
