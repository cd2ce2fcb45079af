//! Creating agents. Owner, space and origin are always the caller's.

use hyper::header::LOCATION;
use serde_json::json;

use super::{model, name, settings};
use crate::access::{self, Principal, Scopes};
use crate::api::app::App;
use crate::api::call::{Call, Handled, Tx};
use crate::api::scope;
use crate::http::error::ApiError;
use crate::http::reply::Reply;
use crate::store::agents::{self, Agent, Ownership};
use crate::store::grants::{self, Grantee};
use crate::store::{self, spaces};

pub(super) fn create(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let display_name = name::display_name(body.text("name").unwrap_or(""))?;
    settings::check(body)?;
    let scopes = scope::asked(body)?.unwrap_or_else(Scopes::agent_default);
    scope::within(&call.caller, &scopes)?;
    let model = settings::model_name(body)?;
    let models = app.config.models.clone();
    call.write(app, move |tx| {
        access::may_create(tx.conn, tx.caller)?;
        if let Some(model) = &model {
            model::locate(&models, model, None)?;
        }
        let slug = name::free_slug(tx.conn, &name::slug_of(&display_name))?;
        let body = &tx.input.body;
        let mut agent = fresh(tx, slug, display_name, &scopes)?;
        settings::apply(&mut agent, body);
        agent.framework = body.text("framework").unwrap_or("none").to_owned();
        agent.model = model;
        add(tx, &agent)?;
        let created = json!({
            "status": "created",
            "id": agent.id,
            "name": agent.slug,
            "display_name": agent.display_name,
        });
        Ok(Reply::ok(&created).with(LOCATION, &format!("/api/agents/{}", agent.slug)))
    })
}

/// A new agent that belongs to the caller.
pub(super) fn fresh(tx: &Tx<'_>, slug: String, display_name: String, scopes: &Scopes) -> Result<Agent, ApiError> {
    let user = tx.caller.user();
    let owner = Ownership {
        user_id: user.id.clone(),
        username: user.username.clone(),
        space_id: spaces::default_of(tx.conn, &user.id)?,
        // People's agents live in their space; what an agent makes belongs to the core of agents.
        origin: match tx.caller.principal() {
            Principal::User(_) => "space_agent",
            Principal::Agent { .. } => "agentcore",
        },
        created_by: tx.caller.actor(),
    };
    Ok(Agent::new(store::new_id(), slug, display_name, owner, scopes.stored(), tx.now))
}

/// Adds the agent, its owner's grant (and the creating agent's), and the audit row.
pub(super) fn add(tx: &Tx<'_>, agent: &Agent) -> Result<(), ApiError> {
    agents::insert(tx.conn, agent)?;
    let mut owners = vec![Grantee::User(agent.owner_user_id.clone())];
    owners.extend(tx.caller.agent_id().map(|id| Grantee::Agent(id.to_owned())));
    for owner in owners {
        grants::put(tx.conn, &store::new_id(), &owner, Some(&agent.id), "owner", &tx.caller.actor(), tx.now)?;
    }
    Ok(tx.audit(format!("agent:{}", agent.id))?)
}
