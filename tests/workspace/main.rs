//! The workspace through the real binary: spaces and their walls, messages, receipts, streams.

#[path = "../support/mod.rs"]
mod support;

mod members_come_and_go;
mod world;
