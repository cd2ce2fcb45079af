//! `taosd`: identity authority and control plane for the AI agents on one small box.
//!
//! Dependencies point one way: binaries, then `api`, then `access`, `store` and `jobs`, then `secret` and
//! [`limits`]. [`http`] carries requests to handlers and knows nothing of what they do.

#![forbid(unsafe_code)]

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
pub mod secret;
pub mod store;
pub mod time;
