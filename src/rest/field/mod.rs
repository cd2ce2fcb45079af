//! Fields of bodies, queries and replies, declared once: what is checked, what `/openapi.json` says and which flags
//! `taosctl` has come from the same declaration.

use serde_json::{Map, Value, json};

mod check;

pub use check::{FieldProblem, MISSING, Unknown, check, check_query};

use super::text;
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
    /// True, false or one of these words; replies only.
    FlagOr(&'static [&'static str]),
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
    /// A time as in RFC 3339, or so many seconds from now.
    Due {
        /// Most seconds.
        seconds: i64,
    },
}

/// What a text must be beyond its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Anything but U+0000.
    Any,
    /// No control characters.
    Line,
    /// A line with a visible character.
    Visible,
    /// A name that can stand in a path: a line without slashes and backslashes, not `.` or `..`.
    Segment,
    /// What these keywords of JSON Schema say, an object; whoever takes the field checks it in its own words.
    Told(&'static str),
}

impl TextFormat {
    /// The pattern for JSON Schema.
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

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// What a text must be beyond its length.
    pub form: TextFormat,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it may be null; in replies only, in requests null means absent.
    pub nullable: bool,
    /// Whether the promise of slow work tells it already.
    pub promised: bool,
    /// What it is, for people.
    pub about: &'static str,
}

impl Field {
    const fn new(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self { name, kind, form: TextFormat::Any, required: false, nullable: false, promised: false, about }
    }

    /// A text of at most `max` characters.
    pub const fn text(name: &'static str, max: usize, about: &'static str) -> Self {
        Self::new(name, Type::Text { min: 0, max }, about)
    }

    /// A text without a length of its own: a reply's, or one that its handler checks.
    pub const fn unbounded(name: &'static str, about: &'static str) -> Self {
        Self::text(name, usize::MAX, about)
    }

    /// A text that a reply always has, or `null` in its place where it is also nullable.
    pub const fn shown(name: &'static str, about: &'static str) -> Self {
        Self::unbounded(name, about).required()
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

    /// A list of any number of texts of any length: a reply's, or one that its handler checks.
    pub const fn unbounded_texts(name: &'static str, about: &'static str) -> Self {
        Self::texts(name, usize::MAX, usize::MAX, about)
    }

    /// Anything else.
    pub const fn of(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self::new(name, kind, about)
    }

    /// The same with another sentence for people.
    #[must_use]
    pub const fn described(mut self, about: &'static str) -> Self {
        self.about = about;
        self
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

    /// Must hold no control characters: a label, or another text of one line for people.
    #[must_use]
    pub const fn line(mut self) -> Self {
        self.form = TextFormat::Line;
        self
    }

    /// Must be a line with something to be seen: a name for people.
    #[must_use]
    pub const fn visible(mut self) -> Self {
        self.form = TextFormat::Visible;
        self
    }

    /// Must be a name that can be looked up by a path afterwards.
    #[must_use]
    pub const fn addressable(mut self) -> Self {
        self.form = TextFormat::Segment;
        self
    }

    /// Is narrower than its type: `keywords` is an object of JSON Schema. The handler checks it, and its refusal has a
    /// code of its own.
    #[must_use]
    pub const fn told(mut self, keywords: &'static str) -> Self {
        self.form = TextFormat::Told(keywords);
        self
    }

    /// The same, in the promise of slow work as well as in its reply.
    #[must_use]
    pub const fn promised(mut self) -> Self {
        self.promised = true;
        self
    }

    /// May be null in a reply.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The JSON schema of this field in a request.
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

/// The JSON schema of a body with these fields, and no others if it is `closed`. Null is as good as absent.
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
