//! Agents in the Agentex dialect: reading, listing and deleting them (Agentex contract, section 4).

use hyper::http::Method;
use serde_json::{Value, json};

use super::fields::AGENT_ID;
use super::fields::{ACP_TYPE, ACP_URL, DESCRIPTION, INPUT, NAME, ORDER_BY};
use super::paging::{self, CURSOR, DIRECTION, LIMIT, PAGE_NUMBER};
use super::record::{self, METADATA, show};
use super::row::{DELETED, checked, text};
use super::visible::{AgentRef, find, no_agent};
use super::{metadata, register};
use crate::access::{Action, AgentRole};
use crate::api::agents::{archive, seen_by};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::limits::CARD_FILTER_BYTES;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::json;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store::agents as rows;
use crate::store::registrations::{self};

const RECIPE: &str = "recipes/build-once-and-deploy";

/// The fields of the reply to a registration.
const REGISTERED: &[Field] = &{
    let mut fields = [AGENT_ID; 13];
    let mut at = 0;
    while at < record::FIELDS.len() {
        fields[at] = record::FIELDS[at];
        at += 1;
    }
    fields[12] = Field::unbounded(
        "agent_api_key",
        "An internal key of the agent. Only the owner's first registration returns it.",
    )
    .required()
    .nullable();
    fields
};

const AGENT_CARD_METADATA: Field = Field::text(
    "agent_card_metadata",
    CARD_FILTER_BYTES,
    "A JSON object that registration_metadata.agent_card.metadata must contain.",
);
const TASK_ID: Field = Field::unbounded("task_id", "Accepted for compatibility. The list is empty if this is set.");
/// The agents' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/agents", Action::AgentsList, list)
        .described(
            "agentex_agents_list",
            "List agents, for Agentex clients",
            "The agents that the caller may read, by page number. An agent sees itself.",
            RECIPE,
        )
        .asking(&[LIMIT, PAGE_NUMBER, ORDER_BY, DIRECTION, TASK_ID, AGENT_CARD_METADATA, CURSOR])
        .answering(200, Answer::Array(record::FIELDS))
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::POST, "/agents/register-build", Action::AgentsCreate, register::build)
        .described(
            "agentex_agents_register_build",
            "Register a build",
            "Creates an agent that is not deployed yet. If the caller can read an agent with this name, the reply is \
                that agent, unchanged.",
            RECIPE,
        )
        .taking(
            &[NAME.required(), DESCRIPTION.required(), METADATA, INPUT],
            r#"{"name": "mailer", "description": "Sends mail"}"#,
        )
        .answering(200, Answer::Object(record::FIELDS))
        .failing(&[codes::CREATE_NOT_ALLOWED, codes::NAME_UNAVAILABLE, codes::SLUG_COLLISION_UNRESOLVABLE]),
    checked(Method::POST, "/agents/register", Action::AgentsRegister, register::register)
        .secret()
        .described(
            "agentex_agents_register",
            "Register what runs",
            "Registers the address of an agent, or that one of its deployments is ready. The owner's first \
                registration returns a key.",
            RECIPE,
        )
        .taking(
            &[NAME.required(), DESCRIPTION.required(), ACP_URL, ACP_TYPE, AGENT_ID, METADATA, INPUT],
            r#"{"name": "mailer", "description": "Sends mail", "acp_url": "http://localhost:8000", "acp_type": "async"}"#,
        )
        .answering(200, Answer::Object(REGISTERED))
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::DEPLOYMENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::CREATE_NOT_ALLOWED,
            codes::NAME_UNAVAILABLE,
            codes::NAME_TAKEN,
            codes::TOO_MANY_DEPLOYMENTS,
            codes::SLUG_COLLISION_UNRESOLVABLE,
        ]),
    checked(Method::GET, "/agents/{id}", Action::AgentsRead, get)
        .described("agentex_agents_get", "Read an agent by id", "For its viewers and the agent itself.", RECIPE)
        .answering(200, Answer::Object(record::FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND]),
    checked(Method::GET, "/agents/name/{name}", Action::AgentsRead, get_by_name)
        .described(
            "agentex_agents_get_by_name",
            "Read an agent by name",
            "For its viewers and the agent itself.",
            RECIPE,
        )
        .answering(200, Answer::Object(record::FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND]),
    checked(Method::DELETE, "/agents/{id}", Action::AgentsDelete, delete)
        .described("agentex_agents_delete", "Delete an agent by id", ABOUT_DELETE, RECIPE)
        .answering(200, Answer::Object(DELETED))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::AGENT_BUSY]),
    checked(Method::DELETE, "/agents/name/{name}", Action::AgentsDelete, delete_by_name)
        .described("agentex_agents_delete_by_name", "Delete an agent by name", ABOUT_DELETE, RECIPE)
        .answering(200, Answer::Object(DELETED))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::AGENT_BUSY]),
];

const ABOUT_DELETE: &str =
    "Archives the agent at once: its credentials end and its name becomes free. The daemon then stops its container.";

fn list(app: &App, call: Call) -> Handled {
    let (page, mut list) = paging::page(&call.input, "agentex-agents", "updated_at", true)?;
    let card = call.input.query.text(&AGENT_CARD_METADATA).map(card).transpose()?;
    if call.input.query.text(&TASK_ID).is_some() {
        return Ok(list.reply(&call.input).decided(Decided::ByDatabase).into());
    }
    let seen = seen_by(&call.caller);
    let only = call.caller.only_agents().map(<[String]>::to_vec);
    app.store.read(|conn| {
        let only = match card {
            None => only,
            Some(part) => {
                let fits = |text: &str| serde_json::from_str(text).is_ok_and(|whole| metadata::contains(&whole, &part));
                let mut ids = Vec::new();
                registrations::cards(conn, &seen, only.as_deref(), &mut |(id, text)| {
                    if fits(&text) {
                        ids.push(id);
                    }
                    true
                })?;
                Some(ids)
            }
        };
        let mut take = |entry| list.push_next(page.offset, &show(&entry));
        registrations::list(conn, &seen, only.as_deref(), &page, &mut take)
    })?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

/// Parses the JSON object that an agent's card must contain.
fn card(text: &str) -> Result<Value, ApiError> {
    let refused = || ApiError::field("agent_card_metadata", "must be a JSON object of at most 4 KiB");
    if text.len() > CARD_FILTER_BYTES {
        return Err(refused());
    }
    json::parse(text.as_bytes()).ok().filter(Value::is_object).ok_or_else(refused)
}

fn read(app: &App, call: &Call, named: &AgentRef) -> Handled {
    let entry = app.store.read(|conn| find(conn, &call.caller, named, AgentRole::Viewer))?;
    Ok(Reply::ok(&show(&entry)).decided(Decided::ByDatabase).into())
}

fn get(app: &App, call: Call) -> Handled {
    read(app, &call, &AgentRef::Id(text(&call, 0)))
}

fn get_by_name(app: &App, call: Call) -> Handled {
    read(app, &call, &AgentRef::Name(text(&call, 0)))
}

fn remove(app: &App, call: Call, named: AgentRef) -> Handled {
    let jobs = std::sync::Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let entry = find(tx.conn, tx.caller, &named, AgentRole::Owner)?;
        let live = rows::by_id(tx.conn, &entry.id)?.ok_or_else(|| no_agent(named.text()))?;
        let message = format!("Agent '{}' deleted successfully", named.text());
        archive::retire(jobs, tx, &live.agent, Reply::ok(&json!({"id": entry.id, "message": message})))
    })
}

fn delete(app: &App, call: Call) -> Handled {
    let named = AgentRef::Id(text(&call, 0));
    remove(app, call, named)
}

fn delete_by_name(app: &App, call: Call) -> Handled {
    let named = AgentRef::Name(text(&call, 0));
    remove(app, call, named)
}
