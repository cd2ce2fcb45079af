//! A task that depends on others is offered when they are finished. No task can wait for itself.

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::member;

#[test]
fn a_task_is_offered_when_what_it_waits_for_is_finished() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let make = |title: &str, on: &[&str]| {
        let made = ann.client.post("/api/v1/tasks", json!({"title": title, "depends_on": on, "priority": "high"}));
        text(&made.expect(201).json(), "id")
    };
    let change = |id: &str, body: Value| ann.client.patch(&format!("/api/v1/tasks/{id}"), body);
    let next = || ann.client.post("/api/v1/tasks/next", json!({})).expect(200).json()["task"]["id"].clone();
    let first = make("first", &[]);
    let second = make("second", &[]);
    let last = make("last", &[&first, &second]);
    let shown = ann.client.get(&format!("/api/v1/tasks/{last}")).expect(200).json();
    assert_eq!((&shown["depends_on"], &shown["waiting_on"]), (&json!([first, second]), &json!(2)));
    ann.client.post(&format!("/api/v1/tasks/{last}/claim"), json!({})).expect_ax(409, "task_not_free");
    change(&last, json!({"status": "in_progress"})).expect_ax(422, "invalid_request");
    assert_eq!((next(), next(), next()), (json!(first), json!(second), Value::Null));
    change(&first, json!({"status": "done"})).expect(200);
    assert_eq!(next(), Value::Null);
    change(&second, json!({"status": "cancelled"})).expect(200);
    assert_eq!(next(), json!(last));
    ann.client.post(&format!("/api/v1/tasks/{last}/release"), json!({})).expect(200);
    // A finished task that is opened again blocks the later task again.
    change(&first, json!({"status": "not_started"})).expect(200);
    assert_eq!(ann.client.get(&format!("/api/v1/tasks/{last}")).expect(200).json()["waiting_on"], 1);
    assert_eq!((next(), next()), (json!(first), Value::Null));
}

#[test]
fn circles_and_tasks_of_other_spaces_are_refused() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let make = |on: &[&String]| {
        text(&ann.client.post("/api/v1/tasks", json!({"title": "t", "depends_on": on})).expect(201).json(), "id")
    };
    let a = make(&[]);
    let b = make(&[&a]);
    let c = make(&[&b, &b]);
    let on = |id: &str, on: Value| ann.client.patch(&format!("/api/v1/tasks/{id}"), json!({"depends_on": on}));
    for circle in [json!([a]), json!([b]), json!([c])] {
        on(&a, circle).expect_ax(422, "invalid_request");
    }
    let foreign = text(&bob.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json(), "id");
    let refused = on(&a, json!([foreign])).expect_ax(422, "invalid_request");
    assert_eq!(on(&a, json!(["nothing"])).expect_ax(422, "invalid_request"), refused);
    let many: Vec<String> = (0..33).map(|_| a.clone()).collect();
    on(&c, json!(many)).expect_ax(422, "invalid_request");
    assert_eq!(on(&c, json!([])).expect(200).json()["waiting_on"], 0);
    on(&a, json!([c])).expect(200);
}

#[test]
fn a_change_of_what_it_waits_for_counts_at_once_and_is_in_its_history() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let make = |title: &str| text(&ann.client.post("/api/v1/tasks", json!({"title": title})).expect(201).json(), "id");
    let (first, last) = (make("first"), make("last"));
    let change = |body: Value| ann.client.patch(&format!("/api/v1/tasks/{last}"), body);
    change(json!({"depends_on": [first], "status": "in_progress"})).expect_ax(422, "invalid_request");
    let waits = change(json!({"depends_on": [first]})).expect(200).json();
    assert_eq!(waits["waiting_on"], 1);
    let goes_on = change(json!({"depends_on": [], "status": "in_progress"})).expect(200).json();
    assert_eq!((&goes_on["waiting_on"], &goes_on["status"]), (&json!(0), &json!("in_progress")));
    let shown = ann.client.get(&format!("/api/v1/tasks/{last}/history")).expect(200).json();
    let history = shown["history"].as_array().expect("a history");
    let of_it: Vec<(&Value, &Value)> =
        history.iter().filter(|row| row["field"] == "depends_on").map(|row| (&row["from"], &row["to"])).collect();
    assert_eq!(of_it, [(&json!(null), &json!(first)), (&json!(first), &json!(null))], "{shown}");
}
