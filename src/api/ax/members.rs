//! Members of spaces (workspace contract, section 1): list, add and remove them.

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{change, checked};
use crate::access::{self, Action, AgentRole, Caller, SpaceRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::limits::{GRANT_SECONDS, NAME_CHARS, SPACE_MEMBERS};
use crate::rest::class::{UA, UA_AG};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store::grants::{GrantRole, Grantee, On, RoleGrant};
use crate::store::spaces::{self, Member};
use crate::store::{self, agents, grants, users};
use crate::time::Micros;

const DOC: &str = "concepts/workspace#members";

const ROLE: Field = Field::word("role", SpaceRole::SLUGS, "The member's role.").required();
/// The fields of a member.
const MEMBER: &[Field] = &[
    Field::shown("id", "The id of the user or agent."),
    Field::shown("username", "The name of the user or agent."),
    Field::word("type", &["user", "agent"], "What it is.").required(),
    ROLE,
    Field::shown("expires_at", "When the membership ends; null if it does not.").nullable(),
];

const USERNAME: Field = Field::text("username", NAME_CHARS, "The user's name. Send this or agent.");
const AGENT: Field = Field::text("agent", NAME_CHARS, "The agent's id or name. Send this or username.");
const EXPIRES_IN_SECONDS: Field =
    Field::integer("expires_in_seconds", 1, GRANT_SECONDS, "Seconds until the membership ends; never if absent.");
/// The members' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/api/v1/spaces/{space}/members", UA_AG, Action::SpacesRead, list)
        .described("spaces_members", "List a space's members", "The owner, the added members, and the agents whose home space it is.", DOC)
        .answering(200, Answer::Object(&[Field::of("members", Type::Objects(MEMBER), "The members.").required()]))
        .failing(&[codes::SPACE_NOT_FOUND]),
    checked(Method::POST, "/api/v1/spaces/{space}/members", UA, Action::SpacesMembers, add)
        .described(
            "spaces_members_add",
            "Add a member to a space",
            "Only an owner of the space may do this. For a present member, the new role and end replace the earlier ones.",
            DOC,
        )
        .taking(
            &[
                USERNAME,
                AGENT,
                Field::word("role", SpaceRole::SLUGS, "The role: a viewer reads, an editor writes, an owner also manages members.").required(),
                EXPIRES_IN_SECONDS,
            ],
            r#"{"username": "ann", "role": "editor"}"#,
        )
        .answering(201, Answer::Upsert(MEMBER))
        .failing(&[
            codes::SPACE_FORBIDDEN,
            codes::FORBIDDEN,
            codes::PRINCIPAL_NOT_FOUND,
            codes::MEMBER_AT_HOME,
            codes::TOO_MANY_MEMBERS,
        ]),
    checked(Method::DELETE, "/api/v1/spaces/{space}/members/{id}", UA, Action::SpacesMembers, remove)
        .described(
            "spaces_members_remove",
            "Remove a member from a space",
            "An owner of the space may do this, or the member itself. An agent whose home space this is moves to its owner's default space.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::SPACE_FORBIDDEN, codes::FORBIDDEN, codes::MEMBER_NOT_FOUND, codes::MEMBER_AT_HOME]),
];

fn show(member: &Member) -> Value {
    json!({
        "id": member.id,
        "username": member.name,
        "type": if member.is_user { "user" } else { "agent" },
        "role": member.role,
        "expires_at": member.expires_at.map(Micros::micros),
    })
}

/// Returns the members of a space, without the agents that the caller's key is not for.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn seen(conn: &Connection, caller: &Caller, space_id: &str, now: Micros) -> store::Result<Vec<Member>> {
    let mut all = spaces::members(conn, space_id, now)?;
    all.retain(|member| member.is_user || caller.may_touch(&member.id));
    Ok(all)
}

fn list(app: &App, call: Call) -> Handled {
    let space_id = call.input.param(0);
    let members = app.store.read(|conn| {
        access::require_space(conn, &call.caller, space_id, SpaceRole::Viewer)?;
        Ok::<_, ApiError>(seen(conn, &call.caller, space_id, Micros::now())?)
    })?;
    Ok(Reply::ok(&json!({"members": members.iter().map(show).collect::<Vec<_>>()})).into())
}

/// Returns the user or agent that the request names. An agent that the caller may not see counts as unknown.
fn named(conn: &Connection, caller: &Caller, username: Option<&str>, agent: Option<&str>) -> Result<Invitee, ApiError> {
    let unknown = || ApiError::from(codes::PRINCIPAL_NOT_FOUND);
    match (username, agent) {
        (Some(name), None) => {
            let user = users::by_username(conn, name)?.ok_or_else(unknown)?;
            Ok(Invitee { name: user.username, grantee: Grantee::User(user.id) })
        }
        (None, Some(name)) => {
            let live = change::find(conn, caller, name, AgentRole::Viewer).map_err(|_| unknown())?;
            let name = live.agent.given_name.unwrap_or(live.agent.slug);
            Ok(Invitee { name, grantee: Grantee::Agent(live.agent.id) })
        }
        _ => Err(ApiError::field("username", "must be there, or agent, and not both").in_dialect(Dialect::Ax)),
    }
}

struct Invitee {
    name: String,
    grantee: Grantee,
}

fn add(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (space_id, body) = (tx.input.param(0), &tx.input.body);
        access::require_space(tx.conn, tx.caller, space_id, SpaceRole::Owner)?;
        access::require_lasting(tx.conn, tx.caller, &On::space(space_id))?;
        let Invitee { name, grantee } = named(tx.conn, tx.caller, body.text(&USERNAME), body.text(&AGENT))?;
        if spaces::owner_of(tx.conn, space_id)?.is_some_and(|owner| grantee == Grantee::User(owner)) {
            return Err(
                ApiError::new(codes::MEMBER_AT_HOME).detail("The user owns the space, and so is a member already.")
            );
        }
        let role: GrantRole = body.word(&ROLE)?.ok_or_else(|| ApiError::field("role", "is missing"))?;
        let expires_at = body.integer(&EXPIRES_IN_SECONDS).map(|seconds| tx.now.plus(seconds * Micros::SECOND));
        let on = On::space(space_id);
        let before = grants::of(tx.conn, &grantee, &on)?;
        if before.is_none() && grants::count_on_space(tx.conn, space_id, SPACE_MEMBERS)? >= SPACE_MEMBERS {
            return Err(codes::TOO_MANY_MEMBERS.into());
        }
        if before.as_ref().is_none_or(|grant| grant.role != role || grant.expires_at != expires_at) {
            let given = RoleGrant { grantee: &grantee, on: &on, role, granted_by: &tx.caller.actor(), expires_at };
            grants::give(tx.conn, &store::new_id(), &given, tx.now)?;
            tx.audit(on.to_string())?;
        }
        let is_new = before.is_none_or(|grant| !grant.is_live(tx.now));
        let member = Member {
            id: grantee.id().to_owned(),
            name,
            is_user: matches!(grantee, Grantee::User(_)),
            role,
            expires_at,
        };
        Ok(Reply::json(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &show(&member)))
    })
}

fn remove(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (space_id, id) = (tx.input.param(0), tx.input.param(1));
        // A member that leaves needs only to be a member.
        let leaves = tx.caller.grantee().id() == id;
        let needed = if leaves { SpaceRole::Viewer } else { SpaceRole::Owner };
        access::require_space(tx.conn, tx.caller, space_id, needed).map_err(|error| match error.code.status {
            404 => codes::SPACE_FORBIDDEN.into(),
            _ => error,
        })?;
        if spaces::owner_of(tx.conn, space_id)?.as_deref() == Some(id) {
            return Err(codes::MEMBER_AT_HOME.into());
        }
        if !tx.caller.may_touch(id) && agents::by_id(tx.conn, id)?.is_some() {
            return Err(codes::MEMBER_NOT_FOUND.into());
        }
        let was_let_in = grants::delete_member(tx.conn, space_id, id)?;
        let lived_there = move_out(tx, space_id, id)?;
        if !was_let_in && !lived_there {
            return Err(codes::MEMBER_NOT_FOUND.into());
        }
        tx.audit(format!("space:{space_id}"))?;
        Ok(Reply::no_content())
    })
}

/// Moves an agent whose home space this is to its owner's default space; false if its home is elsewhere.
fn move_out(tx: &Tx<'_>, space_id: &str, agent_id: &str) -> Result<bool, ApiError> {
    let Some(live) = agents::by_id(tx.conn, agent_id)?.filter(|live| live.agent.space_id == space_id) else {
        return Ok(false);
    };
    let home = spaces::default_of(tx.conn, &live.agent.owner_user_id)?;
    if home == space_id {
        return Err(codes::MEMBER_AT_HOME.into());
    }
    agents::place(tx.conn, agent_id, &home, tx.now)?;
    Ok(true)
}
