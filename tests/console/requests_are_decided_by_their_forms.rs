//! The forms of a request, as a browser sends them: a question takes the answer that was typed or chosen, a right is given
//! as far as its boxes are ticked, and the list of what is in force leaves out what was only answered.

use serde_json::{Value, json};

use crate::site::{Site, fields_of};
use crate::support::{Client, Daemon, text};

/// An agent that asks, and the operator at the console.
fn asked(daemon: &Daemon) -> (Client, Site) {
    daemon.agent("atlas");
    (daemon.agent_token("atlas", &["requests.create", "requests.read"]), Site::operator(daemon))
}

fn set(fields: &mut [(String, String)], name: &str, value: &str) {
    let field = fields.iter_mut().find(|(own, _)| own == name);
    value.clone_into(&mut field.unwrap_or_else(|| panic!("no field {name}")).1);
}

#[test]
fn a_typed_answer_is_the_answer_and_an_option_is_one() {
    let daemon = Daemon::start();
    let (agent, site) = asked(&daemon);
    let ask = |body: Value| text(&agent.post("/api/requests", body).expect(201).json(), "id");
    let page = |id: &str| site.get(&format!("/ui/requests/{id}")).expect(200).text();
    let answer = |id: &str, pressed: Option<&str>, typed: Option<&str>| {
        let mut fields = fields_of(&page(id), &format!("f-{id}"), pressed);
        if let Some(typed) = typed {
            set(&mut fields, "text", typed);
        }
        site.submit(&fields).expect(303);
        agent.get(&format!("/api/requests/{id}")).expect(200).json()["answer"].clone()
    };
    // The API itself makes questions without options.
    let free = agent.post("/api/ui/ask", json!({"question": "What is it called?"})).expect(200).json();
    let free = text(&free, "question_id");
    assert!(!page(&free).contains("name=\"option\""), "{}", page(&free));
    assert_eq!(answer(&free, None, Some("Aurora")), json!({"option": null, "text": "Aurora"}));

    let both =
        json!({"kind": "confirm", "question": "Which?", "options": ["red", "blue"], "free_text": true, "reason": "r"});
    let typed = ask(both.clone());
    assert!(page(&typed).contains("name=\"text\" maxlength=\"2000\" required"), "an empty answer is sent by nothing");
    assert_eq!(answer(&typed, None, Some("neither")), json!({"option": null, "text": "neither"}));
    assert!(page(&typed).contains("Answer: <b>neither</b>"), "{}", page(&typed));
    let chosen = ask(both);
    assert_eq!(answer(&chosen, Some("blue"), None), json!({"option": 1, "text": "blue"}));
    assert!(page(&chosen).contains("Answer: <b>blue</b>"), "{}", page(&chosen));

    let plain = ask(json!({"kind": "confirm", "question": "Shall I?", "reason": "r"}));
    assert_eq!(answer(&plain, Some("no"), None), json!({"option": 1, "text": "no"}));
}

#[test]
fn boxes_that_are_not_ticked_give_nothing() {
    let daemon = Daemon::start();
    let (agent, site) = asked(&daemon);
    let body = json!({"kind": "scope", "scope": ["agents.logs", "users.list"], "reason": "r", "duration_seconds": 600});
    let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
    let page = site.get(&format!("/ui/requests/{id}")).expect(200).text();
    let ticked = fields_of(&page, &format!("f-{id}"), Some("Approve"));
    let mut none = ticked.clone();
    none.retain(|(name, value)| name != "scope" || value.is_empty());
    let told = site.submit(&none).expect(422).text();
    assert!(told.contains("must name at least one scope; deny the request to give none"), "{told}");
    let mut one = ticked;
    one.retain(|(name, value)| name != "scope" || value != "users.list");
    site.submit(&one).expect(303);
    let decided = agent.get(&format!("/api/requests/{id}")).expect(200).json();
    assert_eq!((&decided["state"], &decided["granted"]["scope"]), (&json!("approved"), &json!(["agents.logs"])));
}

#[test]
fn what_is_in_force_is_found_behind_many_answers() {
    let daemon = Daemon::start();
    let (agent, site) = asked(&daemon);
    let operator = daemon.operator();
    let approve = |body: Value| {
        let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
        operator.post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
        id
    };
    let right = approve(json!({"kind": "scope", "scope": ["users.list"], "reason": "r", "duration_seconds": 600}));
    let answered = approve(json!({"kind": "confirm", "question": "Shall I?", "reason": "r"}));
    // An agent may ask only so often, so the other answers are copies of this one.
    let columns = "kind, state, agent_id, created_at, expires_at, decided_at, decided_by, same, reason, asked, answer";
    for nth in 0..60 {
        let copy = format!("INSERT INTO requests (id, {columns}) SELECT ?1, {columns} FROM requests WHERE id = ?2");
        daemon.execute(&copy, (format!("ffffffff-0000-7000-8000-0000000000{nth:02}"), &answered));
    }
    let page = site.get("/ui/requests?tab=force").expect(200).text();
    assert!(page.contains(&format!("id=\"{right}\"")) && !page.contains("Shall I?"), "{page}");
}

#[test]
fn a_failure_among_several_decisions_is_told() {
    let daemon = Daemon::start();
    let (agent, site) = asked(&daemon);
    let ask = |scope: &str| {
        let body = json!({"kind": "scope", "scope": [scope], "reason": "r"});
        text(&agent.post("/api/requests", body).expect(201).json(), "id")
    };
    let (first, second) = (ask("agents.logs"), ask("users.list"));
    daemon.operator().post(&format!("/api/requests/{first}/deny"), json!({})).expect(200);
    let both = [("ids", first.as_str()), ("ids", second.as_str()), ("decision", "approve"), ("_back", "/ui/requests")];
    let page = site.act("POST /api/requests/decide", &both).expect(409).text();
    assert!(page.contains("1 of 2 were done.") && page.contains("role=\"alert\""), "{page}");
    assert_eq!(agent.get(&format!("/api/requests/{second}")).expect(200).json()["state"], "approved");
    let third = ask("agents.list");
    let one = [("ids", third.as_str()), ("decision", "deny"), ("_back", "/ui/requests")];
    site.act("POST /api/requests/decide", &one).expect(303);
}
