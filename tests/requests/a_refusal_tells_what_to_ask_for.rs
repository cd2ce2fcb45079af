//! A refusal contains the request that an agent can post to get what it lacks. The agent posts it, waits, and goes on
//! once it is approved.

use serde_json::json;

use crate::requests::harness::{Harness, TRIED, TRIED_SCOPE, token};
use crate::support::text;

#[test]
fn an_agent_posts_what_the_refusal_told_it_waits_and_goes_on() {
    let w = Harness::new();
    let refused = w.atlas.get(TRIED).expect_error(403, "scope_denied").json();
    assert_eq!(refused["request"]["kind"], "scope");
    assert_eq!(refused["request"]["scope"], json!([TRIED_SCOPE]));
    assert!(text(&refused, "fix").contains("/api/requests"), "{refused}");
    let made = w.atlas.post("/api/requests", refused["request"].clone()).expect(201);
    let request = made.json();
    let id = text(&request, "id");
    assert_eq!(made.header("location"), Some(format!("/api/requests/{id}").as_str()));
    assert_eq!((&request["state"], &request["until"]), (&json!("pending"), &json!(null)));
    assert_eq!(request["agent"], json!({"id": w.atlas_id, "name": "atlas"}));
    assert_eq!(request["deciders"], json!(["ann", "operator"]));
    w.atlas.get(TRIED).expect(403);

    let waiting = {
        let (atlas, id) = (w.atlas.clone(), id.clone());
        std::thread::spawn(move || atlas.get(&format!("/api/requests/{id}?wait=30")).expect(200).json())
    };
    std::thread::sleep(std::time::Duration::from_millis(200));
    let approved = w.approve(&id, json!({"duration_seconds": 120, "note": "for this build"}));
    assert_eq!((&approved["state"], &approved["decided_by"]), (&json!("approved"), &json!("ann")));
    assert_eq!(approved["granted"], json!({"scope": [TRIED_SCOPE]}));
    let told = waiting.join().expect("the waiting agent");
    assert_eq!((&told["state"], &told["note"]), (&json!("approved"), &json!("for this build")));
    assert!(told["until"].is_string());
    w.atlas.get(TRIED).expect(200);
}

#[test]
fn who_asks_may_wait_for_the_decision_in_the_same_call() {
    let w = Harness::new();
    let ask = |body: serde_json::Value| {
        let atlas = w.atlas.clone();
        std::thread::spawn(move || atlas.post("/api/requests", body))
    };
    let body = json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r", "wait": 30});
    let (first, began) = (ask(body.clone()), std::time::Instant::now());
    let pending = || w.ann.get("/api/requests?state=pending").expect(200).json()[0]["id"].clone();
    crate::support::wait_until("it is asked", || pending().is_string());
    // A second call with the same body waits for the same request.
    let again = ask(body.clone());
    std::thread::sleep(std::time::Duration::from_millis(200));
    let id = pending();
    w.approve(id.as_str().expect("an id"), json!({"note": "n"}));
    let (first, again) = (first.join().expect("the agent").expect(201), again.join().expect("the agent").expect(200));
    assert_eq!(first.header("location"), Some(format!("/api/requests/{}", text(&first.json(), "id")).as_str()));
    for told in [first.json(), again.json()] {
        assert_eq!((&told["id"], &told["state"], &told["note"]), (&id, &json!("approved"), &json!("n")));
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(15), "{:?}", began.elapsed());
    let short = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r", "wait": 1});
    assert_eq!(ask(short).join().expect("the agent").expect(201).json()["state"], "pending");
    w.atlas
        .post("/api/requests", json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r", "wait": 61}))
        .expect_error(422, "validation_error");
}

#[test]
fn a_role_that_is_too_small_is_asked_for_by_what_the_refusal_told() {
    let w = Harness::new();
    let other = w.daemon.agent_by(&w.ann, "other");
    w.ann
        .post(
            "/api/grants",
            json!({"principal": "agent:atlas", "resource": format!("agent:{other}"), "role": "viewer"}),
        )
        .expect(201);
    let scope = json!({"scope": ["agents.*", "requests.*", "auth.*"]});
    w.ann.put("/api/agents/atlas/permissions", scope).expect(200);
    let change = || w.atlas.put("/api/agents/other", json!({"color": "#112233"}));
    let refused = change().expect_error(403, "forbidden").json();
    assert_eq!((&refused["request"]["kind"], &refused["request"]["role"]), (&json!("grant"), &json!("editor")));
    let id = text(&w.ask(refused["request"].clone()), "id");
    w.approve(&id, json!({}));
    change().expect(200);
}

#[test]
fn a_space_of_others_is_named_as_the_agent_named_it_whether_there_is_one_or_not() {
    let w = Harness::new();
    let bob = w.daemon.member("bob", &["*"]);
    let spaces = bob.get("/api/v1/spaces").expect(200).json();
    let (id, slug) = (text(&spaces["spaces"][0], "id"), text(&spaces["spaces"][0], "slug"));
    w.ann
        .put("/api/agents/atlas/permissions", json!({"scope": ["grants.create", "messages.*", "requests.*"]}))
        .expect(200);
    let give = |space: &str| {
        let body = json!({"principal": "agent:atlas", "resource": format!("space:{space}"), "role": "viewer"});
        let reply = w.atlas.post("/api/grants", body).expect_error(403, "space_forbidden");
        reply.text().replace(space, "X")
    };
    assert_eq!(give(&slug), give("no-such-space"));
    assert_eq!(give(&id), give("01890000-0000-7000-8000-000000000000"));
    let send = |space: &str| {
        let reply = w.atlas.post("/api/v1/messages", json!({"content": "hi", "space_id": space}));
        assert_eq!(reply.status, 403, "{}", reply.text());
        let told = reply.json();
        assert_eq!(told["detail"]["request"]["resource"], json!(format!("space:{space}")), "{told}");
        reply.text().replace(space, "X")
    };
    assert_eq!(send(&id), send("01890000-0000-7000-8000-000000000000"));
}

#[test]
fn nothing_is_told_with_a_404_nor_to_a_user_and_what_no_scope_gives_is_asked_of_a_person() {
    let w = Harness::new();
    w.daemon.agent("hidden");
    assert_eq!(w.atlas.get("/api/agents/hidden").expect(404).json().get("request"), None);
    let narrow = w.daemon.user_token("ann", &["agents.read"]);
    assert_eq!(narrow.get("/api/requests").expect_error(403, "scope_denied").json().get("request"), None);
    let admin_only = w.atlas.get("/api/audit").expect_error(403, "scope_denied").json();
    assert_eq!(admin_only["request"]["kind"], "confirm");
    w.ask(admin_only["request"].clone());
    let mute = w.daemon.agent_token("atlas", &["agents.read"]);
    assert_eq!(mute.post("/api/requests", json!({})).expect_error(403, "scope_denied").json().get("request"), None);
}

#[test]
fn what_the_agent_has_is_not_needed_and_what_it_waits_for_is_one_request() {
    let w = Harness::new();
    let have = json!({"kind": "scope", "scope": ["agents.read"], "reason": "r"});
    assert_eq!(w.atlas.post("/api/requests", have).expect(200).json(), json!({"state": "not_needed"}));
    let want = json!({"kind": "scope", "scope": [TRIED_SCOPE], "reason": "r"});
    let first = w.ask(want.clone());
    let again = w.atlas.post("/api/requests", want.clone()).expect(200).json();
    assert_eq!(first["id"], again["id"]);
    w.approve(&text(&first, "id"), json!({}));
    assert_eq!(w.atlas.post("/api/requests", want).expect(200).json(), json!({"state": "not_needed"}));
    // The approval also applies to another token of the same agent.
    token(&w.daemon, &w.ann, "atlas").get(TRIED).expect(200);
}
