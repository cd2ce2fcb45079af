//! The aX dialect: the routes that the client `axctl` calls (aX contract). It only translates; agents, credentials and
//! spaces are the same as everywhere.

mod agents;
mod change;
mod exchange;
mod fingerprint;
mod issue;
mod keys;
mod me;
mod presence;
mod record;
mod rotate;
mod spaces;

pub use agents::ROUTES as AGENTS;
pub use exchange::ROUTES as EXCHANGE;
pub use keys::ROUTES as KEYS;
pub use me::ROUTES as ME;
pub use presence::ROUTES as PRESENCE;
pub use spaces::ROUTES as SPACES;

use hyper::http::Method;
use rusqlite::Connection;

use super::engine::app::App;
use super::engine::call::{Call, Handled};
use crate::access::{Action, Caller, Class, Principal};
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::store;
use crate::store::spaces as stored_spaces;

/// A text of a reply.
const fn text(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

/// Ids have 36 characters; what is longer is none.
const ID_CHARS: usize = 64;

/// A route of this dialect without query, body or errors of its own.
const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
) -> ApiRoute {
    Route {
        method,
        path,
        dialect: Dialect::Ax,
        access,
        id: "",
        title: "",
        about: "",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Object(&[])),
        errors: &[],
        doc: "",
    }
}

/// A checked route: method, path, classes, action, handler.
const fn checked(
    method: Method,
    path: &'static str,
    classes: &'static [Class],
    action: Action,
    handler: fn(&App, Call) -> Handled,
) -> ApiRoute {
    row(method, path, Access::Class(classes, action, handler))
}

/// The space a caller works in where nothing is said: an agent's own, a user's default.
fn default_space(conn: &Connection, caller: &Caller) -> store::Result<String> {
    match caller.principal() {
        Principal::Agent { space_id, .. } => Ok(space_id.clone()),
        Principal::User(user) => stored_spaces::default_of(conn, &user.id),
    }
}

/// The caller's space of this id.
fn own_space(conn: &Connection, caller: &Caller, id: &str) -> Result<stored_spaces::Space, ApiError> {
    let space = stored_spaces::by_id(conn, id)?.filter(|space| match caller.principal() {
        Principal::User(user) => space.owner_user_id == user.id,
        // An agent knows the space it lives in, not its owner's others.
        Principal::Agent { space_id, .. } => space.id == *space_id,
    });
    space.ok_or_else(|| codes::SPACE_NOT_FOUND.into())
}
