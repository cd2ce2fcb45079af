//! A row of the route table: a route with its handler, and the functions that build rows.

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
/// The handler of a route whose reply depends only on the caller.
pub type AtOnceHandler = fn(&Caller) -> Reply;
/// A row of the table.
pub type ApiRoute = Route<PublicHandler, CheckedHandler, AtOnceHandler>;

/// A row starts bare, and each further function sets one part of it. The defaults are: no query, no body, 200 with an
/// empty object, safe to repeat, no error codes of its own, no tool.
impl ApiRoute {
    /// Creates a row with the defaults.
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

    /// Creates a row for callers whose scopes cover the action.
    pub(crate) const fn checked(
        method: Method,
        path: &'static str,
        dialect: Dialect,
        action: Action,
        handler: CheckedHandler,
    ) -> Self {
        Self::bare(method, path, dialect, Access::Action(action, handler))
    }

    /// Creates a row for anybody.
    pub(crate) const fn public(method: Method, path: &'static str, dialect: Dialect, handler: PublicHandler) -> Self {
        Self::bare(method, path, dialect, Access::Public(handler))
    }

    /// Sets the id, the title, the description and the page that explains the route.
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

    /// Sets the fields of the JSON body, with an example.
    pub(crate) const fn taking(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Json(fields);
        self.example = example;
        self
    }

    /// Lets the route take an `Idempotency-Key`.
    pub(crate) const fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Key;
        self
    }

    /// Makes the body raw bytes that the handler parses, documented as this content type with these fields; the query
    /// is any text.
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

    /// Makes the body any bytes and the query any text.
    pub(crate) const fn taking_raw(mut self) -> Self {
        self.body = BodyKind::Raw;
        self
    }

    /// Sets an example of a body that only the handler parses.
    pub(crate) const fn with_example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Makes the body a `multipart/form-data` form with these fields, taken piece by piece.
    pub(crate) const fn taking_multipart(mut self, fields: &'static [Field], example: &'static str) -> Self {
        self.body = BodyKind::Multipart(fields);
        self.example = example;
        self
    }

    /// Sets the fields of the query.
    pub(crate) const fn asking(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    /// Sets the status and the body of the successful reply.
    pub(crate) const fn answering(mut self, status: u16, answer: Answer) -> Self {
        self.answer = (status, answer);
        self
    }

    /// Marks the reply as secret: it is never stored for repeats.
    pub(crate) const fn secret(mut self) -> Self {
        self.repeat = Repeat::Secret;
        self
    }

    /// Offers the route to MCP clients as this tool.
    pub(crate) const fn offering(mut self, tool: Tool) -> Self {
        self.tool = Some(tool);
        self
    }

    /// Sets the error codes of the route.
    pub(crate) const fn failing(mut self, errors: &'static [&'static Code]) -> Self {
        self.errors = errors;
        self
    }
}
