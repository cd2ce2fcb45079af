//! The scopes of credentials: globs over actions, and the aX words for them.

pub mod ax_scopes;
pub(crate) mod scope;
