//! `/openapi.json` and `GET /api` describe the same table. The golden file is the document as last agreed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use taosd::rest::{codes, openapi};

use crate::harness::{Harness, plain_routes};
use crate::support::{Daemon, schema, text};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Returns every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| -> Vec<_> {
        let all = item.as_object().expect("operations").iter();
        all.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone())).collect()
    };
    paths.iter().flat_map(of).collect()
}

/// Resolves a response, which may be inline or a component.
fn resolved<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    let pointer = response["$ref"].as_str().map(|pointer| pointer.trim_start_matches('#'));
    pointer.map_or(response, |pointer| document.pointer(pointer).expect("a component"))
}

#[test]
fn the_headers_that_come_are_told() {
    let harness = Harness::new();
    let document = harness.daemon.anonymous().get("/openapi.json").expect(200).json();
    let told = |route: &taosd::api::ApiRoute, status: u16| {
        let path = route.path.replace("...}", "}");
        let operation = &document["paths"][path][route.method.as_str().to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{} {status}", route.id);
        resolved(&document, response)["headers"].as_object().cloned().unwrap_or_default()
    };
    let ours = ["etag", "location", "retry-after", "link", "idempotent-replayed", "www-authenticate", "allow"];
    for route in plain_routes() {
        let request = harness.request(route);
        let key = harness.name();
        let client = harness.operator().with("Idempotency-Key", &key);
        for reply in [request.by(&client), request.by(&client), request.by(&harness.daemon.anonymous())] {
            let headers = told(route, reply.status);
            for (name, _) in reply.headers.iter().filter(|(name, _)| ours.contains(&name.to_lowercase().as_str())) {
                assert!(
                    headers.keys().any(|told| told.eq_ignore_ascii_case(name)),
                    "{} {} {name}",
                    route.id,
                    reply.status
                );
            }
            for (name, _) in &headers {
                let required = document["components"]["headers"][name]["required"] == true;
                assert!(!required || reply.header(name).is_some(), "{} {}: no {name}", route.id, reply.status);
            }
        }
        let path = route.path.replace("...}", "}");
        let operation = &document["paths"][path][route.method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        assert_eq!(takes("Idempotency-Key"), route.repeat == taosd::rest::route::Repeat::Key, "{}", route.id);
        assert_eq!(takes("If-Match"), route.errors.contains(&codes::PRECONDITION_FAILED), "{}", route.id);
    }
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
        // Pages are for people, so the document does not have them.
        .filter(|row| row["dialect"] != "html")
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
        let mut routes = taosd::api::routes().iter().flat_map(|table| table.iter());
        let route = routes.find(|route| route.id == operation["operationId"]).expect("a route");
        let seconds = openapi::second_codes(route);
        let responses = operation["responses"].as_object().expect("responses");
        let success = responses.keys().filter(|status| status.starts_with('2')).count();
        let left_out = responses.contains_key("501");
        assert!((success >= 1) != left_out && (public || (responses.contains_key("401"))), "{what}");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let response = resolved(&document, response);
            let media = &response["content"]["application/json"];
            assert!(response["headers"]["X-Request-Id"].is_object(), "{what} {status}");
            for (wanted, header) in [("401", "WWW-Authenticate"), ("429", "Retry-After"), ("503", "Retry-After")] {
                assert!(status != wanted || response["headers"][header].is_object(), "{what} {status} {header}");
            }
            let problems = schema::problems(&document, &media["schema"], &media["example"]);
            assert!(problems.is_empty(), "{what} {status}: {problems:?}");
            for slug in text(response, "description").split(", ") {
                let code = codes::by_slug(slug).unwrap_or_else(|| panic!("{slug}"));
                let own = code.status_in(route.dialect).to_string() == *status;
                let second = seconds.iter().any(|(second, one)| *one == code && second.to_string() == *status);
                assert!(own || second, "{what} {status}: {slug}");
            }
        }
        let named = path.matches('{').count();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), named, "{what}");
    }
}

#[test]
fn the_example_of_every_body_is_taken() {
    let harness = Harness::new();
    let document = harness.daemon.anonymous().get("/openapi.json").expect(200).json();
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        // JSON, or the form of an upload.
        let media = body["content"].as_object().and_then(|media| media.values().next()).expect("a media type");
        assert!(media["example"].is_object(), "{method} {path} has no example");
        let problems = schema::problems(&document, &media["schema"], &media["example"]);
        assert!(problems.is_empty(), "{method} {path}: {problems:?}");
    }
    for route in plain_routes() {
        let reply = harness.request(route).by(&harness.operator());
        assert!(reply.status < 300, "{}: {}", route.id, reply.text());
    }
}
