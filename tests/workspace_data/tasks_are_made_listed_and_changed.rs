//! Tasks are created by both routes, listed and changed. Every change is in their history.

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{agent, member};

#[test]
fn a_task_is_made_read_listed_and_changed() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    let body = json!({"title": "Read the log", "space_id": owner.space, "priority": "high", "assignee_id": worker.id,
        "deadline": "2031-01-02T03:04:05+01:00", "requirements": {"tool": "grep"}, "unknown": 1});
    let made = owner.client.post("/api/v1/tasks", body).expect(201).json();
    assert_eq!((&made["status"], &made["priority"]), (&json!("not_started"), &json!("high")));
    assert_eq!(
        (&made["deadline"], &made["requirements"]),
        (&json!("2031-01-02T02:04:05.000000Z"), &json!({"tool": "grep"}))
    );
    assert_eq!(made["created_by"], json!({"id": owner.id, "type": "user", "name": "ann"}));
    let path = format!("/api/v1/tasks/{}", text(&made, "id"));
    assert_eq!(worker.client.get(&path).expect(200).json(), made);
    let second = worker.client.post("/api/tasks", json!({"title": "Second"})).expect(201).json();
    assert_eq!((&second["space_id"], &second["priority"]), (&json!(owner.space), &json!("medium")));
    let titles = |query: &str| -> Vec<String> {
        let page = owner.client.get(&format!("/api/v1/tasks{query}")).expect(200).json();
        page["tasks"].as_array().unwrap().iter().map(|task| text(task, "title")).collect()
    };
    assert_eq!(titles(""), ["Second", "Read the log"]);
    assert_eq!(titles(&format!("?assignee_id={}", worker.id)), ["Read the log"]);
    assert_eq!(titles("?status=done"), Vec::<String>::new());
    let page = owner.client.get("/api/v1/tasks?limit=1").expect(200).json();
    let cursor = text(&page, "next_cursor");
    assert_eq!(titles(&format!("?limit=1&cursor={cursor}")), ["Read the log"]);
    let changed = worker.client.patch(&path, json!({"status": "in_review", "priority": "low", "assignee_id": ""}));
    let changed = changed.expect(200).json();
    assert_eq!((&changed["status"], &changed["assignee_id"]), (&json!("in_review"), &Value::Null));
    owner.client.patch(&path, json!({"status": "done"})).expect(200);
    let history = owner.client.get(&format!("{path}/history")).expect(200).json();
    let rows: Vec<String> = history["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {} {}", row["actor"].as_str().unwrap(), row["field"], row["from"], row["to"]))
        .collect();
    let (ann, it) = (format!("user:{}", owner.id), format!("agent:{}", worker.id));
    assert_eq!(
        rows,
        [
            format!("{ann} \"status\" null \"not_started\""),
            format!("{it} \"status\" \"not_started\" \"in_review\""),
            format!("{it} \"priority\" \"high\" \"low\""),
            format!("{it} \"assignee_id\" \"{}\" null", worker.id),
            format!("{ann} \"status\" \"in_review\" \"done\""),
        ]
    );
}

#[test]
fn a_hint_names_the_space_and_a_foreign_one_is_refused() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let made = ann.client.post("/api/spaces/create", json!({"name": "Workshop", "visibility": "private"}));
    let workshop = text(&made.expect(201).json()["space"], "id");
    let here = |space: &str| json!({"title": "t", "requirements": {"space_id_hint": space}});
    assert_eq!(ann.client.post("/api/tasks", here(&workshop)).expect(201).json()["space_id"], workshop);
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let foreign = bob.client.post("/api/tasks", here(&workshop)).expect_ax(403, "space_forbidden");
    assert_eq!(bob.client.post("/api/tasks", here(nowhere)).expect_ax(403, "space_forbidden"), foreign);
    let task = text(&ann.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json(), "id");
    for (method, path, body) in [
        ("GET", format!("/api/v1/tasks/{task}"), None),
        ("GET", format!("/api/v1/tasks/{task}/history"), None),
        ("PATCH", format!("/api/v1/tasks/{task}"), Some(json!({"status": "done"}))),
        ("POST", format!("/api/v1/tasks/{task}/claim"), Some(json!({}))),
        ("POST", format!("/api/v1/tasks/{task}/renew"), Some(json!({"fence": 1}))),
        ("POST", format!("/api/v1/tasks/{task}/release"), Some(json!({}))),
    ] {
        let foreign = bob.client.call(method, &path, body.as_ref()).expect_ax(404, "task_not_found");
        let missing = bob.client.call(method, &path.replace(&task, nowhere), body.as_ref());
        assert_eq!(missing.expect_ax(404, "task_not_found"), foreign, "{method} {path}");
    }
    bob.client.get(&format!("/api/v1/tasks?space_id={}", ann.space)).expect_ax(404, "space_not_found");
    bob.client.post("/api/v1/tasks/next", json!({"space_id": ann.space})).expect_ax(403, "space_forbidden");
    let next = bob.client.post("/api/v1/tasks/next", json!({})).expect(200).json();
    assert_eq!(next, json!({"task": null}));
}

#[test]
fn fields_are_bounded_and_an_assignee_is_a_member() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKSPACE_OPEN_TASKS", "3")]);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let make = |more: Value| {
        let mut body = json!({"title": "t"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ann.client.post("/api/v1/tasks", body)
    };
    for bad in [
        json!({"title": ""}),
        json!({"title": "x".repeat(201)}),
        json!({"title": "a\nb"}),
        json!({"priority": "soon"}),
        json!({"deadline": "tomorrow"}),
        json!({"deadline": "9999-12-31T23:59:59Z"}),
        json!({"requirements": {"x": "y".repeat(17_000)}}),
        json!({"requirements": []}),
        json!({"max_attempts": 0}),
        json!({"max_attempts": 101}),
        json!({"assignee_id": bob.id}),
        json!({"assignee_id": "nobody"}),
        json!({"depends_on": ["nothing"]}),
        json!({"description": "é".repeat(40_000)}),
    ] {
        make(bad).expect_ax(422, "invalid_request");
    }
    let made: Vec<String> = (0..3).map(|_| text(&make(json!({})).expect(201).json(), "id")).collect();
    make(json!({})).expect_ax(409, "too_many_tasks");
    let change = |id: &str, body: Value| ann.client.patch(&format!("/api/v1/tasks/{id}"), body);
    for bad in ["", "Done", "x y", "-x", &"x".repeat(33)] {
        change(&made[0], json!({"status": bad})).expect_ax(422, "invalid_request");
    }
    change(&made[0], json!({"status": "cancelled"})).expect(200);
    make(json!({})).expect(201);
    change(&made[0], json!({"status": "not_started"})).expect_ax(409, "too_many_tasks");
}
