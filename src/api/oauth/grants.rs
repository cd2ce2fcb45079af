//! The grants that people have given to programs: list and end them (OAuth contract, section 7). Whoever may change an
//! agent may see and end what acts as it, as with the agent's keys.

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, Action, AgentRole, Caller, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::store;
use crate::store::credentials::{self, CredentialState};
use crate::store::oauth_grants::{self, OauthGrant};
use crate::time::Micros;

const DOC: &str = "recipes/letting-programs-log-in#grants";

/// The rows of the route table for these grants.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/oauth/grants", Taos, Action::OauthGrantsList, list)
        .described(
            "oauth_grants_list",
            "List what was granted to programs",
            "The active grants that the caller has given, and those that act as an agent of which it is editor, oldest \
                first; an admin sees those of all users.",
            DOC,
        )
        .asking(&[LIMIT, CURSOR])
        .answering(
            200,
            Answer::List(&[
                Field::shown("id", "The grant's id."),
                Field::shown("client_name", "What the program calls itself."),
                Field::shown("redirect_host", "The host that got the answer."),
                Field::shown("username", "Who consented."),
                Field::shown("agent_id", "The agent it acts as.").nullable(),
                Field::shown("agent_name", "The name of that agent.").nullable(),
                Field::shown("audience", "What its tokens are for."),
                Field::shown("scope", "Its scope words."),
                Field::shown("created_at", "When it was given."),
                Field::shown("refreshed_at", "When its refresh token was last replaced."),
                Field::shown("last_used_at", "When a token of it was last used, to the minute.").nullable(),
                Field::shown("expires_at", "When it ends if it is not refreshed."),
                Field::shown("ends_at", "When it ends at the latest."),
            ]),
        )
        .failing(&[codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::DELETE, "/api/oauth/grants/{id}", Taos, Action::OauthGrantsRevoke, revoke)
        .described(
            "oauth_grants_revoke",
            "End what was granted to a program",
            "The daemon refuses the program's tokens from the next request on.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::GRANT_NOT_FOUND]),
];

fn show(grant: &OauthGrant) -> Value {
    json!({
        "id": grant.id,
        "client_name": grant.client_name,
        "redirect_host": grant.redirect_host,
        "username": grant.username,
        "agent_id": grant.agent_id,
        "agent_name": grant.agent_name,
        "audience": grant.audience,
        "scope": grant.words,
        "created_at": grant.created_at.millis(),
        "refreshed_at": grant.refreshed_at.millis(),
        "last_used_at": grant.last_used_at.map(Micros::millis),
        "expires_at": grant.expires_at.map(Micros::millis),
        "ends_at": grant.ends_at.millis(),
    })
}

/// Returns the user whose grants are listed, with those that act as the user's agents. The outer `None` means no grants;
/// the inner `None` means the grants of all users.
fn whose(caller: &Caller) -> Option<Option<&str>> {
    match caller.principal() {
        Principal::User(_) if caller.is_admin() => Some(None),
        Principal::User(user) => Some(Some(&user.id)),
        Principal::Agent { .. } => None,
    }
}

/// True if the caller may see and end the grant: a user who gave it, or who is editor of the agent that it acts as.
fn may_end(conn: &Connection, caller: &Caller, grant: &OauthGrant) -> store::Result<bool> {
    let Some(user) = whose(caller).filter(|_| !is_hidden(caller, grant)) else { return Ok(false) };
    if user.is_none_or(|id| id == grant.user_id) {
        return Ok(true);
    }
    let Some(agent) = &grant.agent_id else { return Ok(false) };
    Ok(access::role_on(conn, caller, agent)? >= Some(AgentRole::Editor))
}

/// True if the program acts as an agent that the caller's credential is not for.
fn is_hidden(caller: &Caller, grant: &OauthGrant) -> bool {
    grant.agent_id.as_deref().is_some_and(|agent_id| !caller.may_touch(agent_id))
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "oauth_grants")?;
    let page = list.page();
    if let Some(whose) = whose(&call.caller) {
        let mut take = |grant: OauthGrant| {
            let place = (grant.created_at, grant.id.clone());
            if is_hidden(&call.caller, &grant) { list.pass(place) } else { list.push(place, &show(&grant)) }
        };
        app.store.lookup(|conn| oauth_grants::list(conn, whose, Micros::now(), &page, &mut take))?;
    }
    Ok(list.reply(&call.input).into())
}

fn revoke(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let id = tx.input.param(0);
        let grant = oauth_grants::by_id(tx.conn, id)?.filter(|grant| grant.state == CredentialState::Active);
        let grant = grant.ok_or(codes::GRANT_NOT_FOUND)?;
        if !may_end(tx.conn, tx.caller, &grant)? {
            return Err(codes::GRANT_NOT_FOUND.into());
        }
        credentials::revoke(tx.conn, &grant.id, tx.now)?;
        tx.audit(format!("credential:{}", grant.id))?;
        Ok(Reply::no_content())
    })
}
