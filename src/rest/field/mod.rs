//! Fields of bodies, queries and replies, declared once: what is checked, what `/openapi.json` says and which flags
//! `taosctl` has come from the same declaration.

use serde_json::{Map, Value, json};

mod check;

pub use check::{MISSING, Problem, Unknown, check, check_query};

use crate::limits;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// A text of so many characters.
    Text {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer within bounds.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A fraction; replies only.
    Number,
    /// True or false.
    Flag,
    /// A list of texts: at most so many, each of at most so many characters.
    Texts {
        /// Most entries.
        max: usize,
        /// Most characters of an entry.
        chars: usize,
    },
    /// A list of scopes; what each may be is the access layer's to say.
    Scopes,
    /// An object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    Objects(&'static [Field]),
    /// A list that must be empty.
    EmptyList,
    /// Any object.
    AnyObject,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it may be null; in replies only, in requests null means absent.
    pub nullable: bool,
    /// What it is, for people.
    pub about: &'static str,
}

impl Field {
    const fn new(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self { name, kind, required: false, nullable: false, about }
    }

    /// A text of at most `max` characters.
    pub const fn text(name: &'static str, max: usize, about: &'static str) -> Self {
        Self::new(name, Type::Text { min: 0, max }, about)
    }

    /// One of these words.
    pub const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Self {
        Self::new(name, Type::Word(words), about)
    }

    /// An integer within bounds.
    pub const fn integer(name: &'static str, min: i64, max: i64, about: &'static str) -> Self {
        Self::new(name, Type::Integer { min, max }, about)
    }

    /// True or false.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Type::Flag, about)
    }

    /// A list of texts.
    pub const fn texts(name: &'static str, max: usize, chars: usize, about: &'static str) -> Self {
        Self::new(name, Type::Texts { max, chars }, about)
    }

    /// Anything else.
    pub const fn of(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self::new(name, kind, about)
    }

    /// Must be there.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Must hold at least one character.
    #[must_use]
    pub const fn not_empty(mut self) -> Self {
        if let Type::Text { max, .. } = self.kind {
            self.kind = Type::Text { min: 1, max };
        }
        self
    }

    /// May be null in a reply.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The JSON schema of this field.
    pub fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Type::Text { min, max } => {
                let mut text = json!({"type": "string"});
                if min > 0 {
                    text["minLength"] = json!(min);
                }
                if max < usize::MAX {
                    text["maxLength"] = json!(max);
                }
                text
            }
            Type::Word(words) => json!({"type": "string", "enum": words}),
            Type::Integer { min, max } => {
                let mut integer = json!({"type": "integer"});
                if min > i64::MIN {
                    integer["minimum"] = json!(min);
                }
                if max < i64::MAX {
                    integer["maximum"] = json!(max);
                }
                integer
            }
            Type::Number => json!({"type": "number"}),
            Type::Flag => json!({"type": "boolean"}),
            Type::Texts { max, chars } => {
                let mut list = json!({"type": "array", "items": {"type": "string"}});
                if max < usize::MAX {
                    list["maxItems"] = json!(max);
                    list["items"]["maxLength"] = json!(chars);
                }
                list
            }
            Type::Scopes => json!({"type": "array", "maxItems": limits::SCOPES,
                "items": {"type": "string", "maxLength": limits::SCOPE_CHARS}}),
            Type::Object(fields) => object_schema(fields),
            Type::Objects(fields) => json!({"type": "array", "items": object_schema(fields)}),
            Type::EmptyList => json!({"type": "array", "maxItems": 0}),
            Type::AnyObject => json!({"type": "object"}),
        };
        if self.nullable {
            schema = json!({"anyOf": [schema, {"type": "null"}]});
        }
        schema["description"] = json!(self.about);
        schema
    }
}

/// The JSON schema of an object with exactly these fields.
pub fn object_schema(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|f| (f.name.to_owned(), f.schema())).collect();
    let required: Vec<&str> = fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}
