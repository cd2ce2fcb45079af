//! Scopes that a request asks for: read, and never more than the caller's own.

use crate::access::{Caller, InvalidScope, Scopes};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;

impl From<InvalidScope> for ApiError {
    fn from(error: InvalidScope) -> Self {
        Self::new(codes::INVALID_SCOPE).detail(format!("{error}."))
    }
}

/// The scopes in the field `scope`, if it was sent.
///
/// # Errors
/// `invalid_scope`.
pub fn asked(fields: &Fields) -> Result<Option<Scopes>, ApiError> {
    fields.texts("scope").map(|texts| Scopes::parse(texts).map_err(ApiError::from)).transpose()
}

/// Lets scopes pass that the caller holds itself.
///
/// # Errors
/// `scope_exceeds_issuer`.
pub fn within(caller: &Caller, wanted: &Scopes) -> Result<(), ApiError> {
    match caller.scopes().first_not_covered(wanted) {
        None => Ok(()),
        Some(scope) => Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
            .detail(format!("The caller's own scopes do not cover {scope}."))
            .with("scope", scope)),
    }
}
