//! The type of a route. The table itself is with the handlers, in `api`.

use hyper::http::Method;

use super::action::Action;
use super::class::Class;
use super::codes::Code;
use super::error::Dialect;
use super::field::Field;
use super::tool::Tool;

/// The path parameter that is free text: its segment may contain a slash, a backslash and dots, if they are sent
/// percent-encoded.
pub const FREE_TEXT: &str = "{context_key}";

/// The effect of repeating a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A repeat is safe without a key.
    Safe,
    /// The route accepts an `Idempotency-Key`.
    Key,
    /// The reply contains a secret: it is not stored, and a key is ignored.
    Secret,
}

/// The body that a route takes.
#[derive(Debug, Clone, Copy)]
pub enum BodyKind {
    /// No body; an empty one is accepted.
    None,
    /// Any bytes, with any query: only the handler checks them.
    Raw,
    /// Like `Raw`, but the API document names their content type and fields.
    RawOf(&'static str, &'static [Field]),
    /// `multipart/form-data`, processed piece by piece as it arrives, never whole in memory.
    Multipart(&'static [Field]),
    /// A JSON object with these fields. It may be missing if no field is required.
    Json(&'static [Field]),
}

/// The successful reply of a route.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// An object with these fields.
    Object(&'static [Field]),
    /// An object with these fields, with its revision as `ETag`.
    Tagged(&'static [Field]),
    /// An object with these fields, with the path of the new record as `Location`.
    Made(&'static [Field]),
    /// This reply; a client that asks for HTML is redirected to another page.
    OrSeeOther(&'static Answer),
    /// This reply, which does not change while the daemon runs.
    Fixed(&'static Answer),
    /// An object with these fields: 201 if it is new, 200 if it existed.
    Upsert(&'static [Field]),
    /// A bare array of objects with these fields, with numbered pages.
    Array(&'static [Field]),
    /// A JSON string.
    Text,
    /// The reply of another server, unchanged.
    Foreign,
    /// A bare array of objects with these fields, with pages linked by `Link`.
    List(&'static [Field]),
    /// No body.
    Empty,
    /// No body, or with 200 an object with these fields if there is something to return.
    EmptyOr(&'static [Field]),
    /// Text of one of these content types.
    Other(&'static [&'static str]),
    /// This reply, or text of one of these content types if the request asks for it.
    Or(&'static Answer, &'static [&'static str]),
}

impl Answer {
    /// Whether the reply may be a page, at least for a client that asks for HTML. Then a refusal may be a page too.
    pub fn may_be_page(&self) -> bool {
        match self {
            Self::Other(types) => types.contains(&"text/html"),
            Self::OrSeeOther(answer) | Self::Fixed(answer) => answer.may_be_page(),
            _ => false,
        }
    }
}

/// Who may call a route. There is no default: every route has to name its access.
pub enum Access<Public, Checked, AtOnce> {
    /// Anybody.
    Public(Public),
    /// Callers whose scopes cover the action.
    Action(Action, Checked),
    /// Callers whose token has one of these classes and covers the action.
    Class(&'static [Class], Action, Checked),
    /// Callers with any credential, which the handler passes to the access layer. The action is for the audit.
    Bearer(Action, Public),
    /// Like `Bearer`, if the reply depends only on the caller. It is sent without the pool if the credential was
    /// checked a moment ago.
    AtOnce(Action, AtOnce),
}

/// The requirements of a route.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The action that a scope must cover.
    pub action: Action,
    /// The classes of tokens it accepts; empty if it does not distinguish them.
    pub classes: &'static [Class],
    /// The dialect of its refusals.
    pub dialect: Dialect,
}

/// One row of the route table. The type parameters are the handlers' types: of a public route, of a checked one, and of
/// one that replies at once.
pub struct Route<Public: 'static, Checked: 'static, AtOnce: 'static> {
    /// The method.
    pub method: Method,
    /// The path: `{name}` is one segment, and `{name...}` at the end is all the rest.
    pub path: &'static str,
    /// The family of clients it is for.
    pub dialect: Dialect,
    /// Who may call it, and the handler.
    pub access: Access<Public, Checked, AtOnce>,
    /// The unique name of the operation, `noun_verb`.
    pub id: &'static str,
    /// A title of a few words.
    pub title: &'static str,
    /// More about it, for the documentation.
    pub about: &'static str,
    /// The effect of repeating the request.
    pub repeat: Repeat,
    /// The query parameters.
    pub query: &'static [Field],
    /// The body.
    pub body: BodyKind,
    /// An example of the body; the first is shown in `/openapi.json`.
    pub example: &'static str,
    /// The status and form of the successful reply.
    pub answer: (u16, Answer),
    /// The codes it can reply with, without those of every route.
    pub errors: &'static [&'static Code],
    /// The page that explains it, below `/docs/agents/`.
    pub doc: &'static str,
    /// Its description as a tool for MCP clients; `None` if it is not a tool.
    pub tool: Option<Tool>,
}

impl<P, C, A> Route<P, C, A> {
    /// The action, `None` for a public route.
    pub fn action(&self) -> Option<Action> {
        match self.access {
            Access::Public(_) => None,
            Access::Action(action, _) | Access::Class(_, action, _) | Access::Bearer(action, _) => Some(action),
            Access::AtOnce(action, _) => Some(action),
        }
    }

    /// The requirements that the access check has for a caller; `None` for a public route.
    pub fn need(&self) -> Option<Need> {
        Some(Need { action: self.action()?, classes: self.classes(), dialect: self.dialect })
    }

    /// The classes of tokens it accepts; empty if it does not distinguish them.
    pub fn classes(&self) -> &'static [Class] {
        match self.access {
            Access::Class(classes, ..) => classes,
            _ => &[],
        }
    }

    /// Whether its reply has a hash of the content as `ETag`, with 304 for a client that has it. A record's revision is
    /// only for `If-Match`, since it does not count changes of the record's token.
    pub fn is_tagged(&self) -> bool {
        if matches!(self.answer.1, Answer::Fixed(_)) {
            return true;
        }
        let read = self.method == Method::GET && self.repeat != Repeat::Secret;
        let checked = matches!(self.access, Access::Action(..) | Access::Class(..));
        read && checked && !matches!(self.answer.1, Answer::Tagged(_) | Answer::Other(_) | Answer::Foreign)
    }

    /// The path up to its first parameter.
    pub fn prefix(&self) -> &'static str {
        self.path.split('{').next().unwrap_or(self.path)
    }

    /// The names of the path's parameters, in order.
    pub fn parameters(&self) -> Vec<&'static str> {
        self.path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| name.trim_end_matches("..."))
            .collect()
    }
}
