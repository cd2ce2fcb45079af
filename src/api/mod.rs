//! Handlers: one file per noun, with its rows of the route table. A handler follows the contract: checks in its order,
//! one transaction, one reply. Each room uses only those before it:
//!
//! 1. [`engine`] - the steps that every request takes around a handler
//! 2. [`agents`] - the code for agents that all dialects share
//! 3. `requests` - the code for requests that all dialects share
//! 4. [`taos`] - the taOS dialect
//! 5. `ax` - the aX dialect
//! 6. `agentex` - the Agentex dialect
//! 7. `oauth` - the authorization server, and the pages where people log in
//! 8. `mcp` - the Model Context Protocol
//! 9. `table` - all rows
//!
//! What does not belong here: SQL, sockets, and how a credential is checked.

pub(crate) mod agentex;
pub mod agents;
pub(crate) mod ax;
pub mod engine;
pub(crate) mod mcp;
pub(crate) mod oauth;
mod requests;
mod table;
pub mod taos;

pub use ax::task_ended;
pub use ax::uploads::{FileKind, safe_name as safe_file_name};
pub use engine::api_route::ApiRoute;
pub use engine::app::{App, AppParts};
pub use engine::dispatch::Dispatcher;
pub use engine::paging::set_page_bytes;
pub use requests::ended as request_ended;
pub use table::routes;
pub use taos::index::surface;
pub use taos::notifications::show as show_notification;
