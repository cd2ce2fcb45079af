//! Agents, as every dialect treats them.

pub mod name;
