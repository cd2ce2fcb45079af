//! The schemas of a tool's input and output, made from the fields of its route (JSON Schema 2020-12). They are small
//! because every client reads all of them: no reference, and no pattern that repeats the length.

use serde_json::{Map, Value, json};

use crate::rest::field::{Field, TextFormat, Type};
use crate::rest::route::Answer;

/// Returns the schema for the input of a tool with these fields.
pub fn input(fields: &[Field]) -> Value {
    let mut schema = closed(fields);
    schema["properties"]
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.iter_mut())
        .zip(fields)
        .for_each(|((_, property), field)| property["description"] = json!(about(field)));
    schema
}

/// Returns the description of a field. A route's cursor is in a header, but a tool's is in the result.
fn about(field: &Field) -> &'static str {
    if field.name == "cursor" { "The next_cursor of the result before; the first page if absent." } else { field.about }
}

fn closed(fields: &[Field]) -> Value {
    let mut schema = json!({"type": "object", "additionalProperties": false});
    schema["properties"] =
        fields.iter().map(|field| (field.name.to_owned(), given(field))).collect::<Map<_, _>>().into();
    require(&mut schema, fields, &[]);
    schema
}

fn require(schema: &mut Value, fields: &[Field], without: &[&str]) {
    let needed = fields.iter().filter(|field| field.required && !without.contains(&field.name));
    let names: Vec<&str> = needed.map(|field| field.name).collect();
    if !names.is_empty() {
        schema["required"] = json!(names);
    }
}

/// Returns the schema of an input field.
fn given(field: &Field) -> Value {
    let mut schema = match field.kind {
        Type::Object(fields) => closed(fields),
        Type::Objects(fields) => json!({"type": "array", "items": closed(fields)}),
        _ => field.schema(),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("description");
        // A pattern that is not `Told` only repeats the description.
        if !matches!(field.form, TextFormat::Told(_)) {
            schema.remove("pattern");
        }
        // The referenced list is long, and a refusal lists the words.
        if let (Type::Texts { chars, .. }, Some(items)) = (field.kind, schema.get_mut("items"))
            && items.get("$ref").is_some()
        {
            *items = json!({"type": "string", "maxLength": chars});
        }
    }
    schema
}

/// Returns the schema of the structured result of a route with this answer; `None` if the answer is not JSON.
/// `without`: the fields left out.
pub fn output(answer: &Answer, without: &[&str]) -> Option<Value> {
    match answer {
        Answer::Object(fields) | Answer::Tagged(fields) | Answer::Made(fields) | Answer::Upsert(fields) => {
            Some(open(fields, without))
        }
        Answer::Array(fields) | Answer::List(fields) => Some(json!({
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": open(fields, without)},
                "next_cursor": {"type": "string"},
            },
            "required": ["items"],
        })),
        Answer::Empty => Some(json!({
            "type": "object",
            "properties": {"ok": {"type": "boolean"}},
            "required": ["ok"],
        })),
        Answer::Or(json, _) | Answer::OrSeeOther(json) | Answer::Fixed(json) => output(json, without),
        Answer::EmptyOr(_) | Answer::Text | Answer::Foreign | Answer::Other(_) => None,
    }
}

fn open(fields: &[Field], without: &[&str]) -> Value {
    let told = fields.iter().filter(|field| !without.contains(&field.name));
    let properties: Map<_, _> = told.map(|field| (field.name.to_owned(), shown(field, without))).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    require(&mut schema, fields, without);
    schema
}

/// Returns the schema of an output field: only its type.
fn shown(field: &Field, without: &[&str]) -> Value {
    let mut schema = match field.kind {
        Type::Text { .. } | Type::Due { .. } => json!({"type": "string"}),
        Type::Word(words) => json!({"type": "string", "enum": words}),
        Type::Integer { .. } => json!({"type": "integer"}),
        Type::Number => json!({"type": "number"}),
        Type::Flag => json!({"type": "boolean"}),
        Type::Texts { .. } | Type::Scopes => json!({"type": "array", "items": {"type": "string"}}),
        Type::EmptyList => json!({"type": "array"}),
        Type::Object(fields) => open(fields, without),
        Type::Objects(fields) => json!({"type": "array", "items": open(fields, without)}),
        Type::AnyObject => json!({"type": "object"}),
        Type::FlagOr(_) => json!({"type": ["boolean", "string"]}),
    };
    if field.nullable {
        let mut kinds = match schema["type"].take() {
            Value::Array(kinds) => kinds,
            kind => vec![kind],
        };
        kinds.push(json!("null"));
        schema["type"] = Value::Array(kinds);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
    }
    schema
}
