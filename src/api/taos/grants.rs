//! Grants: who may do what to which agent (taOS contract, section 2; DESIGN D9).

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, Action, AgentRole, Caller};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::limits::GRANTS_OF_AGENT;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::store::grants::{self, Grant, GrantFilter, Grantee};
use crate::store::{self, agents, users};

const DOC: &str = "concepts/permissions#grants";
const PRINCIPAL: Field =
    Field::text("principal", 128, "The principal: user:NAME or agent:NAME, with the name or the id.")
        .told(r#"{"pattern": "^(user|agent):."}"#);
const RESOURCE: Field = Field::text("resource", 128, "The resource: agent:ID, or agent:* for the role creator.")
    .told(r#"{"pattern": "^agent:."}"#);
const ROLE: Field = Field::word(
    "role",
    &["viewer", "editor", "owner", "creator"],
    "viewer reads, editor also changes, owner also shares and archives; creator may create agents.",
);

const RECORD: &[Field] = &[
    Field::text("id", usize::MAX, "The grant's id.").required(),
    PRINCIPAL.required(),
    RESOURCE.required(),
    ROLE.required(),
    Field::text("granted_by", usize::MAX, "Who gave it.").required(),
    Field::text("granted_at", usize::MAX, "When.").required(),
];

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    Route {
        method: Method::POST,
        path: "/api/grants",
        dialect: Taos,
        access: Access::Action(Action::GrantsCreate, create),
        id: "grants_create",
        title: "Give a role",
        about: "An owner of the agent may do this, on agent:* an admin. The new role replaces an earlier one.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::Json(&[PRINCIPAL.required(), RESOURCE.required(), ROLE.required()]),
        example: r#"{"principal": "user:ann", "resource": "agent:*", "role": "creator"}"#,
        answer: (201, Answer::Upsert(RECORD)),
        errors: &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::PRINCIPAL_NOT_FOUND, codes::LIMIT_REACHED],
        doc: DOC,
    },
    Route {
        method: Method::GET,
        path: "/api/grants",
        dialect: Taos,
        access: Access::Action(Action::GrantsList, list),
        id: "grants_list",
        title: "List grants",
        about: "The grants that the caller may give: on agents that it owns. An admin sees all.",
        repeat: Repeat::Safe,
        query: &[PRINCIPAL, RESOURCE, LIMIT, CURSOR],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::List(RECORD)),
        errors: &[codes::INVALID_CURSOR],
        doc: DOC,
    },
    Route {
        method: Method::DELETE,
        path: "/api/grants/{id}",
        dialect: Taos,
        access: Access::Action(Action::GrantsDelete, delete),
        id: "grants_delete",
        title: "Take a role back",
        about: "Everyone who may give the grant may delete it.",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (204, Answer::Empty),
        errors: &[codes::GRANT_NOT_FOUND],
        doc: DOC,
    },
];

fn show(grant: &Grant) -> Value {
    json!({
        "id": grant.id,
        "principal": grant.principal,
        "resource": format!("agent:{}", grant.agent_id.as_deref().unwrap_or("*")),
        "role": grant.role,
        "granted_by": grant.granted_by,
        "granted_at": grant.granted_at.millis(),
    })
}

/// The agent of a resource `agent:ID`; `None` for `agent:*`.
fn resource(text: &str) -> Result<Option<&str>, ApiError> {
    match text.strip_prefix("agent:") {
        Some("*") => Ok(None),
        Some(id) if !id.is_empty() => Ok(Some(id)),
        _ => Err(ApiError::field("resource", "must be agent:ID or agent:*")),
    }
}

/// The principal of `user:NAME` or `agent:NAME`, where an id stands for a name as well; `None` if there is none.
fn grantee(conn: &Connection, text: &str) -> Result<Option<Grantee>, ApiError> {
    match text.split_once(':') {
        Some(("user", given)) => Ok(users::resolve(conn, given)?.map(|user| Grantee::User(user.id))),
        Some(("agent", given)) => Ok(agents::resolve(conn, given)?.map(|live| Grantee::Agent(live.agent.id))),
        _ => Err(ApiError::field("principal", "must be user:NAME or agent:NAME; an id may stand for the name")),
    }
}

/// The principal of a grant to be given. An agent that the caller may not see is none: nobody learns of another's
/// agents by sharing.
fn receiver(conn: &Connection, caller: &Caller, text: &str) -> Result<Grantee, ApiError> {
    match grantee(conn, text)? {
        Some(Grantee::Agent(id)) if access::role_on(conn, caller, &id)?.is_none() => {
            Err(codes::PRINCIPAL_NOT_FOUND.into())
        }
        found => found.ok_or_else(|| codes::PRINCIPAL_NOT_FOUND.into()),
    }
}

/// Lets the caller pass if it may give roles on this agent, or on all (`None`).
fn may_give(conn: &Connection, caller: &Caller, agent_id: Option<&str>) -> Result<(), ApiError> {
    match agent_id {
        None if caller.is_admin() => Ok(()),
        None => Err(ApiError::new(codes::FORBIDDEN).detail("Only an admin can grant roles on agent:*.")),
        Some(id) => {
            agents::by_id(conn, id)?.ok_or(codes::AGENT_NOT_FOUND)?;
            access::require(conn, caller, id, AgentRole::Owner)
        }
    }
}

fn create(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let agent_id = resource(body.text("resource").unwrap_or(""))?.map(str::to_owned);
    let role = body.text("role").unwrap_or("").to_owned();
    if agent_id.is_none() != (role == "creator") {
        return Err(ApiError::field("role", "must be creator on agent:*, and viewer, editor or owner on agent:ID"));
    }
    call.write(app, move |tx| {
        let agent_id = agent_id.as_deref();
        may_give(tx.conn, tx.caller, agent_id)?;
        let grantee = receiver(tx.conn, tx.caller, tx.input.body.text("principal").unwrap_or(""))?;
        let before = grants::role_of(tx.conn, &grantee, agent_id)?;
        if let (None, Some(id)) = (&before, agent_id)
            && grants::count_on_agent(tx.conn, id)? >= GRANTS_OF_AGENT
        {
            return Err(ApiError::limit_reached("grants on this agent", GRANTS_OF_AGENT));
        }
        if before.as_deref() != Some(role.as_str()) {
            grants::put(tx.conn, &store::new_id(), &grantee, agent_id, &role, &tx.caller.actor(), tx.now)?;
            tx.audit(format!("agent:{}", agent_id.unwrap_or("*")))?;
        }
        let grant = grants::of(tx.conn, &grantee, agent_id)?.ok_or(codes::INTERNAL)?;
        let status = if before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
        Ok(Reply::json(status, &show(&grant)))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "grants")?;
    let page = list.page();
    let query = &call.input.query;
    let agent_id = query.text("resource").map(resource).transpose()?.map(|id| id.map(str::to_owned));
    app.store.read(|conn| {
        let grantee = match query.text("principal").map(|text| grantee(conn, text)).transpose()? {
            Some(None) => return Ok(()),
            other => other.flatten(),
        };
        let owned_by = (!call.caller.is_admin()).then(|| call.caller.grantee());
        let filter = GrantFilter { grantee, agent_id, owned_by };
        let mut take = |grant: Grant| list.push((grant.granted_at, grant.id.clone()), &show(&grant));
        Ok::<_, ApiError>(grants::list(conn, &filter, &page, &mut take)?)
    })?;
    Ok(list.reply(&call.input).into())
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let id = tx.input.param(0);
        let grant = grants::by_id(tx.conn, id)?.ok_or(codes::GRANT_NOT_FOUND)?;
        // Who may not give it is not told that it exists.
        may_give(tx.conn, tx.caller, grant.agent_id.as_deref()).map_err(|error| match error.code.status {
            403 | 404 => codes::GRANT_NOT_FOUND.into(),
            _ => error,
        })?;
        grants::delete(tx.conn, id)?;
        tx.audit(format!("grant:{id}"))?;
        Ok(Reply::no_content())
    })
}
