//! The table of routes: every noun's rows, in the order of the documentation.

use std::sync::OnceLock;

use super::app::App;
use super::call::{Call, Handled};
use crate::http::codes::Code;
use crate::http::field::Field;
use crate::http::input::Input;
use crate::http::route::{Answer, BodyKind, Repeat, Route};

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
            super::ax::MEMBERS,
            super::ax::AGENTS,
            super::ax::PRESENCE,
            super::ax::MESSAGES,
            super::ax::TASKS,
            super::ax::CONTEXT,
            super::ax::UPLOADS,
            super::ax::KEYS,
            super::agentex::AGENTS,
            super::agentex::DEPLOYMENTS,
            super::agentex::HISTORY,
            super::agentex::KEYS,
            super::agentex::FORWARD,
            super::agentex::LEFT_OUT,
            super::operations::ROUTES,
            super::notify::ROUTES,
            super::notifications::ROUTES,
            super::knowledge::ROUTES,
            super::audit::ROUTES,
            super::backups::ROUTES,
            super::health::ROUTES,
            super::index::ROUTES,
            super::docs::ROUTES,
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

    /// Its body is a form with these fields, taken piece by piece.
    pub(super) const fn taking_multipart(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Multipart(fields);
        self.example = example;
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
