//! The parts that the rows of the Agentex dialect share.

use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::error::Dialect;
use crate::rest::field::Field;
use crate::rest::route::Access;

/// The agent's id, one of the two ways to name an agent. Any length is accepted: an id that no agent has is not found.
pub(super) const AGENT_ID: Field = Field::unbounded("agent_id", "The agent's id. Send this or agent_name.");

/// The agent's name, the other way to name an agent.
pub(super) const AGENT_NAME: Field = Field::unbounded("agent_name", "The agent's name. Send this or agent_id.");

/// Creates a route of this dialect without query, body or error codes of its own.
pub(super) const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
) -> ApiRoute {
    ApiRoute::bare(method, path, Dialect::Agentex, access)
}

/// Creates a checked route: method, path, action, handler.
pub(super) const fn checked(
    method: Method,
    path: &'static str,
    action: Action,
    handler: fn(&App, Call) -> Handled,
) -> ApiRoute {
    row(method, path, Access::Action(action, handler))
}

/// The fields of the reply to a deletion.
pub(super) const DELETED: &[Field] = &[
    Field::unbounded("id", "The id of the deleted record.").required(),
    Field::unbounded("message", "What the daemon did, as a sentence.").required(),
];

/// Returns the path parameter at this index.
pub(super) fn text(call: &Call, at: usize) -> String {
    call.input.param(at).to_owned()
}
