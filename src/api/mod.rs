//! Handlers: one file a noun, each with its rows of the route table. They read like the contract: checks in its order,
//! one transaction, one reply.
//!
//! What does not belong here: SQL, sockets, and how a credential is checked.

pub(crate) mod agentex;
pub(crate) mod agents;
mod app;
mod audit;
pub(crate) mod ax;
mod backups;
mod call;
mod descent;
mod dispatch;
pub(crate) mod docs;
mod grants;
pub mod growth;
mod health;
mod idempotency;
mod index;
mod jwks;
mod knowledge;
mod metrics;
mod notifications;
pub(crate) mod notify;
mod operations;
pub(crate) mod paging;
mod rules;
mod scope;
mod sessions;
mod slow;
mod table;
mod tokens;
mod user_tokens;
mod users;
mod whoami;

pub use app::{App, StartError};
pub use ax::uploads::{Kind as FileKind, safe_name as safe_file_name};
pub use dispatch::Dispatcher;
pub use index::surface;
pub use table::{ApiRoute, routes};
