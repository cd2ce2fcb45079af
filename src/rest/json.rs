//! Parses JSON bodies strictly: UTF-8, no duplicate keys, nested at most [`limits::JSON_DEPTH`] deep (RFC 8259, with
//! the stricter choices of the taOS contract).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::text;
use crate::limits;

/// Parses exactly one JSON value.
///
/// # Errors
/// The fault and its place, in words without any value of the body.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let bytes = text::without_bom(bytes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: limits::JSON_DEPTH }.deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
    value.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("not well-formed JSON at line {} column {}", error.line(), error.column()),
    })
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("nested more than {} deep", limits::JSON_DEPTH))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.deeper()?)?;
            if object.contains_key(&key) {
                let key = text::shown(&key);
                return Err(de::Error::custom(format_args!(
                    "invalid JSON: the key \"{key}\" occurs twice in one object"
                )));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duplicates_depth_tails_and_bad_utf8_are_refused() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(deep(32).as_bytes()).is_ok());
        assert!(parse(deep(33).as_bytes()).unwrap_err().contains("32 deep"));
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse(br#"{"a":1,"a":2}"#).unwrap_err().contains("\"a\" occurs twice"));
        assert!(parse(br#"{"a":{"b":1,"b":2}}"#).is_err());
        assert!(parse(br#"{"a":1} x"#).is_err());
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse(b"").is_err());
        assert_eq!(parse(b"\xef\xbb\xbf{}"), parse(b"{}"), "a byte order mark is dropped");
        assert!(parse(b"\xef\xbb\xbf\xef\xbb\xbf{}").is_err() && parse(b"{\xef\xbb\xbf}").is_err());
        assert!(parse(br#"{"secret":hunter2}"#).is_err_and(|why| !why.contains("hunter2")));
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_back(keys in prop::collection::hash_set("[a-z]{1,4}", 0..5), n in any::<i64>()) {
            let value = Value::Object(keys.into_iter().map(|k| (k, Value::from(n))).collect());
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
