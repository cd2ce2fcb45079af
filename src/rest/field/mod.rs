//! Fields of bodies, queries and replies. One declaration gives the checks, the schema in `/openapi.json` and the flags
//! of `taosctl`.

use serde_json::{Map, Value, json};

mod check;

pub use check::{FieldProblem, MISSING, Unknown, check, check_query};

use super::text;
use crate::limits;

/// The type of a field's value.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// A text with a length within bounds.
    Text {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
    },
    /// One of these words, as a string.
    Word(&'static [&'static str]),
    /// An integer within bounds.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// A number, with a fraction or not; only in replies.
    Number,
    /// A boolean.
    Flag,
    /// A boolean or one of these words; only in replies.
    FlagOr(&'static [&'static str]),
    /// A list of texts, with limits on its length and on each entry.
    Texts {
        /// The most entries.
        max: usize,
        /// The most characters of an entry.
        chars: usize,
    },
    /// A list of scopes. The access layer checks each of them.
    Scopes,
    /// An object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    Objects(&'static [Field]),
    /// A list that must be empty.
    EmptyList,
    /// Any object.
    AnyObject,
    /// A time as in RFC 3339, or a number of seconds from now.
    Due {
        /// The most seconds.
        seconds: i64,
    },
}

/// The rule for a text beyond its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Any characters but U+0000.
    Any,
    /// No control characters.
    Line,
    /// A line with at least one visible character.
    Visible,
    /// A name that can be part of a path: a line without slashes and backslashes, not `.` or `..`.
    Segment,
    /// The rule in these keywords of JSON Schema, an object. The handler checks it, with an error of its own.
    Told(&'static str),
}

impl TextFormat {
    /// The pattern for JSON Schema; `None` if there is none.
    fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Line => Some(text::LINE_PATTERN),
            Self::Visible => Some(text::VISIBLE_PATTERN),
            Self::Segment => Some(text::SEGMENT_PATTERN),
            Self::Told(_) => None,
        }
    }

    fn problem(self, given: &str) -> Option<&'static str> {
        match self {
            Self::Any | Self::Told(_) => None,
            Self::Line => text::line_problem(given),
            Self::Visible => text::visible_problem(given),
            Self::Segment => text::segment_problem(given),
        }
    }
}

/// The declaration of one field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name in JSON and in a query.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// The rule for a text beyond its length.
    pub form: TextFormat,
    /// Whether the field is required.
    pub required: bool,
    /// Whether it may be null in a reply. In a request, null always means absent.
    pub nullable: bool,
    /// Whether the 202 reply of slow work has it already.
    pub promised: bool,
    /// The description for people.
    pub about: &'static str,
}

impl Field {
    const fn new(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self { name, kind, form: TextFormat::Any, required: false, nullable: false, promised: false, about }
    }

    /// Declares a text of at most `max` characters.
    pub const fn text(name: &'static str, max: usize, about: &'static str) -> Self {
        Self::new(name, Type::Text { min: 0, max }, about)
    }

    /// Declares a text without a length limit: one in a reply, or one that its handler checks.
    pub const fn unbounded(name: &'static str, about: &'static str) -> Self {
        Self::text(name, usize::MAX, about)
    }

    /// Declares a text that a reply always has; if it is nullable too, it may be `null`.
    pub const fn shown(name: &'static str, about: &'static str) -> Self {
        Self::unbounded(name, about).required()
    }

    /// Declares one of these words.
    pub const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Self {
        Self::new(name, Type::Word(words), about)
    }

    /// Declares an integer within bounds, both inclusive.
    pub const fn integer(name: &'static str, min: i64, max: i64, about: &'static str) -> Self {
        Self::new(name, Type::Integer { min, max }, about)
    }

    /// Declares a boolean.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Type::Flag, about)
    }

    /// Declares a list of at most `max` texts of at most `chars` characters each.
    pub const fn texts(name: &'static str, max: usize, chars: usize, about: &'static str) -> Self {
        Self::new(name, Type::Texts { max, chars }, about)
    }

    /// Declares a list without limits on its length and texts: one in a reply, or one that its handler checks.
    pub const fn unbounded_texts(name: &'static str, about: &'static str) -> Self {
        Self::texts(name, usize::MAX, usize::MAX, about)
    }

    /// Declares a field of any type.
    pub const fn of(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self::new(name, kind, about)
    }

    /// Replaces the description.
    #[must_use]
    pub const fn described(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Makes the field required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Requires at least one character.
    #[must_use]
    pub const fn not_empty(mut self) -> Self {
        if let Type::Text { max, .. } = self.kind {
            self.kind = Type::Text { min: 1, max };
        }
        self
    }

    /// Forbids control characters: for a label, or another text of one line for people.
    #[must_use]
    pub const fn line(mut self) -> Self {
        self.form = TextFormat::Line;
        self
    }

    /// Requires a line with a visible character: for a name for people.
    #[must_use]
    pub const fn visible(mut self) -> Self {
        self.form = TextFormat::Visible;
        self
    }

    /// Requires a name that can be part of a path, so that the record can be looked up by it.
    #[must_use]
    pub const fn addressable(mut self) -> Self {
        self.form = TextFormat::Segment;
        self
    }

    /// Narrows the type by `keywords`, an object of JSON Schema. The handler checks this rule and refuses with a code
    /// of its own.
    #[must_use]
    pub const fn told(mut self, keywords: &'static str) -> Self {
        self.form = TextFormat::Told(keywords);
        self
    }

    /// Adds the field to the 202 reply of slow work too.
    #[must_use]
    pub const fn promised(mut self) -> Self {
        self.promised = true;
        self
    }

    /// Allows null in a reply.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The JSON schema of this field in a request, with the checks that only requests have.
    pub fn given_schema(&self) -> Value {
        let mut schema = self.schema();
        match (self.kind, self.form) {
            (Type::Text { .. }, TextFormat::Any) => schema["pattern"] = json!(text::TEXT_PATTERN),
            (Type::Integer { max: i64::MAX, .. }, TextFormat::Any) => schema["maximum"] = json!(i64::MAX),
            (Type::Texts { .. }, TextFormat::Any) => schema["items"]["pattern"] = json!(text::TEXT_PATTERN),
            _ => {}
        }
        schema
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
                if let Some(pattern) = self.form.pattern() {
                    text["pattern"] = json!(pattern);
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
            Type::FlagOr(words) => json!({"anyOf": [{"type": "boolean"}, {"type": "string", "enum": words}]}),
            Type::Texts { max, chars } => {
                let mut list = json!({"type": "array", "items": {"type": "string"}});
                if max < usize::MAX {
                    list["maxItems"] = json!(max);
                    list["items"]["maxLength"] = json!(chars);
                }
                list
            }
            Type::Scopes => json!({"type": "array", "maxItems": limits::SCOPES,
                "items": {"$ref": "#/components/schemas/Scope"}}),
            Type::Object(fields) => object_schema(fields),
            Type::Objects(fields) => json!({"type": "array", "items": object_schema(fields)}),
            Type::EmptyList => json!({"type": "array", "maxItems": 0}),
            Type::AnyObject => json!({"type": "object"}),
            Type::Due { seconds } => json!({"anyOf": [
                {"type": "string", "maxLength": limits::TIME_CHARS},
                {"type": "integer", "minimum": 1, "maximum": seconds},
            ]}),
        };
        if let TextFormat::Told(keywords) = self.form
            && let (Some(schema), Ok(Value::Object(told))) = (schema.as_object_mut(), serde_json::from_str(keywords))
        {
            schema.extend(told);
        }
        if self.nullable {
            schema = json!({"anyOf": [schema, {"type": "null"}]});
        }
        schema["description"] = json!(self.about);
        schema
    }
}

/// The JSON schema of a request body with these fields, and no others if `closed`. Null means absent.
pub fn request_schema(fields: &[Field], closed: bool) -> Value {
    let property = |field: &Field| {
        let mut schema = match field.kind {
            Type::Object(fields) => request_schema(fields, closed),
            Type::Objects(fields) => json!({"type": "array", "items": request_schema(fields, closed)}),
            _ => field.given_schema(),
        };
        if !field.required && !field.nullable {
            schema = json!({"anyOf": [schema, {"type": "null"}]});
        }
        schema["description"] = json!(field.about);
        (field.name.to_owned(), schema)
    };
    let mut schema = object_schema(fields);
    schema["properties"] = Value::Object(fields.iter().map(property).collect());
    if !closed && let Some(schema) = schema.as_object_mut() {
        schema.remove("additionalProperties");
    }
    schema
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
