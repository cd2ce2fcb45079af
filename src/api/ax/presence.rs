//! Presence, availability and heartbeat of agents, in memory only (aX contract, section 7).

use hyper::http::Method;
use serde_json::{Value, json};

use super::agents::{listed, listing};
use super::{change, checked, record};
use crate::access::presence::ONLINE;
use crate::access::{Action, AgentRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::CURSOR;
use crate::rest::class::UA_AG;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store::agents::LiveAgent;
use crate::store::profiles;
use crate::time::Micros;

const DOC: &str = "recipes/bootstrap#agents";

const ROW: &[Field] = &[
    Field::shown("id", "The agent's id."),
    Field::shown("name", "The agent's name."),
    Field::word(
        "presence",
        &["online", "offline", "sleeping"],
        "Online if the agent was seen within 120 seconds; sleeping if its container is stopped or frozen until there \
            is news.",
    )
    .required(),
    Field::shown("agent_type", "The kind of agent, as a free word."),
    Field::shown("last_active", "When the agent was last seen.").nullable(),
];

const STATE: &[Field] = &[
    Field::of("agent_state", Type::AnyObject, "What to expect of the agent.").required(),
    Field::of("raw_presence", Type::Object(ROW), "The observed presence of the agent.").required(),
    Field::of("control", Type::AnyObject, "The restrictions that the owner has set.").required(),
];

/// The rows of the route table for presence.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/api/v1/agents/presence", UA_AG, Action::AgentsPresence, presence_of_all)
        .described("agents_presence_list", "See which agents are online", "The agents that the caller may read.", DOC)
        .asking(&[CURSOR])
        .answering(
            200,
            Answer::Object(&[Field::of("agents", Type::Objects(ROW), "One row for each agent.").required()]),
        )
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::GET, "/api/v1/agents/{agent}/presence", UA_AG, Action::AgentsPresence, presence_of_one)
        .described("agents_presence", "See whether an agent is online", "The path takes the agent's id or name.", DOC)
        .answering(200, Answer::Object(ROW))
        .failing(&[codes::AGENT_NOT_FOUND]),
    checked(Method::GET, "/api/v1/agents/availability", UA_AG, Action::AgentsPresence, state_of_all)
        .described("agents_availability", "List what to expect of agents", "The agents that the caller may read.", DOC)
        .asking(&[CURSOR])
        .answering(
            200,
            Answer::Object(&[Field::of("agents", Type::Objects(STATE), "One entry for each agent.").required()]),
        )
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::GET, "/api/v1/agents/{agent}/state", UA_AG, Action::AgentsPresence, state_of_one)
        .described("agents_state", "See what to expect of an agent", "The path takes the agent's id or name.", DOC)
        .answering(200, Answer::Object(STATE))
        .failing(&[codes::AGENT_NOT_FOUND]),
    checked(Method::POST, "/api/v1/agents/heartbeat", UA_AG, Action::AgentsHeartbeat, heartbeat)
        .described(
            "agents_heartbeat",
            "Send a heartbeat",
            "Marks the agent as online. Nothing is written to disk. A heartbeat of a user has no effect.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::flag("ok", "Always true.").required(),
                Field::integer("ttl_seconds", ONLINE, ONLINE, "Seconds that the heartbeat counts.").required(),
            ]),
        ),
];

fn row(app: &App, live: &LiveAgent, agent_type: &str, now: Micros) -> Value {
    let online = app.gate.presence.is_online(&live.agent.id, now);
    let presence = match online {
        _ if live.agent.sleeps() => "sleeping",
        true => "online",
        false => "offline",
    };
    json!({
        "id": live.agent.id,
        "name": record::name(&live.agent),
        "presence": presence,
        "agent_type": agent_type,
        "last_active": record::last_seen(&app.gate.presence, live).map(Micros::micros),
    })
}

fn state(app: &App, live: &LiveAgent, agent_type: &str, now: Micros) -> Value {
    let raw = row(app, live, agent_type, now);
    let online = raw["presence"] == "online";
    let listens = app.streams.listening.is_anywhere(&format!("agent:{}", live.agent.id));
    let sleeps = raw["presence"] == "sleeping";
    let (badge, label) = match (live.agent.paused, online, raw["last_active"].is_null()) {
        _ if live.agent.is_frozen() => ("blocked", "Frozen"),
        (true, ..) => ("blocked", "Paused"),
        _ if sleeps => ("offline", "Sleeping"),
        (false, true, _) => ("live", "Online"),
        (false, false, false) => ("offline", "Offline"),
        (false, false, true) => ("unknown", "Never seen"),
    };
    json!({
        "agent_state": {
            "id": live.agent.id,
            "name": raw["name"],
            "presence": raw["presence"],
            "badge_state": badge,
            "badge_label": label,
            "connection_path": "unknown",
            "expected_response": if listens { "immediate" } else { "unknown" },
            "confidence": if online { "high" } else { "low" },
            "last_seen_at": raw["last_active"],
        },
        "raw_presence": raw,
        "control": record::control(&live.agent),
    })
}

type ShowAgent = fn(&App, &LiveAgent, &str, Micros) -> Value;

fn of_all(app: &App, call: &Call, show: ShowAgent) -> Result<Reply, ApiError> {
    let now = Micros::now();
    let list = listing(call)?.under("agents", false);
    listed(app, call, None, list, |conn, live| {
        Ok(show(app, live, &profiles::of(conn, &live.agent.id)?.agent_type, now))
    })
}

fn of_one(app: &App, call: &Call, show: ShowAgent) -> Handled {
    let shown = app.store.read(|conn| {
        let live = change::find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?;
        let agent_type = profiles::of(conn, &live.agent.id)?.agent_type;
        Ok::<_, ApiError>(show(app, &live, &agent_type, Micros::now()))
    })?;
    Ok(Reply::ok(&shown).into())
}

fn presence_of_all(app: &App, call: Call) -> Handled {
    Ok(of_all(app, &call, row)?.decided(Decided::ByPresence).into())
}

fn presence_of_one(app: &App, call: Call) -> Handled {
    of_one(app, &call, row)
}

fn state_of_all(app: &App, call: Call) -> Handled {
    // Not cached: whether an agent listens now is only in memory.
    Ok(of_all(app, &call, state)?.into())
}

fn state_of_one(app: &App, call: Call) -> Handled {
    of_one(app, &call, state)
}

fn heartbeat(_: &App, _: Call) -> Handled {
    // The access check has already recorded that the agent was seen.
    Ok(Reply::ok(&json!({"ok": true, "ttl_seconds": ONLINE})).into())
}
