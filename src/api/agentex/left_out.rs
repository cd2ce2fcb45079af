//! Routes of Agentex clients that this daemon does not support. Each replies 501 to every caller that passes the access
//! check, without looking up an agent (Agentex contract, section 8).

use hyper::http::Method;

use super::row::checked;
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::route::Answer;

const DOC: &str = "concepts/agentex#left-out";

const fn left_out(method: Method, path: &'static str, id: &'static str) -> ApiRoute {
    checked(method, path, Action::AgentsRead, not_supported)
        .described(id, "Not supported", "Always 501.", DOC)
        .answering(501, Answer::Empty)
        .failing(&[codes::NOT_SUPPORTED])
}

/// The unsupported rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    left_out(Method::POST, "/agents/{id}/rpc", "agentex_rpc"),
    left_out(Method::POST, "/agents/name/{name}/rpc", "agentex_rpc_by_name"),
    left_out(Method::POST, "/agents/{id}/deployments/{deployment}/rpc", "agentex_rpc_by_deployment"),
    left_out(Method::GET, "/agents/{id}/schedules", "agentex_schedules_list"),
    left_out(Method::POST, "/agents/{id}/schedules", "agentex_schedules_create"),
    left_out(Method::GET, "/agents/{id}/schedules/{rest...}", "agentex_schedules_get"),
    left_out(Method::POST, "/agents/{id}/schedules/{rest...}", "agentex_schedules_post"),
    left_out(Method::PATCH, "/agents/{id}/schedules/{rest...}", "agentex_schedules_patch"),
    left_out(Method::PUT, "/agents/{id}/schedules/{rest...}", "agentex_schedules_put"),
    left_out(Method::DELETE, "/agents/{id}/schedules/{rest...}", "agentex_schedules_delete"),
    left_out(Method::POST, "/agent_api_keys/webhook-trigger", "agentex_webhook_trigger"),
];

fn not_supported(_: &App, _: Call) -> Handled {
    Err(codes::NOT_SUPPORTED.into())
}
