//! A row of the route table: a route with its handler, and the words that rows are written in.

use hyper::http::Method;

use super::app::App;
use super::call::{Call, Handled};
use crate::access::{Action, Caller};
use crate::rest::codes::Code;
use crate::rest::error::Dialect;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::rest::tool::Tool;

/// The handler of a public route.
pub type PublicHandler = fn(&App, Input) -> Handled;
/// The handler of a route that needs an action.
pub type CheckedHandler = fn(&App, Call) -> Handled;
/// The handler of a route whose reply the caller alone makes.
pub type AtOnceHandler = fn(&Caller) -> Reply;
/// A row of the table.
pub type ApiRoute = Route<PublicHandler, CheckedHandler, AtOnceHandler>;

/// A row is put together from a bare one; what it does not name keeps these defaults: no query, no body, 200 with an empty
/// object, safe to repeat, no codes of its own, no tool.
impl ApiRoute {
    /// A bare row.
    pub(crate) const fn bare(
        method: Method,
        path: &'static str,
        dialect: Dialect,
        access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
    ) -> Self {
        Route {
            method,
            path,
            dialect,
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
            tool: None,
        }
    }

    /// A bare row for callers whose scopes cover the action.
    pub(crate) const fn checked(
        method: Method,
        path: &'static str,
        dialect: Dialect,
        action: Action,
        handler: CheckedHandler,
    ) -> Self {
        Self::bare(method, path, dialect, Access::Action(action, handler))
    }

    /// A bare row for anybody.
    pub(crate) const fn public(method: Method, path: &'static str, dialect: Dialect, handler: PublicHandler) -> Self {
        Self::bare(method, path, dialect, Access::Public(handler))
    }

    /// What it is called and does, and the page that explains it.
    pub(crate) const fn described(
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
    pub(crate) const fn taking(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Json(fields);
        self.example = example;
        self
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) const fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Key;
        self
    }

    /// Its body is bytes that the handler reads, told as this content type with these fields; its query is any text.
    pub(crate) const fn taking_raw_of(
        mut self,
        media_type: &'static str,
        fields: &'static [Field],
        example: &'static str,
    ) -> Self {
        self.body = BodyKind::RawOf(media_type, fields);
        self.example = example;
        self
    }

    /// Its body is any bytes, its query any text.
    pub(crate) const fn taking_raw(mut self) -> Self {
        self.body = BodyKind::Raw;
        self
    }

    /// An example of a body that the handler alone reads.
    pub(crate) const fn with_example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Its body is a form with these fields, taken piece by piece.
    pub(crate) const fn taking_multipart(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Multipart(fields);
        self.example = example;
        self
    }

    /// Its query.
    pub(crate) const fn asking(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    /// Its answer.
    pub(crate) const fn answering(mut self, status: u16, answer: Answer) -> Self {
        self.answer = (status, answer);
        self
    }

    /// The reply carries a secret.
    pub(crate) const fn secret(mut self) -> Self {
        self.repeat = Repeat::Secret;
        self
    }

    /// MCP clients see it as this tool.
    pub(crate) const fn offering(mut self, tool: Tool) -> Self {
        self.tool = Some(tool);
        self
    }

    /// The codes it can answer with.
    pub(crate) const fn failing(mut self, errors: &'static [&'static Code]) -> Self {
        self.errors = errors;
        self
    }
}
