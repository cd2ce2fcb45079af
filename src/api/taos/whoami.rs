//! The principal behind the caller's credential.

use hyper::http::Method;
use serde::Serialize;

use crate::access::{Action, Caller, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer};
use crate::rest::tool::{Effect, Tool};
use crate::store::users::Role;
use crate::time::Micros;

/// The routes for `whoami`.
pub const ROUTES: &[ApiRoute] =
    &[ApiRoute::bare(Method::GET, "/api/auth/whoami", Taos, Access::AtOnce(Action::AuthWhoami, whoami))
        .described(
            "auth_whoami",
            "Show who the credential belongs to",
            "Every credential may call this, whatever its scopes.",
            "getting-started#first-call",
        )
        .answering(
            200,
            Answer::Object(&[
                Field::word("principal", &["user", "agent"], "Who acts.").required(),
                Field::shown("user_id", "The user, or the agent's owner."),
                Field::shown("username", "That user's name."),
                Field::word("role", Role::SLUGS, "The user's role; null for an agent.").required().nullable(),
                Field::shown("agent_id", "The agent's id.").nullable(),
                Field::shown("agent_name", "The agent's slug.").nullable(),
                Field::unbounded_texts("scope", "The scopes of the credential.").required(),
                Field::shown("credential_id", "The credential's id; null on the operator's socket.").nullable(),
                Field::shown("kind", "The credential's kind; unix_socket on the operator's socket."),
                Field::shown("expires_at", "When the credential expires.").nullable(),
            ]),
        )
        .offering(Tool::new(
            "auth_whoami",
            Effect::Reads,
            "Say who you are on this box: the agent or user behind your credential, its owner, its scopes and when it \
                expires. Call this first.",
        ))];

/// The reply, with its fields in the order of the documentation.
#[derive(Serialize)]
struct WhoAmI<'a> {
    principal: &'static str,
    user_id: &'a str,
    username: &'a str,
    role: Option<&'static str>,
    agent_id: Option<&'a str>,
    agent_name: Option<&'a str>,
    scope: Vec<&'a str>,
    credential_id: Option<&'a str>,
    kind: &'a str,
    expires_at: Option<String>,
}

fn whoami(caller: &Caller) -> Reply {
    let user = caller.user();
    let (principal, role, agent) = match caller.principal() {
        Principal::User(user) => ("user", Some(user.role.slug()), None),
        Principal::Agent { id, slug, .. } => ("agent", None, Some((id.as_str(), slug.as_str()))),
    };
    Reply::ok(&WhoAmI {
        principal,
        user_id: &user.id,
        username: &user.username,
        role,
        agent_id: agent.map(|(id, _)| id),
        agent_name: agent.map(|(_, slug)| slug),
        scope: caller.scopes().texts(),
        credential_id: caller.credential_id(),
        kind: caller.credential_kind(),
        expires_at: caller.expires_at().map(Micros::millis),
    })
}
