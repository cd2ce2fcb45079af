//! The data that an agent sends about itself (`registration_metadata`): its bounds, how it is merged, and the values
//! that are read from it.

use serde_json::{Map, Value};

use crate::limits::{JSON_DEPTH, METADATA_BYTES};
use crate::rest::error::ApiError;
use crate::rest::text::segment_problem;
use crate::time::Micros;

/// The name of the field.
pub const FIELD: &str = "registration_metadata";

/// Returns `old` with the top-level keys of `new`, to read values from; it may be larger than what may be stored.
pub fn both(old: Option<&String>, new: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut all: Map<String, Value> = old.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    all.extend(new.cloned().unwrap_or_default());
    all
}

/// Merges `new` into `old` by top-level key, within the bounds.
///
/// # Errors
/// `validation_error` if it is too large or too deep.
pub fn merged(old: Option<&String>, new: Option<&Map<String, Value>>) -> Result<Option<String>, ApiError> {
    let Some(new) = new else { return Ok(old.cloned()) };
    let all = Value::Object(both(old, Some(new)));
    let text = all.to_string();
    if text.len() > METADATA_BYTES {
        return Err(ApiError::field(FIELD, "must be at most 64 KiB as JSON"));
    }
    if depth(&all) > JSON_DEPTH {
        return Err(ApiError::field(FIELD, format!("must be nested at most {JSON_DEPTH} deep")));
    }
    Ok(Some(text))
}

/// Returns the levels of nested objects and arrays. The recursion is safe, because the parser of bodies bounds the
/// depth.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns the id of the deployment that it names; `None` if it names none.
///
/// # Errors
/// `validation_error` for an invalid id.
pub fn deployment_id(metadata: Option<&Map<String, Value>>) -> Result<Option<String>, ApiError> {
    let refused = || {
        ApiError::field("registration_metadata.deployment_id", "must be 1 to 64 of A-Z a-z 0-9 . _ -, and not . or ..")
    };
    let given = match metadata.and_then(|metadata| metadata.get("deployment_id")) {
        None | Some(Value::Null) => return Ok(None),
        Some(given) => given.as_str().ok_or_else(refused)?,
    };
    let well_formed = segment_problem(given).is_none()
        && (1..=64).contains(&given.len())
        && given.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if well_formed { Ok(Some(given.to_owned())) } else { Err(refused()) }
}

/// Returns a text of 1 to 512 characters without U+0000; `None` if there is none.
pub fn text<'a>(metadata: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    metadata.get(key)?.as_str().filter(|text| !text.is_empty() && text.chars().count() <= 512 && !text.contains('\0'))
}

/// Returns a time that is written as in RFC 3339.
pub fn time(metadata: &Map<String, Value>, key: &str) -> Option<Micros> {
    let stamp: jiff::Timestamp = text(metadata, key)?.parse().ok()?;
    Some(Micros(stamp.as_microsecond()))
}

/// True if all of `part` is in `whole`: objects by key, lists in any order.
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Value::Number(whole), Value::Number(part)) => whole == part || whole.as_f64() == part.as_f64(),
        _ => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merging_is_by_top_level_key_and_bounded() {
        let old = Some(json!({"a": {"x": 1}, "b": 2}).to_string());
        let new = json!({"a": {"y": 1}});
        let text = merged(old.as_ref(), new.as_object()).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"a": {"y": 1}, "b": 2}));
        assert_eq!(merged(old.as_ref(), None).unwrap(), old);
        let long = json!({"a": "x".repeat(METADATA_BYTES)});
        assert!(merged(None, long.as_object()).is_err());
        let deep = (0..31).fold(json!({}), |inner, _| json!({"a": inner}));
        assert!(merged(None, deep.as_object()).is_ok());
        assert!(merged(None, json!({"a": deep}).as_object()).is_err());
    }

    #[test]
    fn containment_is_by_key_and_in_any_order() {
        let whole = json!({"a": 1, "b": {"c": [1, {"d": 2}, "x"]}, "n": null});
        for part in [json!({}), json!({"a": 1.0}), json!({"b": {"c": ["x", {"d": 2}]}}), json!({"n": null})] {
            assert!(contains(&whole, &part), "{part}");
        }
        for part in [json!({"a": "1"}), json!({"b": {"c": [3]}}), json!({"z": null}), json!({"a": {}})] {
            assert!(!contains(&whole, &part), "{part}");
        }
    }
}
