//! How often an agent has called in each of the last hours.

use hyper::http::Method;
use serde_json::json;

use super::fields::SLUG;
use crate::access::{Action, AgentRole, HOURS};
use crate::api::agents::find;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::time::Micros;

const HOUR: &[Field] = &[
    Field::shown("from", "When the hour begins."),
    Field::integer("calls", 0, u32::MAX as i64, "The agent's calls in it.").required(),
];

/// The routes for an agent's calls.
pub const ROUTES: &[ApiRoute] =
    &[ApiRoute::checked(Method::GET, "/api/agents/{name}/calls", Taos, Action::AgentsRead, calls)
        .described(
            "agents_calls",
            "Count an agent's calls",
            "How often the agent called the box in each of the last 24 hours, the oldest hour first. The daemon counts \
                in memory since its start.",
            "recipes/managing-agents#calls",
        )
        .answering(
            200,
            Answer::Object(&[
                SLUG,
                Field::integer("total", 0, HOURS as i64 * u32::MAX as i64, "The sum.").required(),
                Field::of("hours", Type::Objects(HOUR), "The last 24 hours.").required(),
            ]),
        )
        .failing(&[codes::AGENT_NOT_FOUND])];

fn calls(app: &App, call: Call) -> Handled {
    let agent = app
        .store
        .read(|conn| Ok::<_, ApiError>(find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?.agent))?;
    let now = Micros::now();
    let calls = app.gate.presence.calls(&agent.id, now);
    let hour = 3_600 * Micros::SECOND;
    let first = now.0.div_euclid(hour) - (HOURS as i64 - 1);
    let hours = (first..).zip(calls).map(|(at, calls)| json!({"from": Micros(at * hour).millis(), "calls": calls}));
    let total: u64 = calls.iter().copied().map(u64::from).sum();
    Ok(Reply::ok(&json!({"name": agent.slug, "total": total, "hours": hours.collect::<Vec<_>>()})).into())
}
