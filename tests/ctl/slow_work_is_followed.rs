//! If a reply names an operation, `taosctl` follows it to its end, except with `--no-wait`.

use serde_json::{Value, json};

use crate::fake::{Act, Fake};
use crate::run::Ctl;

fn promise() -> Act {
    Act::json(202, r#"{"status":"pending","operation_id":"op1","name":"atlas"}"#)
}

fn operation(status: &str, step: &str, result: Value, error: Value) -> Act {
    let record = json!({"id": "op1", "kind": "start", "status": status, "step": step, "progress": 50,
        "result": result, "error": error});
    Act::json(200, &record.to_string())
}

fn at(fake: &Fake) -> Ctl {
    Ctl::bare().env("TAOS_URL", &fake.url)
}

#[test]
fn the_end_is_waited_for_with_progress_on_stderr() {
    let running = operation("running", "starting", Value::Null, Value::Null);
    let done = operation("succeeded", "done", json!({"status": "started", "name": "atlas"}), Value::Null);
    let fake = Fake::playing(vec![promise(), running.clone(), running, done]);
    let run = at(&fake).run(&["agents", "start", "atlas"]).expect(0);
    assert_eq!(run.stdout, "started: atlas\n");
    assert_eq!(run.stderr, "start: starting (50 %)\n");
    let lines: Vec<String> = fake.seen().into_iter().map(|request| request.line).collect();
    assert_eq!(lines[0], "POST /api/agents/atlas/start?wait=2 HTTP/1.1");
    assert_eq!(lines[3], "GET /api/operations/op1?wait=2 HTTP/1.1");
}

#[test]
fn a_failed_or_cancelled_operation_is_1_with_its_own_error() {
    let error = json!({"error": "container_failed", "detail": "It did not start.", "fix": "Look.", "doc_url": "/docs"});
    let fake = Fake::playing(vec![promise(), operation("failed", "starting", Value::Null, error)]);
    let run = at(&fake).run(&["agents", "start", "atlas"]).expect_error(1, "container_failed");
    assert!(run.stderr.contains("operation_id: op1\n"), "{run:?}");
    let fake = Fake::playing(vec![promise(), operation("cancelled", "", Value::Null, Value::Null)]);
    at(&fake).run(&["agents", "start", "atlas"]).expect_error(1, "cancelled");
    let fake = Fake::playing(vec![operation("cancelled", "", Value::Null, Value::Null)]);
    at(&fake).run(&["operations", "wait", "op1"]).expect_error(1, "cancelled");
}

#[test]
fn no_wait_prints_the_operations_id() {
    let fake = Fake::playing(vec![promise()]);
    assert_eq!(at(&fake).ok(&["agents", "stop", "atlas", "--no-wait"]), "op1\n");
    assert_eq!(fake.seen()[0].line, "POST /api/agents/atlas/stop?wait=0 HTTP/1.1");
    assert_eq!(at(&fake).json(&["agents", "delete", "atlas", "--yes", "--no-wait"])["operation_id"], "op1");
    assert_eq!(fake.seen().len(), 2);
}

#[test]
fn json_prints_the_routes_result() {
    let result = json!({"status": "archived", "id": "1", "name": "atlas"});
    let fake = Fake::playing(vec![promise(), operation("succeeded", "done", result.clone(), Value::Null)]);
    assert_eq!(at(&fake).json(&["agents", "delete", "atlas", "--yes"]), result);
}

#[test]
fn logs_are_printed_as_text_and_bulk_results_as_a_table() {
    let logs = json!({"name": "atlas", "logs": "one\ntwo\u{1b}[2J\n", "lines": 2, "truncated": true});
    let run = at(&Fake::playing(vec![Act::json(200, &logs.to_string())])).run(&["agents", "logs", "atlas"]).expect(0);
    assert_eq!(run.stdout, "one\ntwo\\u{1b}[2J\n");
    let results =
        json!({"action": "stop", "results": {"a": {"success": true}, "b": {"success": false, "error": "agent_busy"}}});
    let table = at(&Fake::playing(vec![Act::json(200, &results.to_string())]))
        .run(&["agents", "bulk", "stop", "--yes"])
        .expect(1)
        .stdout;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["NAME", "DONE", "ERROR"], ["a", "yes", "-"], ["b", "no", "agent_busy"]]);
}
