//! The scopes that a request asks for, which never exceed the caller's own.

use rusqlite::Connection;

use crate::access::{self, AgentRole, Caller, InvalidScope, Scopes};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::store::agents::Agent;

pub(super) const SCOPE: Field = Field::unbounded_texts("scope", "The scopes of the token.").required();

impl From<InvalidScope> for ApiError {
    fn from(error: InvalidScope) -> Self {
        Self::new(codes::INVALID_SCOPE).detail(format!("{error}."))
    }
}

/// Returns the scopes in the field `scope`, if it was sent.
///
/// # Errors
/// `invalid_scope`.
pub fn asked(fields: &Fields) -> Result<Option<Scopes>, ApiError> {
    fields.texts(&SCOPE).map(|texts| Scopes::parse(texts).map_err(ApiError::from)).transpose()
}

/// Checks that the caller's own lasting scopes cover `wanted`.
///
/// # Errors
/// `scope_exceeds_issuer`.
pub fn within(caller: &Caller, wanted: &Scopes) -> Result<(), ApiError> {
    match caller.lasting_scopes().first_not_covered(wanted) {
        None => Ok(()),
        Some(scope) => Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
            .detail(format!("The caller's own scopes do not cover {scope}."))
            .with("scope", scope)),
    }
}

/// Checks that the agent's own scope covers the scopes of a credential for it. For an owner of the agent any scopes
/// pass: they are worth no more than the agent's scope, which the owner may widen.
///
/// # Errors
/// `scope_exceeds_issuer`, or a `StoreError`.
pub fn within_agent(
    conn: &Connection,
    caller: &Caller,
    agent: &Agent,
    wanted: Option<&Scopes>,
) -> Result<(), ApiError> {
    let Some(wanted) = wanted else { return Ok(()) };
    match Scopes::of_agent(&agent.scope).first_not_covered(wanted) {
        Some(scope) if access::role_on(conn, caller, &agent.id)? < Some(AgentRole::Owner) => {
            Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
                .detail(format!(
                    "The scope that its owner has set for this agent does not cover {scope}; only an owner widens it."
                ))
                .with("scope", scope))
        }
        _ => Ok(()),
    }
}
