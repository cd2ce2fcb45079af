//! What a caller may do: channel, class, scope and role (taOS contract, section 1; aX contract, section 5). Each check
//! only decides; the gate records the refusals.

use super::caller::Caller;
use super::hint;
use super::refusal::insufficient;
use super::tokens::jwt::Audience;
use crate::config::BindCredentials;
use crate::rest::action::Action;
use crate::rest::class::Class;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::{Head, Peer};
use crate::rest::route::Need;

/// What is wrong where only agents may call, and what to do.
const AGENTS_ONLY: &str =
    "Only an agent's credential can do this, and this one is a user's. Call with the agent's own token.";

/// True if the request came over a channel that a credential of this agent, or of a user, may use. Over an agent's own
/// socket only that agent's credentials may come; a user's may come over any.
pub(super) fn is_own_channel(head: &Head, agent_id: Option<&str>) -> bool {
    match &head.peer {
        Peer::Agent { id } => agent_id.is_none_or(|agent| agent == id),
        Peer::Ip(_) | Peer::Unix { .. } => true,
    }
}

/// Checks the channel. Over an agent's own socket no other agent's credential is accepted, so a token stolen from one
/// container is useless in the next (DESIGN D14).
pub(super) fn channel(head: &Head, agent_id: Option<&str>, binding: BindCredentials) -> Result<(), ApiError> {
    let Peer::Agent { id } = &head.peer else { return Ok(()) };
    if is_own_channel(head, agent_id) {
        return Ok(());
    }
    match binding {
        BindCredentials::Off => Ok(()),
        BindCredentials::Warn => {
            let whose = agent_id.unwrap_or_default();
            log::warn!("request {}: agent:{whose} came over the socket of agent {id}", head.request_id);
            Ok(())
        }
        BindCredentials::Deny => Err(codes::WRONG_CHANNEL.into()),
    }
}

/// Checks that the caller's short-lived token is for this route: tokens for MCP clients are valid only at `/mcp`.
pub(super) fn audience(caller: &Caller, audience: &Audience, need: &Need) -> Result<(), ApiError> {
    let wanted = if need.dialect == Dialect::Mcp { Audience::Mcp } else { Audience::Api };
    if caller.token_class().is_none() || *audience == wanted {
        return Ok(());
    }
    // The MCP endpoint replies with 401, because that makes the client ask for a token with the right audience.
    Err(match wanted {
        Audience::Mcp => ApiError::new(codes::INVALID_TOKEN)
            .detail("The token is not for this endpoint: its audience is not ax-mcp."),
        _ => ApiError::new(codes::AUDIENCE_NOT_ALLOWED).with_status(403),
    })
}

/// True if the caller's class, scopes and role allow a route.
pub fn may_call(caller: &Caller, need: &Need) -> bool {
    class(caller, need).is_ok() && scope_and_role(caller, need).is_ok()
}

/// Checks that the route takes credentials of the caller's class.
pub(super) fn class(caller: &Caller, need: &Need) -> Result<(), ApiError> {
    if need.classes.is_empty() || caller.class_among(need.classes).is_some() {
        return Ok(());
    }
    let class = caller.class();
    let takes = |class| need.classes.contains(&class);
    Err(match class {
        _ if takes(Class::Admin) && !takes(Class::User) => ApiError::new(codes::ADMIN_REQUIRED)
            .detail(format!("Management endpoints require user_admin token, got {}", class.as_str())),
        Class::Agent => codes::USER_REQUIRED.into(),
        _ if takes(Class::User) => insufficient(Class::User, need.action),
        // No scope would help a user here, so none is named.
        _ => ApiError::new(codes::INSUFFICIENT_SCOPE).detail(AGENTS_ONLY),
    })
}

/// Checks that the caller's scopes cover the route's action, and that its role does if the action is for admins.
pub(super) fn scope_and_role(caller: &Caller, need: &Need) -> Result<(), ApiError> {
    let class = caller.class_among(need.classes);
    let action = class.map_or(need.action, |class| class.action(need.action));
    if caller.scopes().allow(action) {
        if !action.is_admin() || caller.is_admin() {
            return Ok(());
        }
        return Err(ApiError::new(codes::FORBIDDEN).detail("This needs the role admin."));
    }
    let refusal = if need.dialect == Dialect::Ax {
        insufficient(class.unwrap_or(Class::User), action)
    } else {
        ApiError::new(codes::SCOPE_DENIED)
            .detail(format!("The credential's scopes do not cover {}.", action.slug()))
            .with("action", action.slug())
    };
    Err(hint::of_scope(caller, action, refusal))
}

/// Checks that the caller may also do `action`, for a route that also does the work of another route.
///
/// # Errors
/// `scope_denied`, or `forbidden` if the action is for admins.
pub fn require_action(caller: &Caller, action: Action) -> Result<(), ApiError> {
    scope_and_role(caller, &Need { action, classes: &[], dialect: Dialect::Taos })
}

/// Checks that a caller still may do what it might do at its admission. What it might not do then, something else allowed.
pub(super) fn kept(before: &Caller, now: &Caller, action: Action, dialect: Dialect) -> Result<(), ApiError> {
    let need = Need { action, classes: &[Class::Agent, Class::User, Class::Admin], dialect };
    if scope_and_role(before, &need).is_err() { Ok(()) } else { scope_and_role(now, &need) }
}

/// True if the caller's scopes and role allow an action.
pub(super) fn may(caller: &Caller, action: Action) -> bool {
    caller.scopes().allow(action) && (!action.is_admin() || caller.is_admin())
}
