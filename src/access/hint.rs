//! What a refused agent is told to do: the body that it posts to `/api/requests` to ask for the missing right (requests
//! contract, section 2). It contains nothing that the refusal does not say, and a 404 has none.

use serde_json::{Value, json};

use super::caller::Caller;
use crate::rest::action::Action;
use crate::rest::codes;
use crate::rest::error::ApiError;

/// The seconds for which a hint asks.
const SECONDS: i64 = 3600;
/// The field of an error that holds the hint.
const REQUEST: &str = "request";

/// Adds the hint to a refusal for lack of a scope.
pub(super) fn of_scope(caller: &Caller, action: Action, refusal: ApiError) -> ApiError {
    // An agent that may not even ask gets no hint to ask, and no scope makes an agent an admin.
    if caller.agent_id().is_none() || matches!(action, Action::RequestsCreate | Action::RequestsDecide) {
        return refusal;
    }
    if action.is_admin() {
        return refusal.with(REQUEST, to_a_person(action.slug()));
    }
    let reason = format!("To be allowed {}: it was refused.", action.slug());
    let body = json!({"kind": "scope", "scope": [action.slug()], "reason": reason, "duration_seconds": SECONDS});
    refusal.with(REQUEST, body)
}

/// Adds the hint to a refusal for lack of a role on `resource`, which is `agent:ID` or `space:ID`.
pub(super) fn of_role(caller: &Caller, resource: &str, role: &str, refusal: ApiError) -> ApiError {
    if caller.agent_id().is_none() {
        return refusal;
    }
    let reason = format!("To act as {role} there: it was refused.");
    let body = json!({
        "kind": "grant", "resource": resource, "role": role, "reason": reason, "duration_seconds": SECONDS,
    });
    refusal.with(REQUEST, body)
}

/// Replaces the resource in a hint with the name that the caller used: the resolved id would reveal that it exists.
#[must_use]
pub fn as_named(mut refusal: ApiError, resource: &str) -> ApiError {
    if refusal.code == codes::SPACE_FORBIDDEN
        && let Some(asked) = refusal.extra.get_mut(REQUEST).and_then(|body| body.get_mut("resource"))
    {
        *asked = json!(resource);
    }
    refusal
}

/// Adds a hint to a refusal of an agent that has none yet: ask a person to do it.
pub(super) fn of_the_rest(caller_is_agent: bool, action: &str, refusal: &mut ApiError) {
    let is_refusal = refusal.code == codes::FORBIDDEN || refusal.code == codes::SPACE_FORBIDDEN;
    if caller_is_agent && is_refusal && !refusal.extra.contains_key(REQUEST) {
        refusal.extra.insert(REQUEST.to_owned(), to_a_person(action));
    }
}

fn to_a_person(action: &str) -> Value {
    json!({
        "kind": "confirm",
        "reason": format!("{action} was refused, and no scope or role of an agent allows it."),
        "question": format!("I need {action}, which I may not do. Will you do it for me?"),
    })
}
