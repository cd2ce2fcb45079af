//! The table of routes: every noun's rows, in the order of the documentation.

use std::sync::OnceLock;

use super::engine::app::App;
use super::engine::call::{Call, Handled};
use crate::rest::codes::Code;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::route::{Answer, BodyKind, Repeat, Route};

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
            super::taos::agents::ROUTES,
            super::taos::agents::CONTAINER_ROUTES,
            super::taos::tokens::ROUTES,
            super::taos::users::ROUTES,
            super::taos::user_tokens::ROUTES,
            super::taos::grants::ROUTES,
            super::taos::whoami::ROUTES,
            super::taos::sessions::ROUTES,
            super::taos::jwks::ROUTES,
            super::ax::EXCHANGE,
            super::ax::ME,
            super::ax::SPACES,
            super::ax::AGENTS,
            super::ax::PRESENCE,
            super::ax::KEYS,
            super::agentex::AGENTS,
            super::agentex::DEPLOYMENTS,
            super::agentex::HISTORY,
            super::agentex::KEYS,
            super::agentex::FORWARD,
            super::agentex::LEFT_OUT,
            super::taos::operations::ROUTES,
            super::taos::notify::ROUTES,
            super::taos::notifications::ROUTES,
            super::taos::knowledge::ROUTES,
            super::taos::audit::ROUTES,
            super::taos::backups::ROUTES,
            super::taos::health::ROUTES,
            super::taos::index::ROUTES,
            super::taos::docs::ROUTES,
        ]
    })
}

/// A row in the words of its dialect's tables, put together from a bare one.
impl ApiRoute {
    /// What it is called and does, and the page that explains it.
    pub(super) const fn described(
        mut self,
        id: &'static str,
        title: &'static str,
        about: &'static str,
        doc: &'static str,
    ) -> Self {
        self.id = id;
        self.title = title;
        self.about = about;
        self.doc = doc;
        self
    }

    /// Its body, with an example.
    pub(super) const fn taking(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Json(fields);
        self.example = example;
        self
    }

    /// It takes an `Idempotency-Key`.
    pub(super) const fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Key;
        self
    }

    /// Its body is any bytes, its query any text.
    pub(super) const fn taking_raw(mut self) -> Self {
        self.body = BodyKind::Raw;
        self
    }

    /// Its query.
    pub(super) const fn asking(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    /// Its answer.
    pub(super) const fn answering(mut self, status: u16, answer: Answer) -> Self {
        self.answer = (status, answer);
        self
    }

    /// The reply carries a secret.
    pub(super) const fn secret(mut self) -> Self {
        self.repeat = Repeat::Secret;
        self
    }

    /// The codes it can answer with.
    pub(super) const fn failing(mut self, errors: &'static [&'static Code]) -> Self {
        self.errors = errors;
        self
    }
}
