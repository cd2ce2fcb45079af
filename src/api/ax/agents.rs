//! Agents: their rows of the route table, and reading them (aX contract, section 7).

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields::{ORIGIN, PINNED, SPACE_ID};
use super::{change, checked, record};
use crate::access::{self, Action, AgentRole, Class, SpaceRole};
use crate::api::agents::{seen_by, visible};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, Listing};
use crate::limits::{PAGE_MAX, TEXT_BYTES};
use crate::rest::class::{AD, ALL, UA, UA_AD, UA_AG};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store;
use crate::store::agents::{self, AgentFilter, LiveAgent};

const DOC: &str = "recipes/bootstrap#agents";
const NEW: &[Field] = &[
    Field::text("name", 255, "The name: A-Z a-z 0-9 _ -, at most 64.")
        .told(r#"{"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}"#)
        .required(),
    Field::text("description", 4096, "The agent's purpose."),
    Field::text("system_prompt", TEXT_BYTES, "The agent's system prompt."),
    Field::text("model", 128, "The model it uses."),
    SPACE_ID,
    ORIGIN,
    Field::text("agent_type", 64, "The kind of agent, as a free word.").not_empty(),
    Field::text("bio", 4096, "A short text about the agent."),
    Field::text("specialization", 255, "The agent's specialization."),
];
const NEW_EXAMPLE: &str = r#"{"name": "backend_sentinel", "description": "Watches the backend"}"#;

const AGENT: Answer = Answer::Object(record::FIELDS);

const fn creating(path: &'static str, id: &'static str, classes: &'static [Class]) -> ApiRoute {
    checked(Method::POST, path, classes, Action::AgentsCreate, change::create)
        .described(
            id,
            "Create an agent",
            "The agent gets the caller's owner and spaces, even if the body names others. The name must be free.",
            "recipes/bootstrap#create-an-agent",
        )
        .taking(NEW, NEW_EXAMPLE)
        .answering(201, AGENT)
        .failing(&[codes::CREATE_NOT_ALLOWED, codes::NAME_CONFLICT, codes::SPACE_FORBIDDEN])
}

const fn managing(path: &'static str, id: &'static str) -> ApiRoute {
    checked(Method::GET, path, AD, Action::AgentsList, manage_list)
        .described(id, "List the agents to manage", "All the caller may read, as a bare array.", DOC)
        .asking(&[CURSOR])
        .answering(200, Answer::List(record::FIELDS))
        .failing(&[codes::INVALID_CURSOR])
}

const fn reading(path: &'static str, id: &'static str) -> ApiRoute {
    checked(Method::GET, path, ALL, Action::AgentsRead, get)
        .described(id, "Read an agent", "The path takes the agent's id, or its name in any case.", DOC)
        .answering(200, AGENT)
        .failing(&[codes::AGENT_NOT_FOUND])
}

const fn changing(method: Method, path: &'static str, id: &'static str, classes: &'static [Class]) -> ApiRoute {
    checked(method, path, classes, Action::AgentsUpdate, change::update)
        .described(
            id,
            "Change an agent",
            "Fields that are not sent stay unchanged. An agent may change its own description, bio, specialization and avatar_url.",
            DOC,
        )
        .taking(change::CHANGEABLE, r#"{"bio": "Infra and operations", "status": "active"}"#)
        .answering(200, AGENT)
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN])
}

const LIMIT: Field = Field::integer("limit", 1, 1000, "Maximum number of agents; 500 if absent.");
const ENTRY_TYPE: Field = Field::text("entry_type", 32, "The type of the entries; only agent exists.");
/// The agents' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/api/v1/agents", UA_AG, Action::AgentsList, list)
        .described("ax_agents_list", "List the agents of a space", "The agents that the caller may read.", DOC)
        .asking(&[SPACE_ID, LIMIT, CURSOR])
        .answering(
            200,
            Answer::Object(&[
                Field::of("agents", Type::Objects(record::FIELDS), "The agents.").required(),
                Field::integer("count", 0, i64::MAX, "The number of agents.").required(),
            ]),
        )
        .failing(&[codes::SPACE_NOT_FOUND, codes::INVALID_CURSOR]),
    creating("/api/v1/agents", "ax_agents_create", UA),
    creating("/api/v1/agents/manage/create", "ax_agents_manage_create", AD),
    creating("/agents/manage/create", "ax_manage_create", AD),
    managing("/api/v1/agents/manage/list", "ax_agents_manage_list"),
    managing("/agents/manage/list", "ax_manage_list"),
    reading("/api/v1/agents/manage/{agent}", "ax_agents_manage_read"),
    reading("/api/v1/agents/{agent}", "ax_agents_read"),
    changing(Method::PUT, "/api/v1/agents/manage/{agent}", "ax_agents_manage_update", ALL),
    changing(Method::PUT, "/api/v1/agents/{agent}", "ax_agents_update", ALL),
    changing(Method::PATCH, "/agents/manage/{agent}", "ax_manage_update", AD),
    checked(Method::DELETE, "/api/v1/agents/manage/{agent}", UA_AD, Action::AgentsDelete, change::delete)
        .described(
            "ax_agents_delete",
            "Delete an agent",
            "Archives the agent. Its name becomes free, and all its credentials end at once. If it has a container, an \
                operation stops and archives that afterwards.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::shown("message", "What the daemon did, as a sentence."),
                Field::shown("id", "The agent's id."),
            ]),
        )
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::AGENT_BUSY]),
    checked(Method::GET, "/api/v1/agents/{agent}/placement", UA, Action::AgentsRead, placement)
        .described(
            "ax_placement",
            "Read the home space of an agent",
            "The agent's home space, and whether it is pinned there.",
            DOC,
        )
        .answering(200, PLACED)
        .failing(&[codes::AGENT_NOT_FOUND]),
    checked(Method::POST, "/api/v1/agents/{agent}/placement", UA, Action::AgentsPlace, change::place)
        .described("ax_place", "Move an agent to a space", "The space must be one of the caller's own.", DOC)
        .taking(&[Field::text("space_id", super::ID_CHARS, "The space."), PINNED], r#"{"pinned": true}"#)
        .answering(200, PLACED)
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::SPACE_FORBIDDEN]),
    checked(Method::GET, "/api/v1/organizations/{space}/roster", UA_AG, Action::AgentsList, roster)
        .described("ax_roster", "List the agents of a space as a roster", "The agents the caller may read.", DOC)
        .asking(&[ENTRY_TYPE, CURSOR])
        .answering(
            200,
            Answer::Object(&[Field::of(
                "entries",
                Type::Objects(&[
                    Field::shown("id", "The agent's id."),
                    Field::shown("name", "The agent's name."),
                    Field::shown("type", "Always agent."),
                    Field::unbounded_texts("enabled_tools", "Always empty: the daemon records none.").required(),
                    Field::unbounded_texts("capabilities_list", "Always empty: the daemon records none.").required(),
                ]),
                "The agents.",
            )
            .required()]),
        )
        .failing(&[codes::SPACE_NOT_FOUND, codes::INVALID_CURSOR]),
];

const PLACED: Answer = Answer::Object(&[Field::of("agent", Type::Object(record::FIELDS), "The agent.").required()]);

/// Returns a list of the agents that the caller may read, in one space or in all, oldest first; `show` makes a row.
///
/// # Errors
/// `space_not_found` for a space that is not the caller's, or a `StoreError`.
pub fn listed(
    app: &App,
    call: &Call,
    space: Option<&str>,
    mut list: Listing,
    show: impl Fn(&Connection, &LiveAgent) -> store::Result<Value>,
) -> Result<Reply, ApiError> {
    let page = list.page();
    app.store.read(|conn| {
        let space_id = match space {
            Some(id) => {
                access::require_space(conn, &call.caller, id, SpaceRole::Viewer)?;
                Some(id.to_owned())
            }
            None => None,
        };
        let filter = AgentFilter { space_id, ..visible(&call.caller) };
        let mut failed = None;
        let mut take = |live: LiveAgent| match show(conn, &live) {
            Ok(row) => list.push((live.agent.created_at, live.agent.id.clone()), &row),
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        agents::list(conn, &seen_by(&call.caller), &filter, &page, &mut take)?;
        failed.map_or(Ok(()), |error| Err(ApiError::from(error)))
    })?;
    Ok(list.reply(&call.input))
}

/// Returns the empty list that the query asks for, with the maximum number of rows.
///
/// # Errors
/// `invalid_cursor` if this list did not issue the cursor.
pub fn listing(call: &Call) -> Result<Listing, ApiError> {
    Ok(Listing::of(&call.input, "agents")?.at_most(PAGE_MAX))
}

fn list(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let limit = query.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_MAX);
    // Without a space, a user sees all readable agents, and an agent sees those of its default space.
    let own = match call.caller.agent_id() {
        Some(_) => Some(app.store.lookup(|conn| access::default_space(conn, &call.caller))?),
        None => None,
    };
    let space = query.text(&SPACE_ID).filter(|id| !id.is_empty()).or(own.as_deref());
    let list = listing(&call)?.at_most(limit).under("agents", true);
    let show = |conn: &Connection, live: &LiveAgent| record::show(conn, &call.caller, &app.gate.presence, live);
    Ok(listed(app, &call, space, list, show)?.decided(Decided::ByPresence).into())
}

fn manage_list(app: &App, call: Call) -> Handled {
    let show = |conn: &Connection, live: &LiveAgent| record::show(conn, &call.caller, &app.gate.presence, live);
    Ok(listed(app, &call, None, listing(&call)?, show)?.decided(Decided::ByPresence).into())
}

fn get(app: &App, call: Call) -> Handled {
    let record = app.store.read(|conn| {
        let live = change::find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?;
        Ok::<_, ApiError>(record::show(conn, &call.caller, &app.gate.presence, &live)?)
    })?;
    Ok(Reply::ok(&record).decided(Decided::ByPresence).into())
}

fn placement(app: &App, call: Call) -> Handled {
    let record = app.store.read(|conn| {
        let live = change::find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?;
        Ok::<_, ApiError>(record::show(conn, &call.caller, &app.gate.presence, &live)?)
    })?;
    Ok(Reply::ok(&json!({"agent": record})).into())
}

fn roster(app: &App, call: Call) -> Handled {
    let only_others = call.input.query.text(&ENTRY_TYPE).is_some_and(|kind| kind != "agent");
    // The list has only agents, so another type gets no rows; the space must still be the caller's.
    let list = listing(&call)?.under("entries", false);
    let list = if only_others { list.at_most(0) } else { list };
    let reply = listed(app, &call, Some(call.input.param(0)), list, |_, live| {
        Ok(json!({
            "id": live.agent.id,
            "name": record::name(&live.agent),
            "type": "agent",
            "enabled_tools": [],
            "capabilities_list": [],
        }))
    })?;
    Ok(reply.decided(Decided::ByDatabase).into())
}
