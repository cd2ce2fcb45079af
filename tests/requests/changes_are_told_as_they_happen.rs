//! `GET /api/events` sends requests, operations, agents and notifications as they change. A client can resume after an
//! event.

use serde_json::{Value, json};

use crate::requests::events::Events;
use crate::requests::harness::{Harness, TRIED_SCOPE};
use crate::support::text;

/// The next event of these names.
fn next(events: &mut Events, names: &[&str]) -> (String, String, Value) {
    loop {
        let event = events.next().expect("an event");
        if names.contains(&event.event.as_str()) {
            let data = serde_json::from_str(&event.data).expect("JSON");
            return (event.event, event.id, data);
        }
    }
}

#[test]
fn a_request_is_told_at_every_change_to_those_who_may_see_it() {
    let w = Harness::new();
    let mut ann = Events::open(&w.daemon.address, w.ann.token(), "/api/events?types=request,notification", &[]);
    let mut atlas = Events::open(&w.daemon.address, w.atlas.token(), "/api/events", &[]);
    let bob = w.daemon.member("bob", &["*"]);
    let mut stranger = Events::open(&w.daemon.address, bob.token(), "/api/events", &[]);
    let mut space = Events::open(&w.daemon.address, w.atlas.token(), "/api/v1/sse/messages", &[]);
    assert_eq!((ann.status, atlas.status, stranger.status, space.status), (200, 200, 200, 200));
    let id = w.ask_scope(&[TRIED_SCOPE]);
    let (_, first, data) = next(&mut ann, &["request"]);
    assert_eq!((&data["id"], &data["state"]), (&json!(id), &json!("pending")));
    let (_, _, notice) = next(&mut ann, &["notification"]);
    assert_eq!(notice["action_url"], json!(format!("/ui/requests/{id}")));
    assert_eq!(next(&mut space, &["request"]).2["state"], "pending");
    w.approve(&id, json!({}));
    for events in [&mut ann, &mut atlas, &mut space] {
        let mut state = next(events, &["request"]).2;
        if state["state"] == "pending" {
            state = next(events, &["request"]).2;
        }
        assert_eq!(state["state"], "approved");
    }
    // A client that reconnects names its last event and gets all later ones.
    drop(ann);
    w.ann.post(&format!("/api/requests/{id}/revoke"), json!({})).expect(200);
    let header = [("Last-Event-ID", first.as_str())];
    let mut back = Events::open(&w.daemon.address, w.ann.token(), "/api/events?types=request", &header);
    let (_, second, data) = next(&mut back, &["request"]);
    assert!(second > first, "{second} {first}");
    assert_eq!(data["state"], "revoked");
    assert_eq!(next(&mut back, &["request"]).2["id"], json!(id));
    // The stranger got no events except its own.
    w.daemon.agent_by(&bob_creator(&w, &bob), "bobs");
    assert_eq!(next(&mut stranger, &["request", "agent"]).0, "agent");
}

#[test]
fn a_store_that_fails_is_asked_again_seldom_and_logged_once() {
    let w = Harness::new();
    let mut ann = Events::open(&w.daemon.address, w.ann.token(), "/api/events?types=request", &[]);
    assert_eq!(ann.status, 200);
    // The triggers follow the table to its new name; those who read it do not.
    w.daemon.execute("ALTER TABLE changes RENAME TO changes_elsewhere", []);
    let id = w.ask_scope(&[TRIED_SCOPE]);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let told = w.daemon.log_text().matches("events could not be sent to a stream").count();
    assert_eq!(told, 1, "{}", w.daemon.log_text());
    w.daemon.execute("ALTER TABLE changes_elsewhere RENAME TO changes", []);
    assert_eq!(next(&mut ann, &["request"]).2["id"], json!(id), "it goes on where it was");
}

fn bob_creator(w: &Harness, bob: &crate::support::Client) -> crate::support::Client {
    w.daemon.grant("user:bob", "*", "creator");
    bob.clone()
}

#[test]
fn agents_and_operations_are_told_too_as_far_as_the_credential_reads_them() {
    let w = Harness::new();
    let mut all = Events::open(&w.daemon.address, w.ann.token(), "/api/events", &[]);
    let narrow = w.daemon.user_token("ann", &["events.read", "operations.read"]);
    let mut operations = Events::open(&w.daemon.address, narrow.token(), "/api/events", &[]);
    w.ann.patch("/api/agents/atlas/memory", json!({"memory_plugin": "taosmd"})).expect(200);
    let (_, _, agent) = next(&mut all, &["agent"]);
    assert_eq!((&agent["name"], &agent["memory_plugin"]), (&json!("atlas"), &json!("taosmd")));
    w.ann.delete("/api/agents/atlas?wait=10").expect(200);
    let archived = loop {
        let (name, _, data) = next(&mut all, &["agent", "operation"]);
        if name == "agent" && data["status"] == "archived" {
            break data;
        }
    };
    assert_eq!(archived["name"], "atlas");
    w.daemon.agent_by(&w.ann, "next");
    let bulk = w.ann.post("/api/agents/bulk/stop", json!({"names": ["next"]}));
    if [200, 202].contains(&bulk.status) {
        assert_eq!(next(&mut operations, &["request", "agent", "operation", "notification"]).0, "operation");
    }
    let bad = Events::open(&w.daemon.address, w.ann.token(), "/api/events?types=nothing", &[]);
    assert_eq!(bad.status, 422);
    let bad = Events::open(&w.daemon.address, w.ann.token(), "/api/events", &[("Last-Event-ID", "x")]);
    assert_eq!(bad.status, 422);
    let mute = w.daemon.user_token("ann", &["requests.read"]);
    mute.get("/api/events").expect_error(403, "scope_denied");
    let far = Events::open(&w.daemon.address, w.ann.token(), "/api/events", &[("Last-Event-ID", "999999.999999")]);
    assert_eq!(far.status, 200);
    let _ = text(&archived, "id");
}

#[test]
fn an_admin_no_more_hears_no_more_of_others() {
    let w = Harness::new();
    let eve = w.daemon.admin("eve");
    let mut events = Events::open(&w.daemon.address, eve.token(), "/api/events?types=request,notification", &[]);
    let first = w.ask_scope(&[TRIED_SCOPE]);
    assert_eq!(next(&mut events, &["request"]).2["id"], json!(first));
    w.daemon.operator().patch("/api/users/eve", json!({"role": "member"})).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(600));
    w.ask_scope(&["agents.logs"]);
    eve.post("/api/ui/notify", json!({"title": "mine", "body": "b"})).expect(200);
    loop {
        let (name, _, data) = next(&mut events, &["request", "notification"]);
        assert_ne!(name, "request", "{data}");
        if data["title"] == "mine" {
            return;
        }
    }
}
