//! Records of where an agent was deployed, and which of them is in production (Agentex contract, section 6).

use hyper::http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::metadata;
use super::paging::{self, CURSOR, DIRECTION, LIMIT, PAGE_NUMBER};
use super::record::{METADATA, stored};
use super::row::{DELETED, checked, text};
use super::visible::{AgentRef, find, no_deployment};
use crate::access::{Action, AgentRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::{DEPLOYMENTS, DEPLOYMENTS_BY_AGENT};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::deployments::{self, Deployment, DeploymentStatus};
use crate::store::registrations::{self, AcpType, RegisteredAgent, RegisteredBy, Registration};
use crate::store::{agents, new_id};
use crate::time::Micros;

const DOC: &str = "concepts/agentex#deployments";

const fn told(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

const IMAGE: Field = Field::text("docker_image", 512, "The container image.");
const SGP: Field = Field::text("sgp_deploy_id", 256, "Stored unchanged for the client.");
const HELM: Field = Field::text("helm_release_name", 256, "Stored unchanged for the client.");

const FIELDS: &[Field] = &[
    told("id", "The deployment's id, unique among its agent's."),
    told("agent_id", "The agent's id."),
    told("docker_image", "The container image."),
    Field::word("status", DeploymentStatus::SLUGS, "The state of the deployment: Ready after it has registered.")
        .required(),
    Field::flag("is_production", "True for the deployment in production.").required(),
    METADATA.required().nullable(),
    told("acp_url", "The address of the deployment's server.").nullable(),
    SGP.required().nullable(),
    HELM.required().nullable(),
    told("created_at", "When the deployment was recorded.").nullable(),
    told("promoted_at", "When the deployment was last put into production.").nullable(),
    told("expires_at", "When the deployment was deleted.").nullable(),
];

/// The deployments' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/agents/{id}/deployments", Action::DeploymentsCreate, create)
        .described("agentex_deployments_create", "Record a deployment", "Stores a record; it starts nothing.", DOC)
        .taking(&[IMAGE.required().not_empty(), METADATA, SGP, HELM], r#"{"docker_image": "mailer:2"}"#)
        .repeatable()
        .answering(200, Answer::Object(FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::TOO_MANY_DEPLOYMENTS]),
    checked(Method::GET, "/agents/{id}/deployments", Action::DeploymentsRead, list)
        .described("agentex_deployments_list", "List an agent's deployments", "Those that were not deleted.", DOC)
        .asking(&[
            LIMIT,
            PAGE_NUMBER,
            Field::word("order_by", &["created_at", "promoted_at", "id"], "created_at if absent."),
            DIRECTION,
            CURSOR,
        ])
        .answering(200, Answer::Array(FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND, codes::INVALID_CURSOR]),
    checked(Method::GET, "/agents/{id}/deployments/{deployment}", Action::DeploymentsRead, get)
        .described("agentex_deployments_get", "Read a deployment", "By its id within its agent.", DOC)
        .answering(200, Answer::Object(FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND, codes::DEPLOYMENT_NOT_FOUND]),
    checked(Method::DELETE, "/agents/{id}/deployments/{deployment}", Action::DeploymentsDelete, delete)
        .described("agentex_deployments_delete", "Delete a deployment", "Not the one in production.", DOC)
        .answering(200, Answer::Object(DELETED))
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::DEPLOYMENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::DEPLOYMENT_IN_PRODUCTION,
        ]),
    checked(Method::POST, "/agents/{id}/deployments/{deployment}/promote", Action::DeploymentsPromote, promote)
        .described(
            "agentex_deployments_promote",
            "Put a deployment into production",
            "Requests to the agent then go to this deployment, not to the previous one. Repeating changes nothing.",
            DOC,
        )
        .answering(200, Answer::Object(FIELDS))
        .failing(&[codes::AGENT_NOT_FOUND, codes::DEPLOYMENT_NOT_FOUND, codes::FORBIDDEN, codes::DEPLOYMENT_NOT_READY]),
];

/// A deployment in the form that clients get.
#[derive(Debug, Serialize)]
struct AgentexDeployment<'a> {
    id: &'a str,
    agent_id: &'a str,
    docker_image: &'a str,
    status: DeploymentStatus,
    is_production: bool,
    registration_metadata: Option<&'a RawValue>,
    acp_url: Option<&'a str>,
    sgp_deploy_id: Option<&'a str>,
    helm_release_name: Option<&'a str>,
    created_at: String,
    promoted_at: Option<String>,
    expires_at: Option<String>,
}

fn show(d: &Deployment) -> AgentexDeployment<'_> {
    AgentexDeployment {
        id: &d.id,
        agent_id: &d.agent_id,
        docker_image: &d.docker_image,
        status: d.status,
        is_production: d.is_production,
        registration_metadata: stored(d.metadata.as_ref()),
        acp_url: d.acp_url.as_deref(),
        sgp_deploy_id: d.sgp_deploy_id.as_deref(),
        helm_release_name: d.helm_release_name.as_deref(),
        created_at: d.created_at.micros(),
        promoted_at: d.promoted_at.map(Micros::micros),
        expires_at: d.expires_at.map(Micros::micros),
    }
}

/// Returns a new record that is not ready.
fn pending(agent_id: &str, id: String, docker_image: &str, now: Micros) -> Deployment {
    Deployment {
        agent_id: agent_id.to_owned(),
        id,
        docker_image: docker_image.to_owned(),
        status: DeploymentStatus::Pending,
        is_production: false,
        metadata: None,
        acp_url: None,
        by_user: false,
        sgp_deploy_id: None,
        helm_release_name: None,
        created_at: now,
        promoted_at: None,
        expires_at: None,
    }
}

/// Adds a record, unless the agent has the maximum number.
fn add(tx: &Tx<'_>, deployment: &Deployment) -> Result<(), ApiError> {
    if deployments::count(tx.conn, &deployment.agent_id)? >= DEPLOYMENTS {
        return Err(codes::TOO_MANY_DEPLOYMENTS.into());
    }
    Ok(deployments::insert(tx.conn, deployment)?)
}

/// Marks a deployment as ready, because it has registered. An unknown deployment is recorded now; a deleted one is
/// refused.
///
/// # Errors
/// `deployment_not_found`, `too_many_deployments`, or a `StoreError`.
pub fn deployed(
    tx: &Tx<'_>,
    agent_id: &str,
    id: &str,
    said: Option<&Map<String, Value>>,
    acp: Option<&(String, AcpType)>,
) -> Result<(), ApiError> {
    let (metadata, url) = (metadata::merged(None, said)?, acp.map_or("", |(url, _)| url.as_str()));
    let mut by_user = tx.caller.agent_id().is_none();
    match deployments::by_id(tx.conn, agent_id, id)? {
        Some(known) if known.expires_at.is_some() => return Err(no_deployment(id)),
        // An address that a user gave stays the user's if the agent repeats it.
        Some(known) => by_user |= known.by_user && known.acp_url.as_deref() == Some(url),
        None => {
            if !by_user && deployments::count_by_agent(tx.conn, agent_id)? >= DEPLOYMENTS_BY_AGENT {
                let why =
                    format!("The agent has registered {DEPLOYMENTS_BY_AGENT} deployments by itself, the maximum.");
                return Err(ApiError::new(codes::TOO_MANY_DEPLOYMENTS).detail(why));
            }
            let image = said.and_then(|said| metadata::text(said, "docker_image")).unwrap_or("unknown");
            add(tx, &pending(agent_id, id.to_owned(), image, tx.now))?;
        }
    }
    deployments::register(tx.conn, agent_id, id, metadata.as_deref(), url, by_user)?;
    Ok(())
}

fn create(app: &App, call: Call) -> Handled {
    let said = call.input.body.value(&METADATA).and_then(Value::as_object).cloned();
    let said = metadata::merged(None, said.as_ref())?;
    call.write(app, move |tx| {
        let named = AgentRef::Id(tx.input.param(0).to_owned());
        let entry = find(tx.conn, tx.caller, &named, AgentRole::Editor)?;
        let body = &tx.input.body;
        let deployment = Deployment {
            metadata: said,
            sgp_deploy_id: body.text(&SGP).map(str::to_owned),
            helm_release_name: body.text(&HELM).map(str::to_owned),
            ..pending(&entry.id, new_id(), body.text(&IMAGE).unwrap_or_default(), tx.now)
        };
        add(tx, &deployment)?;
        tx.audit(format!("agent:{}", entry.id))?;
        Ok(Reply::ok(&show(&deployment)))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let (page, mut list) = paging::page(&call.input, "agentex-deployments", "created_at", true)?;
    let named = AgentRef::Id(text(&call, 0));
    app.store.read(|conn| {
        let entry = find(conn, &call.caller, &named, AgentRole::Viewer)?;
        let mut take = |row| list.push_next(page.offset, &show(&row));
        Ok::<_, ApiError>(deployments::list(conn, &entry.id, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

/// Returns an agent's deployment with this id, unless it was deleted.
fn living(conn: &rusqlite::Connection, agent_id: &str, id: &str) -> Result<Deployment, ApiError> {
    let found = deployments::by_id(conn, agent_id, id)?;
    found.filter(|deployment| deployment.expires_at.is_none()).ok_or_else(|| no_deployment(id))
}

fn get(app: &App, call: Call) -> Handled {
    let (named, id) = (AgentRef::Id(text(&call, 0)), text(&call, 1));
    let found = app.store.read(|conn| {
        let entry = find(conn, &call.caller, &named, AgentRole::Viewer)?;
        living(conn, &entry.id, &id)
    })?;
    Ok(Reply::ok(&show(&found)).into())
}

/// Returns the agent and the deployment that the path names, if the caller has at least the role `needed`.
fn both(tx: &Tx<'_>, needed: AgentRole) -> Result<(RegisteredAgent, Deployment), ApiError> {
    let named = AgentRef::Id(tx.input.param(0).to_owned());
    let entry = find(tx.conn, tx.caller, &named, needed)?;
    let deployment = living(tx.conn, &entry.id, tx.input.param(1))?;
    Ok((entry, deployment))
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (entry, deployment) = both(tx, AgentRole::Owner)?;
        if deployment.is_production {
            return Err(codes::DEPLOYMENT_IN_PRODUCTION.into());
        }
        deployments::expire(tx.conn, &entry.id, &deployment.id, tx.now)?;
        tx.audit(format!("agent:{}", entry.id))?;
        let message = format!("Deployment '{}' deleted successfully", deployment.id);
        Ok(Reply::ok(&json!({"id": deployment.id, "message": message})))
    })
}

fn promote(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (entry, deployment) = both(tx, AgentRole::Editor)?;
        if deployment.is_production {
            return Ok(Reply::ok(&show(&deployment)));
        }
        if deployment.status != DeploymentStatus::Ready {
            return Err(codes::DEPLOYMENT_NOT_READY.into());
        }
        deployments::demote(tx.conn, &entry.id)?;
        deployments::promote(tx.conn, &entry.id, &deployment.id, tx.now)?;
        let next = Registration {
            acp_url: deployment.acp_url.clone(),
            by_user: deployment.by_user,
            registered_at: Some(tx.now),
            registered_by: Some(RegisteredBy::Promote),
            unhealthy: false,
            ..entry.registration
        };
        registrations::put(tx.conn, &entry.id, &next)?;
        agents::touch(tx.conn, &entry.id, tx.now)?;
        tx.audit(format!("agent:{}", entry.id))?;
        Ok(Reply::ok(&show(&living(tx.conn, &entry.id, &deployment.id)?)))
    })
}
