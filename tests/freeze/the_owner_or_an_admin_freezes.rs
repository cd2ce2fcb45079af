//! An agent's owner and admins may freeze and thaw it. If an admin froze it, only an admin may thaw or archive it.

use serde_json::json;

use crate::freeze::harness::{WHOAMI, freeze};
use crate::support::Daemon;

const ALARM: &str = r#"{"reason": "alarm"}"#;

#[test]
fn strangers_do_not_see_it_and_editors_may_not() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let body = || json!({"reason": "alarm"});
    let mia = daemon.member("mia", &["*"]);
    mia.post("/api/agents/atlas/freeze", body()).expect_error(404, "agent_not_found");
    mia.post("/api/agents/atlas/thaw", body()).expect_error(404, "agent_not_found");
    daemon.grant("user:mia", &id, "editor");
    mia.post("/api/agents/atlas/freeze", body()).expect_error(403, "forbidden");
    // An agent is an editor of itself: it can neither freeze nor thaw itself, and its token's scopes do not include it.
    let plain = crate::freeze::harness::token(&daemon, "atlas");
    plain.post("/api/agents/atlas/freeze", body()).expect_error(403, "scope_denied");
    let agent = daemon.agent_token("atlas", &["agents.freeze"]);
    agent.post("/api/agents/atlas/freeze", body()).expect_error(403, "forbidden");
    agent.post("/api/freeze", body()).expect_error(403, "user_required");
    agent.post("/api/agents/atlas/thaw", body()).expect_error(403, "forbidden");
    daemon.grant("user:mia", &id, "owner");
    mia.post("/api/agents/atlas/freeze", body()).expect(200);
    mia.post("/api/agents/atlas/thaw", json!({})).expect(200);
    for bad in [json!({}), json!({"reason": ""}), json!({"reason": "x".repeat(501)}), json!({"reason": 1})] {
        daemon.operator().post("/api/agents/atlas/freeze", bad).expect_error(422, "validation_error");
    }
}

#[test]
fn what_an_admin_froze_an_admin_thaws() {
    let daemon = Daemon::start();
    let mia = daemon.member("mia", &["*"]);
    daemon.grant("user:mia", "*", "creator");
    daemon.agent_by(&mia, "atlas");
    freeze(&daemon, "atlas");
    mia.post("/api/agents/atlas/thaw", json!({})).expect_error(403, "forbidden");
    mia.delete("/api/agents/atlas").expect_error(403, "forbidden");
    assert_eq!(mia.post("/api/thaw", json!({})).expect(200).json(), json!({"status": "thawed", "agents": 0}));
    daemon.operator().post("/api/agents/atlas/thaw", json!({})).expect(200);
    // Her own freeze becomes the admin's if the admin freezes the agent as well.
    mia.send("POST", "/api/agents/atlas/freeze", Some(ALARM.as_bytes())).expect(200);
    freeze(&daemon, "atlas");
    mia.post("/api/agents/atlas/thaw", json!({})).expect_error(403, "forbidden");
}

#[test]
fn all_are_the_callers_own_and_for_an_admin_everybodys() {
    let daemon = Daemon::start();
    let mia = daemon.member("mia", &["*"]);
    daemon.grant("user:mia", "*", "creator");
    daemon.agent_by(&mia, "hers");
    daemon.agent("ours");
    let (hers, ours) = (crate::freeze::harness::token(&daemon, "hers"), crate::freeze::harness::token(&daemon, "ours"));
    let reply = mia.post("/api/freeze", json!({"reason": "a"})).expect(200).json();
    assert_eq!((&reply["status"], &reply["agents"]), (&json!("frozen"), &json!(1)));
    hers.get(WHOAMI).expect_error(401, "agent_frozen");
    ours.get(WHOAMI).expect(200);
    let reply = daemon.operator().post("/api/freeze", json!({"reason": "b"})).expect(200).json();
    assert_eq!(reply["agents"], json!(1), "the other is frozen already");
    ours.get(WHOAMI).expect_error(401, "agent_frozen");
    assert_eq!(mia.post("/api/thaw", json!({})).expect(200).json()["agents"], json!(1), "still her own freeze");
    assert_eq!(daemon.operator().post("/api/thaw", json!({})).expect(200).json()["agents"], json!(1));
    hers.get(WHOAMI).expect(200);
    ours.get(WHOAMI).expect(200);
}
