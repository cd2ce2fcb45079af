//! The Agentex dialect: the routes that the Agentex SDK and its agents call (Agentex contract). It only translates;
//! agents, grants and credentials are the same as everywhere.

mod agents;
mod deployments;
mod forward;
mod history;
mod keys;
mod left_out;
mod metadata;
mod paging;
mod record;
mod register;
mod visible;

use hyper::http::Method;

use super::engine::app::App;
use super::engine::call::{Call, Handled};
use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::rest::error::Dialect;
use crate::rest::field::Field;
use crate::rest::route::Access;
pub use agents::ROUTES as AGENTS;
pub use deployments::ROUTES as DEPLOYMENTS;
use deployments::deployed;
pub use forward::ROUTES as FORWARD;
pub use history::ROUTES as HISTORY;
pub use keys::ROUTES as KEYS;
pub use left_out::ROUTES as LEFT_OUT;
use visible::{AgentRef, at_least, by_name, find, no_agent, no_deployment, no_key, reach, role};

/// One of the two ways to name an agent. Of any length: what no agent has is not found.
pub(super) const AGENT_ID: Field = Field::unbounded("agent_id", "The agent's id. Send this or agent_name.");
/// The other way.
pub(super) const AGENT_NAME: Field = Field::unbounded("agent_name", "The agent's name. Send this or agent_id.");

/// A route of this dialect without query, body or errors of its own.
const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
) -> ApiRoute {
    ApiRoute::bare(method, path, Dialect::Agentex, access)
}

/// A checked route: method, path, action, handler.
const fn checked(method: Method, path: &'static str, action: Action, handler: fn(&App, Call) -> Handled) -> ApiRoute {
    row(method, path, Access::Action(action, handler))
}

/// What a deletion answers.
const DELETED: &[Field] = &[
    Field::unbounded("id", "The id of the deleted record.").required(),
    Field::unbounded("message", "What the daemon did, as a sentence.").required(),
];

/// The path's parameter at this place.
fn text(call: &Call, at: usize) -> String {
    call.input.param(at).to_owned()
}
