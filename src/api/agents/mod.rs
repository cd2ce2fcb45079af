//! Agents, for all dialects: names, finding, creating and archiving.

pub(crate) mod archive;
pub(crate) mod create;
mod find;
pub(crate) mod frozen;
pub mod name;

pub(crate) use find::{find, seen_by, visible};
