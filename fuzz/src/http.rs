//! Bodies, forms and queries.

use serde_json::{Map, Value};
use taosd::limits;
use taosd::rest::field::{self, Field, Type, Unknown};
use taosd::rest::multipart::{MalformedMultipart, Multipart, MultipartEvent, PartHead};
use taosd::rest::route::BodyKind;

use super::text;

/// The reader has its own rules for duplicate keys, depth and numbers. Everything else it reads as serde_json does.
pub fn json(data: &[u8]) {
    match taosd::rest::json::parse(data) {
        Ok(value) => {
            assert!(depth(&value) <= limits::JSON_DEPTH);
            assert_eq!(serde_json::from_slice::<Value>(data).expect("well-formed"), value);
            assert_eq!(taosd::rest::json::parse(value.to_string().as_bytes()).as_ref(), Ok(&value));
        }
        // The error text is bounded.
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

/// Checks that accepted input fits the declared fields.
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

fn check(result: Result<Map<String, Value>, Vec<field::FieldProblem>>) {
    match result {
        Ok(object) => fits(FIELDS, &object),
        Err(problems) => {
            assert!(!problems.is_empty());
            for (name, wrong) in problems {
                // The name in an error is short and cannot move a terminal's cursor.
                assert!(name.chars().count() <= 200 && !name.contains(char::is_control) && !wrong.is_empty());
            }
        }
    }
}

/// Checks a body against its declared fields.
pub fn body(data: &[u8]) {
    if let Ok(Value::Object(object)) = taosd::rest::json::parse(data) {
        check(field::check(FIELDS, object.clone(), Unknown::Refused));
        check(field::check(FIELDS, object, Unknown::Ignored));
    }
}

/// Checks a body against the fields of the two requests that join.
pub fn join(data: &[u8]) {
    let Ok(Value::Object(object)) = taosd::rest::json::parse(data) else { return };
    let routes = taosd::api::routes().iter().flat_map(|table| table.iter());
    for route in routes.filter(|route| ["joins_create", "joins_fetch"].contains(&route.id)) {
        let BodyKind::Json(fields) = route.body else { panic!("{} takes no JSON", route.id) };
        if let Ok(taken) = field::check(fields, object.clone(), Unknown::Refused) {
            fits(fields, &taken);
            let all: usize = taken.values().filter_map(Value::as_str).map(|text| text.chars().count()).sum();
            assert!(!taken.is_empty() && all <= limits::TEXT_BYTES, "{all} characters are held without a credential");
        }
    }
}

/// Checks a query against its declared fields.
pub fn query(data: &[u8]) {
    let Some(query) = text(data) else { return };
    for unknown in [Unknown::Refused, Unknown::Ignored] {
        check(field::check_query(FIELDS, query, unknown));
    }
}

/// Reads a form that arrives in pieces, and returns its parts with their contents.
fn parts(pieces: &[&[u8]]) -> Result<Vec<(PartHead, Vec<u8>)>, MalformedMultipart> {
    let mut parser = Multipart::new("multipart/form-data; boundary=b").expect("a boundary");
    let (mut parts, mut open) = (Vec::<(PartHead, Vec<u8>)>::new(), false);
    for piece in pieces {
        parser.feed(piece, &mut |event| {
            match event {
                MultipartEvent::Part(head) => {
                    assert!(!std::mem::replace(&mut open, true) && parts.len() < 64);
                    parts.push((head, Vec::new()));
                }
                MultipartEvent::Data(bytes) => {
                    assert!(open && !bytes.is_empty());
                    parts.last_mut().expect("a part").1.extend_from_slice(bytes);
                }
                MultipartEvent::End => assert!(std::mem::replace(&mut open, false)),
            }
            Ok::<(), MalformedMultipart>(())
        })?;
    }
    parser.finish().map(|()| parts)
}

/// A form reads the same in one piece and in many. The first byte is the size of a piece.
pub fn multipart(data: &[u8]) {
    let Some((cut, body)) = data.split_first() else { return };
    let whole = parts(&[body]);
    let size = usize::from(*cut).max(1);
    assert_eq!(parts(&body.chunks(size).collect::<Vec<_>>()), whole);
    for (head, content) in whole.into_iter().flatten() {
        assert!(!content.windows(5).any(|window| window == b"\r\n--b"));
        let name = taosd::api::safe_file_name(head.filename.as_deref().unwrap_or(""));
        assert!((1..=255).contains(&name.len()) && name != "." && name != ".." && !name.contains(['/', '\\', '\0']));
    }
}
