//! Agents, as every dialect treats them: names, finding, making, archiving.

pub(crate) mod archive;
pub(crate) mod create;
mod find;
pub(crate) mod frozen;
pub mod name;

pub(crate) use find::{find, seen_by, visible};
