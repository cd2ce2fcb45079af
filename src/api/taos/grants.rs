//! Grants: who may do what to which agent, and who is in which space (taOS contract, section 2; DESIGN D9).

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, Action, AgentRole, Caller, SpaceRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::api::requests::has_room;
use crate::limits::GRANT_SECONDS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store::grants::{self, Grant, GrantFilter, GrantRole, Grantee, On, RoleGrant};
use crate::store::{self, agents, spaces, users};
use crate::time::Micros;

const DOC: &str = "concepts/permissions#grants";
const PRINCIPAL: Field =
    Field::text("principal", 128, "The principal: user:NAME or agent:NAME, with the name or the id.")
        .told(r#"{"pattern": "^(user|agent):."}"#);
const RESOURCE: Field =
    Field::text("resource", 128, "The resource: agent:ID, space:ID or space:SLUG, or agent:* for the role creator.")
        .told(r#"{"pattern": "^(agent|space):."}"#);
const EXPIRES_IN: Field =
    Field::integer("expires_in_seconds", 1, GRANT_SECONDS, "Seconds until the grant ends; never if absent.");
const ROLE: Field = Field::word(
    "role",
    &["viewer", "editor", "owner", "creator"],
    "viewer reads, editor also changes, owner also shares and archives; creator may create agents.",
);

const RECORD: &[Field] = &[
    Field::unbounded("id", "The grant's id.").required(),
    PRINCIPAL.required(),
    RESOURCE.required(),
    ROLE.required(),
    Field::unbounded("granted_by", "Who gave the role.").required(),
    Field::unbounded("granted_at", "When the role was given.").required(),
    Field::unbounded("expires_at", "When the grant ends; null if it does not.").required().nullable(),
];

/// The routes for grants.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/grants", Taos, Action::GrantsCreate, create)
        .described(
            "grants_create",
            "Give a role",
            "An owner of the agent or space may do this; on agent:* only an admin. The new role and its end replace \
                the earlier ones.",
            DOC,
        )
        .taking(
            &[PRINCIPAL.required(), RESOURCE.required(), ROLE.required(), EXPIRES_IN],
            r#"{"principal": "user:ann", "resource": "agent:*", "role": "creator"}"#,
        )
        .answering(201, Answer::Upsert(RECORD))
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::SPACE_FORBIDDEN,
            codes::FORBIDDEN,
            codes::PRINCIPAL_NOT_FOUND,
            codes::TOO_MANY_MEMBERS,
            codes::LIMIT_REACHED,
        ]),
    ApiRoute::checked(Method::GET, "/api/grants", Taos, Action::GrantsList, list)
        .described(
            "grants_list",
            "List grants",
            "The grants that the caller may give: on agents and spaces that it owns. An admin sees all.",
            DOC,
        )
        .asking(&[PRINCIPAL, RESOURCE, LIMIT, CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::DELETE, "/api/grants/{id}", Taos, Action::GrantsDelete, delete)
        .described("grants_delete", "Take a role back", "Everyone who may give the grant may delete it.", DOC)
        .answering(204, Answer::Empty)
        .failing(&[codes::GRANT_NOT_FOUND]),
];

fn show(grant: &Grant) -> Value {
    json!({
        "id": grant.id,
        "principal": grant.principal,
        "resource": grant.on.to_string(),
        "role": grant.role,
        "granted_by": grant.granted_by,
        "granted_at": grant.granted_at.millis(),
        "expires_at": grant.expires_at.map(Micros::millis),
    })
}

/// Parses a resource: `agent:*`, `agent:ID`, `space:ID` or `space:SLUG`. For a space that does not exist the text is
/// taken as its id, so that it is refused like a space of others.
fn resource(conn: &Connection, text: &str) -> Result<On, ApiError> {
    match text.split_once(':') {
        Some(("agent", "*")) => Ok(On::AllAgents),
        Some(("agent", id)) if !id.is_empty() => Ok(On::agent(id)),
        Some(("space", name)) if !name.is_empty() => {
            Ok(On::Space(spaces::by_id_or_slug(conn, name)?.map_or_else(|| name.to_owned(), |space| space.id)))
        }
        _ => Err(ApiError::field("resource", "must be agent:ID, agent:*, space:ID or space:SLUG")),
    }
}

/// Returns the principal of `user:NAME` or `agent:NAME`; an id may stand for the name. `None` if there is no such
/// principal.
fn grantee(conn: &Connection, text: &str) -> Result<Option<Grantee>, ApiError> {
    match text.split_once(':') {
        Some(("user", given)) => Ok(users::resolve(conn, given)?.map(|user| Grantee::User(user.id))),
        Some(("agent", given)) => Ok(agents::resolve(conn, given)?.map(|live| Grantee::Agent(live.agent.id))),
        _ => Err(ApiError::field("principal", "must be user:NAME or agent:NAME; an id may stand for the name")),
    }
}

/// Returns the principal of a new grant. An agent that the caller may not see is not found, so that nobody learns of
/// others' agents by granting.
fn receiver(conn: &Connection, caller: &Caller, text: &str) -> Result<Grantee, ApiError> {
    match grantee(conn, text)? {
        Some(Grantee::Agent(id)) if access::role_on(conn, caller, &id)?.is_none() => {
            Err(codes::PRINCIPAL_NOT_FOUND.into())
        }
        found => found.ok_or_else(|| codes::PRINCIPAL_NOT_FOUND.into()),
    }
}

/// Checks that the caller may give roles on this resource.
fn may_give(conn: &Connection, caller: &Caller, on: &On) -> Result<(), ApiError> {
    match on {
        On::AllAgents if caller.is_admin() => Ok(()),
        On::AllAgents => Err(ApiError::new(codes::FORBIDDEN).detail("Only an admin can grant roles on agent:*.")),
        On::Agent(id) => {
            agents::by_id(conn, id)?.ok_or(codes::AGENT_NOT_FOUND)?;
            access::require(conn, caller, id, AgentRole::Owner)?;
            access::require_lasting(conn, caller, on)
        }
        On::Space(id) => {
            access::require_space(conn, caller, id, SpaceRole::Owner)?;
            access::require_lasting(conn, caller, on)
        }
    }
}

fn create(app: &App, call: Call) -> Handled {
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let named = body.text(&RESOURCE).unwrap_or("");
        let on = resource(tx.conn, named)?;
        let role: GrantRole = body.word(&ROLE)?.ok_or_else(|| ApiError::field("role", "is missing"))?;
        if (on == On::AllAgents) != (role == GrantRole::Creator) {
            let problem = "must be creator on agent:*, and viewer, editor or owner on one agent or space";
            return Err(ApiError::field("role", problem));
        }
        may_give(tx.conn, tx.caller, &on).map_err(|refusal| access::as_named(refusal, named))?;
        let grantee = receiver(tx.conn, tx.caller, body.text(&PRINCIPAL).unwrap_or(""))?;
        let expires_at = body.integer(&EXPIRES_IN).map(|seconds| tx.now.plus(seconds * Micros::SECOND));
        let before = grants::of(tx.conn, &grantee, &on)?;
        if before.is_none() {
            has_room(tx.conn, &on)?;
        }
        if before.as_ref().is_none_or(|grant| grant.role != role || grant.expires_at != expires_at) {
            let given = RoleGrant { grantee: &grantee, on: &on, role, granted_by: &tx.caller.actor(), expires_at };
            grants::give(tx.conn, &store::new_id(), &given, tx.now)?;
            tx.audit(on.to_string())?;
        }
        let grant = grants::of(tx.conn, &grantee, &on)?.ok_or(codes::INTERNAL)?;
        let was_there = before.is_some_and(|grant| grant.is_live(tx.now));
        Ok(Reply::json(if was_there { StatusCode::OK } else { StatusCode::CREATED }, &show(&grant)))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "grants")?;
    let page = list.page();
    let query = &call.input.query;
    app.store.read(|conn| {
        let on = query.text(&RESOURCE).map(|text| resource(conn, text)).transpose()?;
        let grantee = match query.text(&PRINCIPAL).map(|text| grantee(conn, text)).transpose()? {
            Some(None) => return Ok(()),
            other => other.flatten(),
        };
        let owned_by = (!call.caller.is_admin()).then(|| call.caller.grantee());
        let filter = GrantFilter { grantee, on, owned_by };
        let mut take = |grant: Grant| {
            let hidden = matches!(&grant.on, On::Agent(id) if !call.caller.may_touch(id));
            let place = (grant.granted_at, grant.id.clone());
            if hidden { list.pass(place) } else { list.push(place, &show(&grant)) }
        };
        Ok::<_, ApiError>(grants::list(conn, &filter, &page, Micros::now(), &mut take)?)
    })?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let id = tx.input.param(0);
        let grant = grants::by_id(tx.conn, id)?.ok_or(codes::GRANT_NOT_FOUND)?;
        // A caller who may not give the grant does not learn that it exists.
        may_give(tx.conn, tx.caller, &grant.on).map_err(|error| match error.code.status {
            403 | 404 => codes::GRANT_NOT_FOUND.into(),
            _ => error,
        })?;
        grants::delete(tx.conn, id)?;
        tx.audit(format!("grant:{id}"))?;
        Ok(Reply::no_content())
    })
}
