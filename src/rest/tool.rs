//! The description of a route as a tool of the Model Context Protocol (MCP contract, section 4). The input of the tool
//! is the route's path, query and body as one object. A [`Tool`] adds its name, a text for the model, and the
//! differences where the tool accepts or returns less than the route.

use super::field::Field;

/// The effect of a call on existing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// Each call adds something.
    Adds,
    /// It notes something; a second call changes nothing more.
    Marks,
    /// It replaces or removes something; a second call changes nothing more.
    Changes,
}

/// A route as a tool.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The name: words of `a-z` with `_` between them.
    pub name: &'static str,
    /// What the tool does and when to use it, for the model that chooses.
    pub about: &'static str,
    /// The effect of a call.
    pub effect: Effect,
    /// The path parameters as fields of the input, in order.
    pub path: &'static [Field],
    /// Narrower declarations of query or body fields, in place of the route's.
    pub narrower: &'static [Field],
    /// Query or body fields that the tool does not accept.
    pub omits: &'static [&'static str],
    /// Fields that only the tool accepts: the protocol acts on them, not the route.
    pub extra: &'static [Field],
    /// Numbers for fields that the call leaves out, if they differ from the route's defaults.
    pub presets: &'static [(&'static str, i64)],
    /// Fields of the reply, or of its rows, that the result leaves out.
    pub without: &'static [&'static str],
}

impl Tool {
    /// A tool that accepts and returns everything that its route does.
    pub const fn new(name: &'static str, effect: Effect, about: &'static str) -> Self {
        Self { name, about, effect, path: &[], narrower: &[], omits: &[], extra: &[], presets: &[], without: &[] }
    }

    /// Sets the fields of the path parameters.
    #[must_use]
    pub const fn with_path(mut self, fields: &'static [Field]) -> Self {
        self.path = fields;
        self
    }

    /// Sets narrower declarations, in place of the route's.
    #[must_use]
    pub const fn narrowed(mut self, fields: &'static [Field]) -> Self {
        self.narrower = fields;
        self
    }

    /// Sets the fields of the route that the tool does not accept.
    #[must_use]
    pub const fn omitting(mut self, fields: &'static [&'static str]) -> Self {
        self.omits = fields;
        self
    }

    /// Sets the additional fields that only the tool accepts.
    #[must_use]
    pub const fn with_extra(mut self, fields: &'static [Field]) -> Self {
        self.extra = fields;
        self
    }

    /// Sets the numbers for fields that the call leaves out.
    #[must_use]
    pub const fn preset(mut self, presets: &'static [(&'static str, i64)]) -> Self {
        self.presets = presets;
        self
    }

    /// Sets the fields that the result leaves out.
    #[must_use]
    pub const fn leaving_out(mut self, fields: &'static [&'static str]) -> Self {
        self.without = fields;
        self
    }
}
