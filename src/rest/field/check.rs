//! Checks requests against the declared fields.

use serde_json::{Map, Number, Value};

use super::{Field, Type};
use crate::limits;
use crate::rest::text::shown;

/// The treatment of fields that are not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The field is reported as a problem.
    Refused,
    /// The field is dropped.
    Ignored,
}

/// The problem text of a required field that is missing.
pub const MISSING: &str = "this field is required";

/// The name of a field and its problem.
pub type FieldProblem = (String, String);

/// Checks an object against its fields and drops nulls. It reports every problem, not just the first, up to
/// [`limits::PROBLEMS`].
///
/// # Errors
/// The problems found.
pub fn check(
    fields: &[Field],
    object: Map<String, Value>,
    unknown: Unknown,
) -> Result<Map<String, Value>, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut checked = Map::new();
    for (name, value) in object {
        if problems.len() >= limits::PROBLEMS {
            return Err(problems);
        }
        match fields.iter().find(|field| field.name == name) {
            None if unknown == Unknown::Ignored => {}
            None => problems.push((shown(&name), "there is no such field".to_owned())),
            Some(_) if value.is_null() => {}
            Some(field) => match check_value(field, value, unknown) {
                Ok(value) => {
                    checked.insert(name, value);
                }
                Err(mut found) => problems.append(&mut found),
            },
        }
    }
    for field in fields.iter().filter(|field| field.required && !checked.contains_key(field.name)) {
        if !problems.iter().any(|(name, _)| name == field.name) {
            problems.push((field.name.to_owned(), MISSING.to_owned()));
        }
    }
    if problems.is_empty() { Ok(checked) } else { Err(few(problems)) }
}

/// The first [`limits::PROBLEMS`] of the problems: an object within an object has as many of its own.
fn few(mut problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
    problems.truncate(limits::PROBLEMS);
    problems
}

fn check_value(field: &Field, value: Value, unknown: Unknown) -> Result<Value, Vec<FieldProblem>> {
    let problem = |text: String| Err(vec![(field.name.to_owned(), text)]);
    match (field.kind, value) {
        (Type::Text { min, max }, Value::String(text)) => {
            let length = text_problem(&text, min, max);
            match length.or_else(|| field.form.problem(&text).map(str::to_owned)) {
                None => Ok(Value::String(text)),
                Some(text) => problem(text),
            }
        }
        (Type::Word(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(Value::String(text)),
        (Type::Word(words), _) => problem(format!("must be one of {}", words.join(", "))),
        (Type::Integer { min, max }, Value::Number(number)) => match whole(&number) {
            Some(n) if (min..=max).contains(&n) => Ok(Value::from(n)),
            _ => problem(format!("must be a whole number from {min} to {max}")),
        },
        (Type::Flag, value @ Value::Bool(_)) => Ok(value),
        (Type::Texts { max, chars }, Value::Array(list)) => check_texts(field, list, max, chars),
        (Type::Scopes, Value::Array(list)) => check_texts(field, list, usize::MAX, usize::MAX),
        (Type::Object(fields), Value::Object(object)) => check(fields, object, unknown)
            .map(Value::Object)
            .map_err(|found| found.into_iter().map(|(name, text)| (format!("{}.{name}", field.name), text)).collect()),
        (Type::Objects(fields), Value::Array(list)) => check_objects(field, fields, list, unknown),
        (Type::EmptyList, Value::Array(list)) if list.is_empty() => Ok(Value::Array(list)),
        (Type::AnyObject, value @ Value::Object(_)) => Ok(value),
        (Type::Due { .. }, Value::String(text)) => match text_problem(&text, 1, limits::TIME_CHARS) {
            None => Ok(Value::String(text)),
            Some(text) => problem(text),
        },
        (Type::Due { seconds }, Value::Number(number)) => match number.as_i64() {
            Some(n) if (1..=seconds).contains(&n) => Ok(Value::Number(number)),
            _ => problem(format!("must be a whole number of seconds from 1 to {seconds}, or a time as in RFC 3339")),
        },
        (Type::EmptyList, _) => problem("must be an empty list".into()),
        (kind, _) => problem(format!("must be {}", wanted(kind))),
    }
}

/// The value of a number without a fraction, in any notation: to JSON Schema 60.0 is an integer.
fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // From 2^53 on not every integer is a float, so the intended value is unknown.
        (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

fn check_texts(field: &Field, list: Vec<Value>, max: usize, chars: usize) -> Result<Value, Vec<FieldProblem>> {
    let problem = |text: String| Err(vec![(field.name.to_owned(), text)]);
    if list.len() > max {
        return problem(format!("must hold at most {max} entries"));
    }
    for entry in &list {
        match entry.as_str() {
            None => return problem("must be a list of strings".into()),
            Some(text) => {
                if let Some(text) = text_problem(text, 0, chars) {
                    return problem(format!("every entry {text}"));
                }
            }
        }
    }
    Ok(Value::Array(list))
}

fn check_objects(
    field: &Field,
    fields: &[Field],
    list: Vec<Value>,
    unknown: Unknown,
) -> Result<Value, Vec<FieldProblem>> {
    let mut checked = Vec::with_capacity(list.len());
    for (at, entry) in list.into_iter().enumerate() {
        let place = format!("{}[{at}]", field.name);
        let Value::Object(object) = entry else { return Err(vec![(place, "must be an object".into())]) };
        let object = check(fields, object, unknown).map_err(|found| {
            found.into_iter().map(|(name, text)| (format!("{place}.{name}"), text)).collect::<Vec<_>>()
        })?;
        checked.push(Value::Object(object));
    }
    Ok(Value::Array(checked))
}

fn wanted(kind: Type) -> &'static str {
    match kind {
        Type::Text { .. } | Type::Word(_) => "a string",
        Type::Integer { .. } => "a whole number",
        Type::Number => "a number",
        Type::Flag | Type::FlagOr(_) => "true or false",
        Type::Texts { .. } | Type::Scopes => "a list of strings",
        Type::Object(_) | Type::AnyObject => "an object",
        Type::Due { .. } => "a time as in RFC 3339 or a whole number of seconds",
        Type::Objects(_) => "a list of objects",
        Type::EmptyList => "an empty list",
    }
}

fn text_problem(text: &str, min: usize, max: usize) -> Option<String> {
    // If it is too long in bytes already, there is no need to count its characters.
    if text.len() > max.saturating_mul(4) || text.chars().count() > max {
        return Some(format!("must be at most {max} characters long"));
    }
    if text.chars().take(min).count() < min {
        return Some(if min == 1 {
            "must not be empty".into()
        } else {
            format!("must have at least {min} characters")
        });
    }
    text.contains('\0').then(|| "must not contain U+0000".into())
}

/// Parses a query (percent-decoded, `+` as a blank, each parameter at most once) and checks it like an object.
///
/// # Errors
/// The problems found.
pub fn check_query(fields: &[Field], query: &str, unknown: Unknown) -> Result<Map<String, Value>, Vec<FieldProblem>> {
    let mut object = Map::new();
    let mut problems = Vec::new();
    let is_known = |name: &str| fields.iter().any(|field| field.name == name);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if problems.len() >= limits::PROBLEMS {
            return Err(problems);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            if unknown == Unknown::Refused || is_known(name) {
                problems.push((shown(name), "is not well-formed UTF-8 in percent-encoding".to_owned()));
            }
            continue;
        };
        if unknown == Unknown::Ignored && !is_known(&name) {
            continue;
        }
        let value = match fields.iter().find(|field| field.name == name).map(|field| field.kind) {
            Some(Type::Integer { .. }) => match value.split_once('.') {
                Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole.parse::<i64>(),
                _ => value.parse::<i64>(),
            }
            .map_or(Value::String(value), Value::from),
            Some(Type::Flag) => match value.as_str() {
                "true" | "1" => Value::Bool(true),
                "false" | "0" => Value::Bool(false),
                _ => Value::String(value),
            },
            _ => Value::String(value),
        };
        if object.insert(name.clone(), value).is_some() {
            problems.push((shown(&name), "is given twice".to_owned()));
        }
    }
    match check(fields, object, unknown) {
        Ok(checked) if problems.is_empty() => Ok(checked),
        Ok(_) => Err(problems),
        Err(mut more) => {
            problems.append(&mut more);
            Err(few(problems))
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let whole = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if bytes.iter().enumerate().any(|(at, b)| *b == b'%' && !whole(at)) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use proptest::prelude::*;

    const FIELDS: &[Field] = &[
        Field::text("name", 4, "").not_empty().required(),
        Field::integer("age", 1, 9, ""),
        Field::flag("ok", ""),
        Field::texts("tags", 2, 3, ""),
        Field::word("size", &["s", "l"], ""),
        Field::of("inner", Type::Object(&[Field::text("x", 1, "").required()]), ""),
    ];

    fn problems(value: Value) -> Vec<String> {
        let Value::Object(object) = value else { unreachable!() };
        check(FIELDS, object, Unknown::Refused).err().unwrap_or_default().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn every_problem_is_told_by_the_fields_name() {
        assert_eq!(
            problems(json!({"name": "", "age": 10, "ok": 1, "tags": ["abcd"], "size": "m", "inner": {}, "x": 1})),
            ["name", "age", "ok", "tags", "size", "inner.x", "x"]
        );
        assert_eq!(problems(json!({})), ["name"]);
        assert!(problems(json!({"name": "ünïc", "age": null, "tags": []})).is_empty());
        assert_eq!(problems(json!({"name": "a\u{0}"})), ["name"]);
        assert_eq!(problems(json!({"name": "a", "age": 1.5})), ["age"]);
        let whole = json!({"name": "a", "age": 6.0}).as_object().cloned().unwrap();
        assert_eq!(check(FIELDS, whole, Unknown::Refused).unwrap()["age"], json!(6));
        assert_eq!(problems(json!({"name": "a", "age": 60.0})), ["age"]);
    }

    #[test]
    fn an_object_within_an_object_adds_no_problems_beyond_the_limit() {
        let inner: Map<String, Value> = (0..100).map(|n| (format!("i{n}"), json!(1))).collect();
        assert_eq!(problems(json!({"age": 10, "inner": inner})).len(), limits::PROBLEMS);
        let outer: Vec<String> = (0..limits::PROBLEMS - 1).map(|_| "%zz".to_owned()).collect();
        let query = format!("{}&age=x&ok=x", outer.join("&"));
        assert_eq!(check_query(FIELDS, &query, Unknown::Refused).map_err(|found| found.len()), Err(limits::PROBLEMS));
    }

    #[test]
    fn a_query_is_decoded_once_and_typed_by_its_fields() {
        let query = check_query(FIELDS, "name=a%20b&age=3&ok=true", Unknown::Refused).unwrap();
        assert_eq!(Value::Object(query), json!({"name": "a b", "age": 3, "ok": true}));
        for bad in [
            "name=a&name=b",
            "name=%zz",
            "name=%ff",
            "name=a&other=1",
            "age=3",
            "name=a&age=x",
            "name=a&age=3.5",
            "name=a&age=3.",
            "name=a&ok=yes",
        ] {
            assert!(check_query(FIELDS, bad, Unknown::Refused).is_err(), "{bad}");
        }
        assert_eq!(check_query(FIELDS, "name=%2541", Unknown::Refused).unwrap()["name"], "%41");
    }

    #[test]
    fn where_unknown_fields_are_ignored_the_known_ones_are_still_checked() {
        let check = |value: Value| check(FIELDS, value.as_object().cloned().unwrap_or_default(), Unknown::Ignored);
        assert!(check(json!({"name": "a", "x": 1})).is_ok_and(|object| !object.contains_key("x")));
        assert!(check(json!({"name": 7, "x": 1})).is_err());
        for ignored in ["name=a&x=1", "name=a&x=1&x=2", "name=a&x=%zz", "name=a&%ff=1&age=3.0"] {
            assert!(check_query(FIELDS, ignored, Unknown::Ignored).is_ok(), "{ignored}");
        }
        assert!(check_query(FIELDS, "name=a&name=b", Unknown::Ignored).is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_read_without_panic(query in ".{0,100}") {
            let _ = check_query(FIELDS, &query, Unknown::Refused);
        }
    }
}
