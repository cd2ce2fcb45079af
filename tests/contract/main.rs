//! The wire contract, noun by noun, through the real binary.

#[path = "../support/mod.rs"]
mod support;

mod agents_are_created;
