//! `taosd`: identity authority and control plane for the AI agents on one small box.
//!
//! The modules ("rooms"), from the top down. A room uses only rooms below it, so there are no cycles; `tests/house.rs`
//! checks this.
//!
//! - [`fuzzing`] - the parsers that the fuzz targets call
//! - [`offline`] - the commands that do not serve: check, backup, restore
//! - [`daemon`] - the composition root: builds and connects all parts; reload, watchdog, stop
//! - [`ctl`] - `taosctl`
//! - [`ui`] - the console: pages for people, made from the replies of the API
//! - [`api`] - handlers, one folder per dialect, each with its rows of the route table
//! - [`jobs`] - work that runs outside requests
//! - [`access`] - who calls, and what the caller may do
//! - [`config`] - the settings
//! - [`containers`] - the interface of a container runtime, and a driver for each runtime
//! - [`http`] - the server: the edge that faces the network, and the pool that runs handlers
//! - [`client`] - requests to other servers
//! - [`rest`] - the types for routes, requests and replies
//! - [`store`] - the only room that knows SQL
//! - [`docs`] - the pages that the daemon serves
//! - [`limits`] - every bound
//! - [`secret`] - the formats of secrets: how to make, parse and hash them
//! - `say` - the output of the two programs
//! - [`time`] - times as the database stores them
//! - [`threads`] - locks, and threads that run periodically or on events
//! - `proc_net` - the kernel's tables of addresses and networks
//! - `closed_set` - enums made from lists of words

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
mod proc_net;
pub mod rest;
pub mod say;
pub mod secret;
pub mod store;
pub mod threads;
pub mod time;
pub mod ui;
