//! The aX dialect: the routes that the client `axctl` calls (aX contract). It only translates; agents, credentials and
//! spaces are the same as in the other dialects.

mod agents;
pub mod allowance;
mod change;
pub mod context;
mod exchange;
mod fields;
mod fingerprint;
mod issue;
mod keys;
mod me;
mod members;
mod messages;
mod presence;
mod record;
mod rotate;
mod spaces;
mod tasks;
pub mod uploads;

pub use agents::ROUTES as AGENTS;
pub(crate) use change::born;
pub use context::ROUTES as CONTEXT;
pub use exchange::ROUTES as EXCHANGE;
pub(crate) use exchange::{Wish, run as exchange};
pub use keys::ROUTES as KEYS;
pub use me::ROUTES as ME;
pub use members::ROUTES as MEMBERS;
pub use messages::ROUTES as MESSAGES;
pub(crate) use messages::mentions;
pub use presence::ROUTES as PRESENCE;
pub use spaces::ROUTES as SPACES;
pub use tasks::{ROUTES as TASKS, ended as task_ended};
pub use uploads::ROUTES as UPLOADS;

use hyper::http::Method;

use super::engine::app::App;
use super::engine::call::{Call, Handled};
use crate::access::{Action, Class};
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::rest::error::Dialect;
use crate::rest::route::Access;

/// The maximum characters of an id. Ids have 36; a longer text cannot be one.
const ID_CHARS: usize = 64;

/// Creates a route of this dialect without query, body or error codes of its own.
const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
) -> ApiRoute {
    ApiRoute::bare(method, path, Dialect::Ax, access)
}

/// Creates a checked route: method, path, classes, action, handler.
const fn checked(
    method: Method,
    path: &'static str,
    classes: &'static [Class],
    action: Action,
    handler: fn(&App, Call) -> Handled,
) -> ApiRoute {
    row(method, path, Access::Class(classes, action, handler))
}
