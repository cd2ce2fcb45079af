//! Finds the principal behind a credential: bearer tokens, cookies, Agentex keys, the operator's socket.

pub(crate) mod agentex;
pub(crate) mod bearer;
pub mod cookie;
pub(crate) mod credential_cache;
pub(crate) mod credential_lookup;
pub(crate) mod operator;
