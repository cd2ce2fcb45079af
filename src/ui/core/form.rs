//! Forms: turns what a browser sends into the body that the API's route takes.

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::text::encoded;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};

/// The most fields of a form; further ones are ignored.
const MOST: usize = 64;

/// The fields of a form, in the order sent.
#[derive(Debug, Default, Clone)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Parses `application/x-www-form-urlencoded`. Bytes that are not UTF-8 are replaced.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(MOST);
        Self(
            pairs
                .map(|pair| {
                    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                    (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// Makes a form with one field.
    pub(crate) fn of(field: &Field, value: &str) -> Self {
        Self(vec![(field.name.to_owned(), value.to_owned())])
    }

    /// The value of a field; the last one if it was sent several times.
    pub(crate) fn get(&self, field: &Field) -> Option<&str> {
        self.named(field.name)
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field, empty if it was not sent. Templates show it again.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.named(name).unwrap_or("")
    }

    /// One of several values of a field, empty if there is none at this index.
    pub(crate) fn nth<'a>(&'a self, name: &'a str, at: usize) -> &'a str {
        self.all(name).nth(at).unwrap_or("")
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body of a route with these fields. An empty field is left out, because a browser always sends all fields of
    /// a form. A field that may be set to empty has a second field `NAME.clear`.
    ///
    /// # Errors
    /// 422 if a value cannot be converted to the field's type. The route checks everything else.
    pub(crate) fn body(&self, fields: &[Field]) -> Result<Value, ApiError> {
        let mut body = Map::new();
        for field in fields {
            if let Type::Objects(inner) = field.kind
                && let Some(list) = self.objects(field, inner)?
            {
                body.insert(field.name.to_owned(), list);
                continue;
            }
            let given: Vec<&str> = self.all(field.name).map(|text| text.trim_matches(['\r', '\n'])).collect();
            let Some(last) = given.last() else { continue };
            let may_be_empty = self.named(&format!("{}.clear", field.name)).is_some();
            if given.iter().all(|text| text.is_empty()) && !may_be_empty {
                continue;
            }
            body.insert(field.name.to_owned(), value(field, last, &given)?);
        }
        Ok(Value::Object(body))
    }

    /// The list of objects in this form. Each object has its fields `NAME.FIELD` once. An empty object is left out, and
    /// so is an empty list.
    fn objects(&self, list: &Field, inner: &[Field]) -> Result<Option<Value>, ApiError> {
        let names: Vec<String> = inner.iter().map(|field| format!("{}.{}", list.name, field.name)).collect();
        let columns = inner.iter().zip(&names).map(|(field, name)| (field, self.all(name).collect()));
        let columns: Vec<(&Field, Vec<&str>)> = columns.collect();
        let rows = columns.iter().map(|(_, given)| given.len()).max().unwrap_or(0);
        let mut objects = Vec::new();
        for at in 0..rows {
            let mut object = Map::new();
            for (field, given) in &columns {
                let Some(text) = given.get(at).filter(|text| !text.trim().is_empty()) else { continue };
                object.insert(field.name.to_owned(), value(field, text, &[text])?);
            }
            if !object.is_empty() {
                objects.push(Value::Object(object));
            }
        }
        Ok((!objects.is_empty()).then_some(Value::Array(objects)))
    }
}

/// Replaces `{NAME}` in a text, if there is one, with its encoded value.
pub(super) fn filled<'a>(text: &str, value: impl FnOnce(&str) -> &'a str) -> String {
    match text.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (name, after))) => format!("{before}{}{after}", encoded(value(name))),
        None => text.to_owned(),
    }
}

fn value(field: &Field, last: &str, given: &[&str]) -> Result<Value, ApiError> {
    let problem = |what: &str| ApiError::field(field.name, what);
    Ok(match field.kind {
        Type::Integer { .. } => last.trim().parse::<i64>().map_err(|_| problem("must be a whole number"))?.into(),
        Type::Flag => matches!(last, "true" | "on" | "1").into(),
        // True, false, or one of these words.
        Type::FlagOr(words) if words.contains(&last) => last.into(),
        Type::FlagOr(_) => matches!(last, "true" | "on" | "1").into(),
        // One per line, or separated by blanks or commas; or the field several times.
        Type::Scopes => words(given, |c| c.is_whitespace() || c == ','),
        Type::Texts { .. } => words(given, |c| c == '\n' || c == '\r'),
        Type::Due { .. } => last.parse::<i64>().map_or_else(|_| last.into(), Value::from),
        Type::Object(_) | Type::Objects(_) | Type::AnyObject | Type::EmptyList | Type::Number => {
            serde_json::from_str(last).map_err(|_| problem("must be JSON"))?
        }
        // Browsers send a line end as two characters.
        Type::Text { .. } | Type::Word(_) => last.replace("\r\n", "\n").into(),
    })
}

fn words(given: &[&str], between: fn(char) -> bool) -> Value {
    let words = given.iter().flat_map(|text| text.split(between)).map(str::trim).filter(|word| !word.is_empty());
    words.map(Value::from).collect()
}

fn decoded(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    // A text in the database cannot contain U+0000, and a browser sends none.
    percent_decode(&spaced).decode_utf8_lossy().replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        Field::text("name", 64, ""),
        Field::integer("days", 1, 9, ""),
        Field::flag("on", ""),
        Field::of("scope", Type::Scopes, ""),
        Field::texts("names", 9, 9, ""),
        Field::of("mounts", Type::Objects(&[Field::text("from", 9, ""), Field::text("to", 9, "")]), ""),
    ];

    #[test]
    fn a_form_becomes_the_body_of_its_route() {
        let form = Form::read(b"name=a+b%26&days=3&on=true&scope=agents.*+ui.notify&names=x%0D%0Ay&more=1");
        let body = form.body(FIELDS).expect("a body");
        let wanted =
            json!({"name": "a b&", "days": 3, "on": true, "scope": ["agents.*", "ui.notify"], "names": ["x", "y"]});
        assert_eq!(body, wanted);
        assert_eq!(Form::read(b"name=&days=").body(FIELDS).expect("a body"), json!({}));
        assert_eq!(Form::read(b"name=&name.clear=1").body(FIELDS).expect("a body"), json!({"name": ""}));
        assert!(Form::read(b"days=x").body(FIELDS).is_err());
        let mounts = |form: &[u8]| Form::read(form).body(FIELDS).expect("a body")["mounts"].clone();
        let two = json!([{"from": "/a", "to": "/b"}, {"to": "/d"}]);
        assert_eq!(mounts(b"mounts.from=/a&mounts.to=/b&mounts.from=&mounts.to=&mounts.from=&mounts.to=/d"), two);
        assert_eq!(mounts(b"mounts.from=&mounts.to="), Value::Null);
        assert_eq!(mounts(b"mounts=[{\"from\":\"/a\"}]"), json!([{"from": "/a"}]));
    }

    #[test]
    fn a_name_in_braces_is_filled_in_once() {
        assert_eq!(filled("/a/{x}/b", |name| if name == "x" { "1/2" } else { "" }), "/a/1%2F2/b");
        assert_eq!(filled("/a/{x", |_| "1"), "/a/{x");
        assert_eq!(filled("/a/{x}", |_| "{y}"), "/a/%7By%7D");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::read(&bytes).body(FIELDS);
        }
    }
}
