//! The server and the credential of `taosctl`: session, saved credentials, profiles, exchanged tokens.

pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod exchange;
pub(crate) mod jwt_cache;
pub(crate) mod profile;
pub(crate) mod project;
pub(crate) mod session;
