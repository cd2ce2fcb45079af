//! A checker for the part of JSON Schema 2020-12 that `/openapi.json` uses. An unknown keyword is a problem; it is not
//! skipped.

use regex::Regex;
use serde_json::Value;

/// Returns the problems of `value`, each with its place. Resolves `$ref` in `document`.
pub fn problems(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "$", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return found.push(format!("{place}: the schema is no object")) };
    let mut tell = |problem: String| found.push(format!("{place}: {problem}"));
    let count = |n: usize| n as u64;
    for (keyword, wanted) in keywords {
        let limit = wanted.as_u64().unwrap_or(0);
        match keyword.as_str() {
            "description" | "example" | "required" | "additionalProperties" => {}
            "type" if is_of(wanted, value) => {}
            "type" => tell(format!("{value} is not of type {wanted}")),
            "enum" if wanted.as_array().is_some_and(|all| all.contains(value)) => {}
            "enum" => tell(format!("{value} is none of {wanted}")),
            "minLength" if value.as_str().is_none_or(|text| count(text.chars().count()) >= limit) => {}
            "maxLength" if value.as_str().is_none_or(|text| count(text.chars().count()) <= limit) => {}
            "maxItems" if value.as_array().is_none_or(|list| count(list.len()) <= limit) => {}
            "minimum" if value.as_i64().is_none_or(|n| wanted.as_i64().is_some_and(|least| n >= least)) => {}
            "maximum" if value.as_i64().is_none_or(|n| wanted.as_i64().is_some_and(|most| n <= most)) => {}
            "minLength" | "maxLength" | "maxItems" | "minimum" | "maximum" => {
                tell(format!("{value}: {keyword} {wanted}"))
            }
            "const" if wanted == value => {}
            "const" => tell(format!("{value} is not {wanted}")),
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().unwrap_or("(")).expect("a pattern");
                if !value.as_str().is_none_or(|text| pattern.is_match(text)) {
                    tell(format!("{value} does not match {wanted}"));
                }
            }
            "properties" | "items" | "anyOf" | "oneOf" | "not" | "$ref" => {}
            other => tell(format!("the keyword {other} is not known")),
        }
    }
    if let Some(object) = value.as_object() {
        members(document, schema, object, place, found);
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (at, item) in list.iter().enumerate() {
            check(document, items, item, &format!("{place}[{at}]"), found);
        }
    }
    if let Some(choices) = schema["anyOf"].as_array()
        && !choices.iter().any(|choice| problems(document, choice, value).is_empty())
    {
        found.push(format!("{place}: {value} fits none of {}", schema["anyOf"]));
    }
    if let Some(choices) = schema["oneOf"].as_array()
        && choices.iter().filter(|choice| problems(document, choice, value).is_empty()).count() != 1
    {
        found.push(format!("{place}: {value} does not fit exactly one of {}", schema["oneOf"]));
    }
    if let Some(other) = schema.get("not")
        && problems(document, other, value).is_empty()
    {
        found.push(format!("{place}: {value} must not fit {other}"));
    }
    if let Some(pointer) = schema["$ref"].as_str() {
        let target = document.pointer(pointer.trim_start_matches('#')).unwrap_or(&Value::Null);
        check(document, target, value, place, found);
    }
}

fn members(
    document: &Value,
    schema: &Value,
    object: &serde_json::Map<String, Value>,
    place: &str,
    found: &mut Vec<String>,
) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    for (name, value) in object {
        match schema["properties"].get(name) {
            Some(inner) => check(document, inner, value, &format!("{place}.{name}"), found),
            None if schema["additionalProperties"] == false => found.push(format!("{place}: {name} is not declared")),
            None => {}
        }
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    if let Some(kinds) = kind.as_array() {
        return kinds.iter().any(|kind| is_of(kind, value));
    }
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

mod tests {
    use serde_json::json;

    #[test]
    fn the_checker_finds_what_is_wrong() {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {
            "a": {"type": "string", "minLength": 1, "maxLength": 2},
            "n": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "l": {"type": "array", "items": {"$ref": "#/word"}, "maxItems": 1}}});
        let document = json!({"word": {"type": "string", "enum": ["x"]}});
        let count = |value| super::problems(&document, &schema, &value).len();
        assert_eq!(count(json!({"a": "é", "n": null, "l": ["x"]})), 0);
        assert_eq!(count(json!({})), 1);
        assert_eq!(count(json!({"a": "", "b": 1})), 2);
        assert_eq!(count(json!({"a": "abc", "n": 0, "l": ["x", "y"]})), 4);
        assert_eq!(super::problems(&document, &json!({"oneOf": []}), &json!(1)).len(), 1);
    }
}
