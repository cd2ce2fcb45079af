//! The identity of the caller, as the daemon sees it.

use serde_json::{Map, Value};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::path;
use crate::ctl::login::session::Session;

/// Asks the server for the principal of the session's credential.
///
/// # Errors
/// The server does not reply, or refuses the request.
pub fn whoami(session: &Session<'_>) -> Result<Value, Failure> {
    let route = path::route("auth_whoami");
    session.send_for_json(route, &path::target(route, &[], &Map::new()), None)
}

/// `user:NAME` or `agent:NAME` from a reply to whoami.
///
/// # Errors
/// [`Failure::Unexpected`] if the reply does not name a principal.
pub fn principal(whoami: &Value) -> Result<String, Failure> {
    let name = match whoami["principal"].as_str() {
        Some("user") => whoami["username"].as_str().map(|name| format!("user:{name}")),
        Some("agent") => whoami["agent_name"].as_str().map(|name| format!("agent:{name}")),
        _ => None,
    };
    name.ok_or_else(|| Failure::Unexpected("The reply does not say whose credential it is.".to_owned()))
}
