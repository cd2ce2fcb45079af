//! The taOS dialect: one file a noun, each with its rows of the route table.

pub(crate) mod agents;
pub(crate) mod ask;
pub(crate) mod audit;
pub(crate) mod backups;
pub(crate) mod channels;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod freeze;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod joins;
pub(crate) mod jwks;
pub(crate) mod knowledge;
pub(crate) mod links;
pub(crate) mod notifications;
pub(crate) mod notify;
pub(crate) mod operations;
pub(crate) mod requests;
pub(crate) mod scope;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod tripwires;
pub(crate) mod user_tokens;
pub(crate) mod users;
pub(crate) mod whoami;
