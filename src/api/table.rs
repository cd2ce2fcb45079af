//! The table of routes: every noun's rows, in the order of the documentation.

use std::sync::OnceLock;

use super::app::App;
use super::call::{Call, Handled};
use crate::http::input::Input;
use crate::http::route::Route;

/// The handler of a public route.
pub type PublicHandler = fn(&App, Input) -> Handled;
/// The handler of a route that needs an action.
pub type CheckedHandler = fn(&App, Call) -> Handled;
/// A row of the table.
pub type ApiRoute = Route<PublicHandler, CheckedHandler>;

/// All routes. A route that is not here does not exist: the router, `GET /api`, `/openapi.json`, the tables in the
/// documentation and the coverage test are made from this.
pub fn routes() -> &'static [&'static [ApiRoute]] {
    static TABLES: OnceLock<Vec<&'static [ApiRoute]>> = OnceLock::new();
    TABLES.get_or_init(|| {
        vec![
            super::agents::ROUTES,
            super::agents::CONTAINER_ROUTES,
            super::tokens::ROUTES,
            super::users::ROUTES,
            super::user_tokens::ROUTES,
            super::grants::ROUTES,
            super::whoami::ROUTES,
            super::sessions::ROUTES,
            super::jwks::ROUTES,
            super::ax::EXCHANGE,
            super::ax::ME,
            super::ax::SPACES,
            super::ax::AGENTS,
            super::ax::PRESENCE,
            super::ax::KEYS,
            super::operations::ROUTES,
            super::notify::ROUTES,
            super::notifications::ROUTES,
            super::knowledge::ROUTES,
            super::audit::ROUTES,
            super::health::ROUTES,
            super::index::ROUTES,
            super::docs::ROUTES,
        ]
    })
}
