//! `/openapi.json` and `GET /api`: one table, told twice; the document as it was last agreed on is the golden file.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use taosd::rest::codes;

use crate::support::{Daemon, schema, text};
use crate::world::{World, plain_routes};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| -> Vec<_> {
        let all = item.as_object().expect("operations").iter();
        all.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone())).collect()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_document_is_the_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    let served = Daemon::start().anonymous().get("/openapi.json").expect(200).json();
    let mut served = serde_json::to_string_pretty(&served).expect("JSON");
    served.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, served).expect("the golden file");
        return;
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    let differs = wanted.lines().zip(served.lines()).position(|(a, b)| a != b);
    assert!(
        wanted == served,
        "the document differs from line {differs:?} on; if that is meant, run with UPDATE_GOLDEN=1"
    );
}

#[test]
fn the_document_has_exactly_the_rows_of_the_index() {
    let daemon = Daemon::start();
    let document = daemon.anonymous().get("/openapi.json").expect(200).json();
    let index = daemon.anonymous().get("/api").expect(200).json();
    let rows: BTreeSet<(String, String, String)> = index["routes"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (text(row, "method"), text(row, "path").replace("...}", "}"), text(row, "action")))
        .collect();
    let told =
        operations(&document).into_iter().map(|(method, path, op)| (method, path, text(&op, "x-action"))).collect();
    assert_eq!(rows, told);
    assert_eq!(rows.len(), taosd::api::routes().iter().map(|table| table.len()).sum::<usize>(), "no row twice");
}

#[test]
fn every_operation_says_all_that_a_client_needs() {
    let document = Daemon::start().anonymous().get("/openapi.json").expect(200).json();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(METHODS.contains(&method.to_lowercase().as_str()), "{what}");
        assert!(ids.insert(text(&operation, "operationId")), "{what}: its id is another's");
        assert!(!text(&operation, "summary").is_empty() && !text(&operation, "description").is_empty(), "{what}");
        let public = operation["x-action"] == "public";
        assert_eq!(operation["security"].as_array().map(Vec::is_empty), Some(public), "{what}");
        let responses = operation["responses"].as_object().expect("responses");
        let success = responses.keys().filter(|status| status.starts_with('2')).count();
        let left_out = responses.contains_key("501");
        assert!((success >= 1) != left_out && (public || (responses.contains_key("401"))), "{what}");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let media = &response["content"]["application/json"];
            let problems = schema::problems(&document, &media["schema"], &media["example"]);
            assert!(problems.is_empty(), "{what} {status}: {problems:?}");
            for slug in text(response, "description").split(", ") {
                assert_eq!(
                    codes::by_slug(slug).map(|code| code.status.to_string()).as_deref(),
                    Some(status.as_str()),
                    "{slug}"
                );
            }
        }
        let named = path.matches('{').count();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), named, "{what}");
    }
}

#[test]
fn the_example_of_every_body_is_taken() {
    let world = World::new();
    let document = world.daemon.anonymous().get("/openapi.json").expect(200).json();
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        let media = &body["content"]["application/json"];
        assert!(media["example"].is_object(), "{method} {path} has no example");
        let problems = schema::problems(&document, &media["schema"], &media["example"]);
        assert!(problems.is_empty(), "{method} {path}: {problems:?}");
    }
    for route in plain_routes() {
        let reply = world.request(route).by(&world.operator());
        assert!(reply.status < 300, "{}: {}", route.id, reply.text());
    }
}
