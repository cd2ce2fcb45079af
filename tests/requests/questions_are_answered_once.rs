//! A question is answered once: by a decision, or by the owner's own reply to the message with the question.

use serde_json::json;

use crate::requests::harness::Harness;
use crate::support::text;

/// The newest message, with the question, as ann reads it.
fn message(w: &Harness) -> serde_json::Value {
    let list = w.ann.get("/api/v1/messages?limit=1").expect(200).json();
    list["messages"][0].clone()
}

#[test]
fn the_owners_reply_is_the_answer_and_an_agents_is_not() {
    let w = Harness::new();
    let asked = w.atlas.post("/api/ui/ask", json!({"question": "Which branch?", "options": ["main", "Release"]}));
    let asked = asked.expect(200).json();
    assert_eq!(asked["status"], "waiting");
    let id = text(&asked, "question_id");
    let put = message(&w);
    assert_eq!((&put["message_type"], &put["metadata"]["question"]["request_id"]), (&json!("question"), &json!(id)));
    let waiting = {
        let (atlas, id) = (w.atlas.clone(), id.clone());
        std::thread::spawn(move || atlas.get(&format!("/api/ui/ask/{id}?wait=30")).expect(200).json())
    };
    let reply = |by: &crate::support::Client, text: &str| {
        by.post("/api/v1/messages", json!({"content": text, "parent_id": put["id"]})).expect(200);
    };
    reply(&w.atlas, "main");
    reply(&w.ann, " release ");
    let answer = waiting.join().expect("the waiting agent");
    assert_eq!((&answer["status"], &answer["option"]), (&json!("answered"), &json!(1)));
    assert_eq!((&answer["answer"], &answer["answered_by"]), (&json!("Release"), &json!("ann")));
    reply(&w.ann, "main");
    assert_eq!(w.atlas.get(&format!("/api/ui/ask/{id}")).expect(200).json(), answer);
    w.ann.post(&format!("/api/requests/{id}/approve"), json!({"option": 0})).expect_error(409, "request_decided");
}

#[test]
fn a_decision_answers_it_too_no_included() {
    let w = Harness::new();
    let ask = |body| text(&w.ask(body), "id");
    let plain = ask(json!({"kind": "confirm", "question": "Shall I?", "reason": "r"}));
    let request = w.ann.get(&format!("/api/requests/{plain}")).expect(200).json();
    assert_eq!(request["options"], json!(["yes", "no"]));
    let answered = w.approve(&plain, json!({"option": 1}));
    assert_eq!((&answered["state"], &answered["answer"]), (&json!("approved"), &json!({"option": 1, "text": "no"})));
    let plain = ask(json!({"kind": "confirm", "question": "Now?", "reason": "r"}));
    assert_eq!(w.approve(&plain, json!({}))["answer"], json!({"option": 0, "text": "yes"}));
    let closed = ask(json!({"kind": "confirm", "question": "Which?", "options": ["a", "b"], "reason": "r"}));
    let refuse = |id: &str, body| {
        w.ann.post(&format!("/api/requests/{id}/approve"), body).expect_error(422, "validation_error");
    };
    refuse(&closed, json!({}));
    refuse(&closed, json!({"option": 2}));
    refuse(&closed, json!({"text": "c"}));
    refuse(&closed, json!({"duration_seconds": 60}));
    let free = ask(json!({"kind": "confirm", "question": "What?", "free_text": true, "reason": "r"}));
    assert_eq!(w.approve(&free, json!({"text": "blue"}))["answer"], json!({"option": null, "text": "blue"}));
    w.ann.post(&format!("/api/requests/{closed}/deny"), json!({"note": "no comment"})).expect(200);
    let told = w.atlas.get(&format!("/api/ui/ask/{closed}")).expect(200).json();
    assert_eq!((&told["status"], &told["note"]), (&json!("denied"), &json!("no comment")));
}

#[test]
fn only_the_asker_sees_it_as_a_question() {
    let w = Harness::new();
    let id = text(&w.atlas.post("/api/ui/ask", json!({"question": "q?"})).expect(200).json(), "question_id");
    let path = format!("/api/ui/ask/{id}");
    w.ann.get(&path).expect_error(404, "question_not_found");
    w.daemon.agent_by(&w.ann, "other");
    crate::requests::harness::token(&w.daemon, &w.ann, "other").get(&path).expect_error(404, "question_not_found");
    w.atlas.get("/api/ui/ask/nothing").expect_error(404, "question_not_found");
    w.ann.post("/api/ui/ask", json!({"question": "q?"})).expect_error(403, "agent_required");
    let scope = w.ask_scope(&["agents.logs"]);
    w.atlas.get(&format!("/api/ui/ask/{scope}")).expect_error(404, "question_not_found");
    // The owner can decide it as a request, and got a notification.
    let told = w.ann.get("/api/notifications").expect(200).json();
    assert!(
        told.as_array().expect("a list").iter().any(|one| one["action_url"] == format!("/ui/requests/{id}")),
        "{told}"
    );
    let foreign = w.daemon.member("bob", &["*"]).get("/api/v1/spaces").expect(200).json();
    let space = text(&foreign["spaces"][0], "id");
    w.atlas.post("/api/ui/ask", json!({"question": "q2?", "space_id": space})).expect_error(403, "space_forbidden");
}
