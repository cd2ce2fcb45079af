//! A claimed task can be changed only with its holder's fence. A holder that comes back too late changes nothing.

use serde_json::{Value, json};

use crate::support::{AxReply, Client, Daemon, Reply, text};
use crate::workspace::harness::{agent, member};

struct Task(String);

impl Task {
    fn post(&self, client: &Client, verb: &str, body: Value) -> Reply {
        client.post(&format!("/api/v1/tasks/{}/{verb}", self.0), body)
    }

    fn patch(&self, client: &Client, body: Value) -> Reply {
        client.patch(&format!("/api/v1/tasks/{}", self.0), body)
    }
}

#[test]
fn only_the_fence_of_the_living_lease_counts() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let (a, b) = (agent(&daemon, &owner, "a"), agent(&daemon, &owner, "b"));
    let task = Task(text(&owner.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201).json(), "id"));
    let claimed = task.post(&a.client, "claim", json!({"lease_seconds": 60})).expect(200).json();
    assert_eq!((&claimed["lease"]["fence"], &claimed["task"]["status"]), (&json!(1), &json!("in_progress")));
    assert_eq!(claimed["lease"]["holder"], json!({"id": a.id, "type": "agent", "name": "a"}));
    let held = task.post(&b.client, "claim", json!({})).expect_ax(409, "task_claimed");
    assert_eq!((&held["holder"]["name"], &held["until"]), (&json!("a"), &claimed["lease"]["until"]));
    // The holder cannot claim twice, because it would not know which of its fences counts.
    task.post(&a.client, "claim", json!({})).expect_ax(409, "task_claimed");
    for (client, body) in [
        (&b.client, json!({"status": "done"})),
        (&b.client, json!({"status": "done", "fence": 1})),
        (&a.client, json!({"status": "done"})),
        (&a.client, json!({"status": "done", "fence": 2})),
        (&owner.client, json!({"status": "done", "fence": 1})),
    ] {
        task.patch(client, body).expect_ax(409, "lease_lost");
    }
    task.patch(&a.client, json!({"description": "found it", "fence": 1})).expect(200);
    let renewed = task.post(&a.client, "renew", json!({"fence": 1, "lease_seconds": 600})).expect(200).json();
    assert!(text(&renewed["lease"], "until") > text(&claimed["lease"], "until"));
    task.post(&b.client, "renew", json!({"fence": 1})).expect_ax(409, "lease_lost");
    task.post(&a.client, "renew", json!({"fence": 2})).expect_ax(409, "lease_lost");
    task.post(&b.client, "release", json!({})).expect_ax(409, "lease_lost");
    task.post(&b.client, "release", json!({"fence": 1})).expect_ax(409, "lease_lost");
    // A person takes the task away.
    let released = task.post(&owner.client, "release", json!({})).expect(200).json();
    assert_eq!((&released["task"]["status"], &released["task"]["lease"]), (&json!("not_started"), &Value::Null));
    let late = task.patch(&a.client, json!({"status": "done", "fence": 1})).expect_ax(409, "lease_lost");
    assert_eq!(late["holder"], Value::Null);
    let again = task.post(&b.client, "claim", json!({})).expect(200).json();
    assert_eq!(again["lease"]["fence"], 2);
    let late = task.patch(&a.client, json!({"status": "done", "fence": 1})).expect_ax(409, "lease_lost");
    assert_eq!(late["holder"]["name"], "b");
    task.post(&a.client, "renew", json!({"fence": 1})).expect_ax(409, "lease_lost");
    let done = task.patch(&b.client, json!({"status": "done", "fence": 2})).expect(200).json();
    assert_eq!((&done["lease"], done["finished_at"].is_string()), (&Value::Null, true));
    task.post(&b.client, "renew", json!({"fence": 2})).expect_ax(409, "lease_lost");
    task.post(&a.client, "claim", json!({})).expect_ax(409, "task_not_free");
}

#[test]
fn an_agent_that_is_archived_or_paused_loses_what_it_held() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let (a, b) = (agent(&daemon, &owner, "a"), agent(&daemon, &owner, "b"));
    let make =
        |title: &str| Task(text(&owner.client.post("/api/v1/tasks", json!({"title": title})).expect(201).json(), "id"));
    let (first, second) = (make("first"), make("second"));
    first.post(&a.client, "claim", json!({})).expect(200);
    second.post(&b.client, "claim", json!({})).expect(200);
    owner.client.delete("/api/agents/a").expect(200);
    owner.client.post("/api/agents/b/pause", json!({})).expect(200);
    for task in [&first, &second] {
        let now = owner.client.get(&format!("/api/v1/tasks/{}", task.0)).expect(200).json();
        assert_eq!((&now["lease"], &now["status"], &now["attempts"]), (&Value::Null, &json!("not_started"), &json!(0)));
    }
    first.post(&owner.client, "claim", json!({})).expect(200);
}

#[test]
fn what_is_assigned_to_one_agent_is_not_offered_to_another() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let (a, b) = (agent(&daemon, &owner, "a"), agent(&daemon, &owner, "b"));
    let make = |body: Value| Task(text(&owner.client.post("/api/v1/tasks", body).expect(201).json(), "id"));
    let for_a = make(json!({"title": "for a", "assignee_id": a.id, "priority": "urgent"}));
    let low = make(json!({"title": "low", "priority": "low"}));
    let high = make(json!({"title": "high", "priority": "high"}));
    for_a.post(&b.client, "claim", json!({})).expect_ax(409, "task_not_free");
    let next = |client: &Client, body: Value| client.post("/api/v1/tasks/next", body).expect(200).json();
    assert_eq!(next(&b.client, json!({"filter": {"priority": "urgent"}})), json!({"task": null}));
    assert_eq!(next(&b.client, json!({}))["task"]["id"], high.0.as_str());
    assert_eq!(next(&a.client, json!({}))["task"]["id"], for_a.0.as_str());
    assert_eq!(next(&a.client, json!({}))["task"]["id"], low.0.as_str());
    assert_eq!(next(&a.client, json!({})), json!({"task": null}));
    a.client.post("/api/v1/tasks/next", json!({"filter": {"status": "done"}})).expect_ax(422, "invalid_request");
}
