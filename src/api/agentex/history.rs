//! The commits that an agent was registered with (Agentex contract, section 6).

use hyper::http::Method;
use serde_json::{Value, json};

use super::paging::{self, CURSOR, DIRECTION, LIMIT, PAGE_NUMBER};
use super::row::{AGENT_ID, AGENT_NAME, checked, text};
use super::visible::{AgentRef, find, no_deployment, role};
use crate::access::{Action, AgentRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::history::{self, HistoryItem};
use crate::store::registrations;

const DOC: &str = "concepts/agentex#deployments";

const fn told(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

const FIELDS: &[Field] = &[
    told("id", "The item's id."),
    told("agent_id", "The agent's id."),
    told("author_name", "The name of the commit's author."),
    told("author_email", "The e-mail address of the commit's author."),
    told("branch_name", "The branch."),
    told("build_timestamp", "When the build was made."),
    told("deployment_timestamp", "When this commit was first registered."),
    told("commit_hash", "The commit."),
];

/// The history's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/deployment-history", Action::DeploymentsRead, list)
        .described("agentex_history_list", "List the commits of an agent", "Each commit it registered with.", DOC)
        .asking(&[
            AGENT_ID,
            AGENT_NAME,
            LIMIT,
            PAGE_NUMBER,
            Field::word("order_by", &["deployment_timestamp", "id"], "deployment_timestamp if absent."),
            DIRECTION,
            CURSOR,
        ])
        .answering(200, Answer::Array(FIELDS))
        .failing(&[codes::AGENT_IDENTIFIER, codes::AGENT_NOT_FOUND, codes::INVALID_CURSOR]),
    checked(Method::GET, "/deployment-history/{item}", Action::DeploymentsRead, get)
        .described("agentex_history_get", "Read one commit of an agent", "By the item's id.", DOC)
        .answering(200, Answer::Object(FIELDS))
        .failing(&[codes::DEPLOYMENT_NOT_FOUND]),
];

fn show(item: &HistoryItem) -> Value {
    json!({
        "id": item.id,
        "agent_id": item.agent_id,
        "author_name": item.author_name,
        "author_email": item.author_email,
        "branch_name": item.branch_name,
        "build_timestamp": item.built_at.micros(),
        "deployment_timestamp": item.deployed_at.micros(),
        "commit_hash": item.commit_hash,
    })
}

fn list(app: &App, call: Call) -> Handled {
    let (page, mut list) = paging::page(&call.input, "agentex-history", "deployment_timestamp", true)?;
    let named = AgentRef::in_fields(&call.input.query)?;
    app.store.read(|conn| {
        let entry = find(conn, &call.caller, &named, AgentRole::Viewer)?;
        let mut take = |row| list.push_next(page.offset, &show(&row));
        Ok::<_, ApiError>(history::list(conn, &entry.id, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

fn get(app: &App, call: Call) -> Handled {
    let id = text(&call, 0);
    let item = app.store.read(|conn| {
        let item = history::by_id(conn, &id)?.ok_or_else(|| no_deployment(&id))?;
        let lives = registrations::by_id(conn, &item.agent_id)?.is_some();
        if !lives || role(conn, &call.caller, &item.agent_id)?.is_none() {
            return Err(no_deployment(&id));
        }
        Ok::<_, ApiError>(item)
    })?;
    Ok(Reply::ok(&show(&item)).into())
}
