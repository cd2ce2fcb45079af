//! What a route is. The table itself stands with the handlers, in `api`.

use hyper::http::Method;

use super::action::Action;
use super::class::Class;
use super::codes::Code;
use super::error::Dialect;
use super::field::Field;
use super::tool::Tool;

/// The name of a path's parameter that is free text: its segment may hold a slash, a backslash and dots, if they are sent
/// in percent-encoding.
pub const FREE_TEXT: &str = "{context_key}";

/// What a repeat of the request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Safe by itself.
    Safe,
    /// Takes an `Idempotency-Key`.
    Key,
    /// The reply carries a secret: nothing is stored, a key is ignored.
    Secret,
}

/// What a route takes as body.
#[derive(Debug, Clone, Copy)]
pub enum BodyKind {
    /// None; an empty one is tolerated.
    None,
    /// Any bytes, with any query: both are the handler's alone.
    Raw,
    /// The same; the API document says that they are of this content type and have these fields.
    RawOf(&'static str, &'static [Field]),
    /// `multipart/form-data`, taken piece by piece as it comes: never whole in memory.
    Multipart(&'static [Field]),
    /// A JSON object with these fields; may be left out if none is required.
    Json(&'static [Field]),
}

/// What a route answers when all is well.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// An object with these fields.
    Object(&'static [Field]),
    /// An object with these fields, and its revision as `ETag`.
    Tagged(&'static [Field]),
    /// An object with these fields, and the path of what was made as `Location`.
    Made(&'static [Field]),
    /// This one; who asks for HTML is sent to another page.
    OrSeeOther(&'static Answer),
    /// This one, which stays the same while the daemon runs.
    Fixed(&'static Answer),
    /// An object with these fields: 201 where it was made, 200 where it was there before.
    Upsert(&'static [Field]),
    /// A bare array of objects with these fields, paged by number.
    Array(&'static [Field]),
    /// A text in JSON.
    Text,
    /// Whatever another server answers.
    Foreign,
    /// A bare array of objects with these fields, paged by `Link`.
    List(&'static [Field]),
    /// No body.
    Empty,
    /// No body; or with 200 an object with these fields, where there is something to tell.
    EmptyOr(&'static [Field]),
    /// Text of one of these content types.
    Other(&'static [&'static str]),
    /// This one, or text of one of these content types where the request asks for it.
    Or(&'static Answer, &'static [&'static str]),
}

impl Answer {
    /// Whether it is a page, or one for who asks for HTML: then a refusal may be a page as well.
    pub fn may_be_page(&self) -> bool {
        match self {
            Self::Other(types) => types.contains(&"text/html"),
            Self::OrSeeOther(answer) | Self::Fixed(answer) => answer.may_be_page(),
            _ => false,
        }
    }
}

/// Who may call a route. There is no default: a route that names no action cannot be written.
pub enum Access<Public, Checked, AtOnce> {
    /// Anybody.
    Public(Public),
    /// Whoever's scopes cover the action.
    Action(Action, Checked),
    /// Whoever's token is of one of these classes and covers the action.
    Class(&'static [Class], Action, Checked),
    /// Whoever presents a credential; the handler has the access layer judge it. The action is what the audit says.
    Bearer(Action, Public),
    /// The same, where the caller alone makes the reply: answered without a trip to the pool when the credential is
    /// known from a moment ago.
    AtOnce(Action, AtOnce),
}

/// What a route needs.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The action that a scope must cover.
    pub action: Action,
    /// The classes of token it takes; none: it does not tell them apart.
    pub classes: &'static [Class],
    /// How its refusals are called.
    pub dialect: Dialect,
}

/// One row of the table. The types are those of the handlers: of a public route, of one that is checked, of one that is
/// answered at once.
pub struct Route<Public: 'static, Checked: 'static, AtOnce: 'static> {
    /// The method.
    pub method: Method,
    /// The path: `{name}` stands for one segment, a last `{name...}` for all the rest.
    pub path: &'static str,
    /// Which clients it speaks to.
    pub dialect: Dialect,
    /// Who may call it, and the handler.
    pub access: Access<Public, Checked, AtOnce>,
    /// The unique name of the operation, `noun_verb`.
    pub id: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What else to know.
    pub about: &'static str,
    /// What a repeat does.
    pub repeat: Repeat,
    /// The query parameters.
    pub query: &'static [Field],
    /// The body.
    pub body: BodyKind,
    /// An example of the body; the first is shown in `/openapi.json`.
    pub example: &'static str,
    /// Status and shape of the answer.
    pub answer: (u16, Answer),
    /// The codes it can answer with, beyond those every route has.
    pub errors: &'static [&'static Code],
    /// The page that explains it, below `/docs/agents/`.
    pub doc: &'static str,
    /// What it is as a tool of MCP clients; `None`: it is none.
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

    /// What the access check asks of a caller; `None` for a public route.
    pub fn need(&self) -> Option<Need> {
        Some(Need { action: self.action()?, classes: self.classes(), dialect: self.dialect })
    }

    /// The classes of token it takes; none if it does not tell them apart.
    pub fn classes(&self) -> &'static [Class] {
        match self.access {
            Access::Class(classes, ..) => classes,
            _ => &[],
        }
    }

    /// Whether its reply has a hash of the content as `ETag`, and 304 for who has it. A record's revision is for
    /// `If-Match` alone: it does not count what a record tells of its token.
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
