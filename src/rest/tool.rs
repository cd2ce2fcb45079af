//! What a row of the route table says of itself as a tool of the Model Context Protocol (MCP contract, section 4). The
//! tool's input is the route's path, query and body as one object; what is left to say is its name, what a model should
//! know of it, and where the tool takes or tells less than the route.

use super::field::Field;

/// What a call does to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// Each call adds something.
    Adds,
    /// It notes something; a second call notes nothing new.
    Marks,
    /// It replaces or takes away what was there; a second call changes nothing more.
    Changes,
}

/// A route as a tool.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name: words of `a-z` with `_` between them.
    pub name: &'static str,
    /// What it does and when to use it, for the model that chooses.
    pub about: &'static str,
    /// What a call does.
    pub effect: Effect,
    /// What the path's parameters are as fields of the input, in their order.
    pub path: &'static [Field],
    /// Fields of the query or the body of which the tool takes less than the route, in place of the route's.
    pub narrower: &'static [Field],
    /// Fields of the query or the body that the tool does not take.
    pub omits: &'static [&'static str],
    /// Fields that the tool takes and its route does not know: the protocol acts on them.
    pub extra: &'static [Field],
    /// What a number is that the call leaves out, where that is not the route's own default.
    pub presets: &'static [(&'static str, i64)],
    /// Fields of the answer, or of the rows in it, that the result leaves out.
    pub without: &'static [&'static str],
}

impl Tool {
    /// A tool that takes and tells all its route does.
    pub const fn new(name: &'static str, effect: Effect, about: &'static str) -> Self {
        Self { name, about, effect, path: &[], narrower: &[], omits: &[], extra: &[], presets: &[], without: &[] }
    }

    /// The path's parameters as these fields.
    #[must_use]
    pub const fn with_path(mut self, fields: &'static [Field]) -> Self {
        self.path = fields;
        self
    }

    /// Takes these fields in place of the route's.
    #[must_use]
    pub const fn narrowed(mut self, fields: &'static [Field]) -> Self {
        self.narrower = fields;
        self
    }

    /// Does not take these fields of the route.
    #[must_use]
    pub const fn omitting(mut self, fields: &'static [&'static str]) -> Self {
        self.omits = fields;
        self
    }

    /// Takes these fields as well.
    #[must_use]
    pub const fn with_extra(mut self, fields: &'static [Field]) -> Self {
        self.extra = fields;
        self
    }

    /// With these numbers where the call gives none.
    #[must_use]
    pub const fn preset(mut self, presets: &'static [(&'static str, i64)]) -> Self {
        self.presets = presets;
        self
    }

    /// Leaves these fields out of its result.
    #[must_use]
    pub const fn leaving_out(mut self, fields: &'static [&'static str]) -> Self {
        self.without = fields;
        self
    }
}
