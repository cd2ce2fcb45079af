//! Bodies and queries.

use serde_json::{Map, Value};
use taosd::limits;
use taosd::rest::field::{self, Field, Type, Unknown};

use super::text;

/// Keys that are twice, depth and numbers are the reader's own; everything else it reads as serde_json does.
pub fn json(data: &[u8]) {
    match taosd::rest::json::parse(data) {
        Ok(value) => {
            assert!(depth(&value) <= limits::JSON_DEPTH);
            assert_eq!(serde_json::from_slice::<Value>(data).expect("well-formed"), value);
            assert_eq!(taosd::rest::json::parse(value.to_string().as_bytes()).as_ref(), Ok(&value));
        }
        // What is wrong is told in bounded words.
        Err(wrong) => assert!(!wrong.is_empty() && wrong.len() < 200, "{wrong}"),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

const TEXTS: usize = 3;
const CHARS: usize = 10;
const INNER: &[Field] = &[Field::integer("n", 1, 5, "")];
const FIELDS: &[Field] = &[
    Field::text("text", CHARS, ""),
    Field::integer("n", -5, 1000, ""),
    Field::flag("f", ""),
    Field::word("word", &["a", "b"], ""),
    Field::texts("list", TEXTS, CHARS, ""),
    Field::of("in", Type::Object(INNER), ""),
    Field::of("all", Type::Objects(INNER), ""),
];

/// What is let through fits what was declared.
fn fits(fields: &[Field], object: &Map<String, Value>) {
    for (name, value) in object {
        let field = fields.iter().find(|field| field.name == name).expect("a declared field");
        match (field.kind, value) {
            (Type::Text { max, .. }, Value::String(text)) => {
                assert!(text.chars().count() <= max && !text.contains('\0'))
            }
            (Type::Integer { min, max }, Value::Number(n)) => assert!((min..=max).contains(&n.as_i64().unwrap())),
            (Type::Flag, Value::Bool(_)) => {}
            (Type::Word(words), Value::String(text)) => assert!(words.contains(&text.as_str())),
            (Type::Texts { max, chars }, Value::Array(list)) => {
                let short = |text: &Value| text.as_str().unwrap().chars().count() <= chars;
                assert!(list.len() <= max && list.iter().all(short));
            }
            (Type::Object(fields), Value::Object(object)) => fits(fields, object),
            (Type::Objects(fields), Value::Array(list)) => {
                list.iter().for_each(|one| fits(fields, one.as_object().unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn check(result: Result<Map<String, Value>, Vec<field::Problem>>) {
    match result {
        Ok(object) => fits(FIELDS, &object),
        Err(problems) => {
            assert!(!problems.is_empty());
            for (name, wrong) in problems {
                // What comes back of a name is short and cannot move a terminal's cursor.
                assert!(name.chars().count() <= 200 && !name.contains(char::is_control) && !wrong.is_empty());
            }
        }
    }
}

/// A body against its declared fields.
pub fn body(data: &[u8]) {
    if let Ok(Value::Object(object)) = taosd::rest::json::parse(data) {
        check(field::check(FIELDS, object.clone(), Unknown::Refused));
        check(field::check(FIELDS, object, Unknown::Ignored));
    }
}

/// A query against its declared fields.
pub fn query(data: &[u8]) {
    let Some(query) = text(data) else { return };
    for unknown in [Unknown::Refused, Unknown::Ignored] {
        check(field::check_query(FIELDS, query, unknown));
    }
}
