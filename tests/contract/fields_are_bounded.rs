//! Every field of every body and query in the table: a value at its bound is accepted, and the 422 for a value beyond
//! it names the field.

use serde_json::{Value, json};
use taosd::rest::field::{Field, Type};
use taosd::rest::route::BodyKind;

use crate::harness::{Harness, Request, all_routes};
use crate::support::Reply;

/// Returns the problem that a reply reports for a field or an entry of it, if any.
fn problem(reply: &Reply, field: &str) -> Option<String> {
    if reply.status != 422 {
        return None;
    }
    let fields = reply.json()["fields"].clone();
    let entry = format!("{field}[");
    let is_it = |told: &str| told == field || told.starts_with(&entry);
    let found = fields.as_array()?.iter().find(|told| told["field"].as_str().is_some_and(is_it))?;
    found["problem"].as_str().map(str::to_owned)
}

/// Returns values that the declaration refuses, and values that it accepts.
fn values(field: &Field) -> (Vec<Value>, Vec<Value>) {
    let long = |n: usize| Value::from("é".repeat(n));
    let (mut bad, mut good) = (vec![json!({"no": "object"}), json!([[]])], Vec::new());
    match field.kind {
        Type::Text { min, max } => {
            bad.extend([json!(1), json!(true), json!([]), json!("a\u{0}")]);
            if max < usize::MAX {
                bad.push(long(max + 1));
                good.push(long(max));
            }
            if min > 0 {
                bad.push(json!(""));
            }
        }
        Type::Word(words) => {
            bad.extend([json!(1), json!(""), json!("other"), json!(words[0].to_uppercase())]);
            good.extend(words.iter().map(|word| json!(word)));
        }
        Type::Integer { min, max } => {
            bad.extend([json!("1"), json!(1.5), json!(true), json!(u64::MAX)]);
            if min > i64::MIN {
                bad.push(json!(min - 1));
                good.push(json!(min));
            }
            if max < i64::MAX {
                bad.push(json!(max + 1));
                good.push(json!(max));
            }
        }
        Type::Flag => {
            bad.extend([json!("true"), json!(1), json!("")]);
            good.extend([json!(true), json!(false)]);
        }
        Type::Texts { max, chars } => {
            bad.extend([
                json!("a"),
                json!([1]),
                json!(["a\u{0}"]),
                json!(vec!["a"; max + 1]),
                json!([long(chars + 1)]),
            ]);
            good.extend([json!([]), json!(vec![long(chars); max])]);
        }
        Type::Scopes => {
            bad.extend([json!("*"), json!([1]), json!(["a\u{0}"])]);
            good.extend([json!([]), json!(["agents.read"])]);
        }
        Type::EmptyList => {
            bad.extend([json!(["a"]), json!("")]);
            good.push(json!([]));
        }
        Type::Objects(_) => {
            bad = vec![json!({}), json!("a"), json!([1]), json!([{"no_such": 1}])];
            good.push(json!([]));
        }
        Type::Object(_) => bad = vec![json!([]), json!("a"), json!(1)],
        other => panic!("say what a field of {other:?} takes"),
    }
    (bad, good)
}

/// Tries one field; `put` makes the request with a value in its place.
fn try_field(harness: &Harness, field: &Field, name: &str, put: &dyn Fn(Value) -> Request) {
    let (bad, good) = values(field);
    for value in bad {
        let reply = put(value.clone()).by(&harness.operator());
        assert!(problem(&reply, name).is_some(), "{name} = {value}: {} {}", reply.status, reply.text());
    }
    for value in good {
        let reply = put(value.clone()).by(&harness.operator());
        // Another rule of the field may still refuse the value, but not its type or size.
        let told = problem(&reply, name).unwrap_or_default();
        assert!(
            reply.status < 500
                && !told.contains("characters long")
                && !told.contains("must be a string")
                && !told.contains("a list of"),
            "{name} = {value}: {told}"
        );
    }
    let missing = problem(&put(Value::Null).by(&harness.operator()), name);
    assert_eq!(missing.is_some(), field.required, "{name} = null: {missing:?}");
}

fn try_fields(harness: &Harness, request: &Request, fields: &[Field], place: &[&str]) {
    for field in fields {
        let path: Vec<&str> = place.iter().copied().chain([field.name]).collect();
        let put = |value: Value| {
            let mut request = request.clone();
            let mut slot = request.body.as_mut().expect("a body");
            for part in &path {
                slot = &mut slot[*part];
            }
            *slot = value;
            request
        };
        try_field(harness, field, &path.join("."), &put);
        if let Type::Object(inner) = field.kind {
            try_fields(harness, request, inner, &path);
        }
    }
}

#[test]
fn every_field_of_every_body_keeps_its_bounds() {
    let harness = Harness::new();
    for route in all_routes() {
        if let BodyKind::Json(fields) = route.body {
            let request = harness.request(route);
            try_fields(&harness, &request, fields, &[]);
            if !fields.is_empty() {
                let reply = request.with("no_such", 1).by(&harness.operator());
                assert!(problem(&reply, "no_such").is_some(), "{}: {}", route.id, reply.text());
            }
        }
    }
}

#[test]
fn every_parameter_of_every_query_keeps_its_bounds() {
    let harness = Harness::new();
    for route in all_routes() {
        let request = harness.request(route);
        // Required parameters are left out. Their absence is only one more problem in the reply.
        let request = request.at(request.path.split('?').next().unwrap_or_default());
        for field in route.query {
            let with =
                |value: &str| request.at(format!("{}?{}={value}", request.path, field.name)).by(&harness.operator());
            let refused: Vec<String> = match field.kind {
                Type::Text { max, .. } => vec!["%C3%A9".repeat(max + 1), "%00".into(), "%zz".into(), "%ff".into()],
                Type::Word(_) => vec!["other".into(), String::new()],
                Type::Integer { min, max } => {
                    vec![(min - 1).to_string(), (max + 1).to_string(), "x".into(), "1.5".into()]
                }
                Type::Flag => vec!["yes".into()],
                other => panic!("say what a parameter of {other:?} takes"),
            };
            for value in refused {
                assert!(problem(&with(&value), field.name).is_some(), "{} {}={value}", route.id, field.name);
            }
            let twice = request.at(format!("{}?{1}=1&{1}=1", request.path, field.name)).by(&harness.operator());
            assert!(problem(&twice, field.name).is_some(), "{} {} twice", route.id, field.name);
        }
    }
}

#[test]
fn texts_are_counted_in_code_points_and_personas_in_bytes() {
    let harness = Harness::new();
    let name = harness.agent();
    let (emoji, soul) = ("🦉".repeat(16), "é".repeat(32 * 1024));
    harness.operator().put(&format!("/api/agents/{name}"), json!({"emoji": emoji})).expect(200);
    harness.operator().patch(&format!("/api/agents/{name}/persona"), json!({"soul_md": soul})).expect(200);
    let longer = json!({"soul_md": format!("{soul}x")});
    harness.operator().patch(&format!("/api/agents/{name}/persona"), longer).expect_error(422, "validation_error");
    let record = harness.daemon.record(&name);
    assert_eq!((&record["emoji"], &record["soul_md"]), (&json!(emoji), &json!(soul)));
}

#[test]
fn colours_names_and_usernames_have_forms_of_their_own() {
    let harness = Harness::new();
    let path = format!("/api/agents/{}", harness.agent());
    for color in ["red", "#12345", "#1234567", "#12345g", "123456#", "#１２3"] {
        let reply = harness.operator().put(&path, json!({"color": color}));
        assert!(problem(&reply, "color").is_some(), "{color}: {}", reply.text());
    }
    for name in ["", "  ", "a\u{7}b"] {
        let reply = harness.operator().put(&path, json!({"display_name": name}));
        assert!(problem(&reply, "display_name").is_some(), "{name:?}: {}", reply.text());
    }
    for username in ["", "9a", "-a", "Ann", "a b", "ü", "a/b", &"a".repeat(33)] {
        let reply = harness.operator().post("/api/users", json!({"username": username}));
        assert!(problem(&reply, "username").is_some(), "{username}: {}", reply.text());
    }
    harness.operator().post("/api/users", json!({"username": "a".repeat(32)})).expect(201);
}
