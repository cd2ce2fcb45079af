//! The challenge in a 401 of the MCP endpoint (MCP contract, section 2; RFC 6750, section 3).

use hyper::header::WWW_AUTHENTICATE;

use super::lookup::bearer::{Presented, presented};
use crate::rest::error::ApiError;
use crate::rest::head::Head;

/// Adds the `WWW-Authenticate` challenge that MCP clients use, if the refusal is a 401.
pub(super) fn put(refusal: ApiError, head: &Head) -> ApiError {
    if refusal.status() != 401 {
        return refusal;
    }
    let mut challenge = "Bearer realm=\"taosd\"".to_owned();
    if presented(head) != Presented::Nothing {
        challenge.push_str(", error=\"invalid_token\"");
    }
    refusal.header(WWW_AUTHENTICATE, challenge)
}
