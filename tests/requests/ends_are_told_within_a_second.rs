//! The end of a request or grant is recorded and sent within a second, on a box where nothing else happens.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::requests::events::Events;
use crate::requests::given::seconds_of;
use crate::requests::harness::{Harness, TRIED_SCOPE};
use crate::support::text;

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs_f64()
}

#[test]
fn a_scope_a_role_a_question_and_a_grant_end_on_the_second() {
    let w = Harness::new();
    let (thing, bob) = (w.daemon.agent("thing"), w.daemon.member("bob", &["*"]));
    let operator = w.daemon.operator();
    let scope = w.ask_scope(&[TRIED_SCOPE]);
    let role = json!({"kind": "grant", "resource": "agent:thing", "role": "viewer", "reason": "r"});
    let role = text(&w.ask(role), "id");
    let question = json!({"kind": "confirm", "question": "Now?", "reason": "r", "expires_in_seconds": 61});
    let question = w.ask(question);
    let given = w.approve(&scope, json!({"duration_seconds": 60}));
    let lent =
        operator.post(&format!("/api/requests/{role}/approve"), json!({"duration_seconds": 62})).expect(200).json();
    let grant = json!({"principal": "user:bob", "resource": format!("agent:{thing}"), "role": "viewer",
        "expires_in_seconds": 63});
    let grant = operator.post("/api/grants", grant).expect(201).json();
    bob.get("/api/agents/thing").expect(200);
    let mut events = Events::open(&w.daemon.address, operator.token(), "/api/events?types=request", &[]);
    let ends = [(&scope, &given["until"]), (&text(&question, "id"), &question["expires_at"]), (&role, &lent["until"])]
        .map(|(id, end)| (id.clone(), seconds_of(end.as_str().expect("an end"))));
    for (id, end) in ends {
        let told: Value = serde_json::from_str(&events.next().expect("an event").data).expect("JSON");
        let late = now() - end;
        let state = if told["kind"] == "confirm" { "expired" } else { "ended" };
        assert_eq!((&told["id"], &told["state"]), (&json!(id), &json!(state)));
        assert!((0.0..1.0).contains(&late), "{told} was told {late} s after its end");
    }
    std::thread::sleep(Duration::from_secs_f64((seconds_of(&text(&grant, "expires_at")) + 1.0 - now()).max(0.0)));
    let rows = operator.get("/api/audit?action=grants.end").expect(200).json();
    let late = seconds_of(&text(&rows[0], "at")) - seconds_of(&text(&grant, "expires_at"));
    assert!((0.0..1.0).contains(&late), "{rows} is {late} s late");
    bob.get("/api/agents/thing").expect(404);
}
