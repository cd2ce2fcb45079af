//! A thaw with the time from the reply to a freeze of all thaws only the agents of that freeze. Agents that were frozen
//! before, frozen again since, or frozen by somebody else stay frozen.

use serde_json::json;

use crate::freeze::harness::freeze;
use crate::support::Daemon;

#[test]
fn only_what_it_froze_is_thawed() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["before", "with", "again"] {
        daemon.agent(name);
    }
    freeze(&daemon, "before");
    let reply = operator.post("/api/freeze", json!({"reason": "alarm"})).expect(200).json();
    let at = json!({"frozen_at": reply["frozen_at"]});
    assert_eq!(reply["agents"], json!(2), "one was frozen before");
    operator.post("/api/agents/again/thaw", json!({})).expect(200);
    freeze(&daemon, "again");
    let frozen = || ["before", "with", "again"].map(|name| daemon.record(name)["frozen"] == json!(true));
    assert_eq!(frozen(), [true, true, true]);
    // A user who does not own these agents thaws none of them.
    let mia = daemon.member("mia", &["*"]);
    assert_eq!(mia.post("/api/thaw", at.clone()).expect(200).json()["agents"], json!(0));
    assert_eq!(operator.post("/api/thaw", at.clone()).expect(200).json()["agents"], json!(1));
    assert_eq!(frozen(), [true, false, true]);
    assert_eq!(operator.post("/api/thaw", at).expect(200).json()["agents"], json!(0), "once");
    operator.post("/api/thaw", json!({"frozen_at": "yesterday"})).expect_error(422, "validation_error");
    assert_eq!(operator.post("/api/thaw", json!({})).expect(200).json()["agents"], json!(2), "all of the others");
}

#[test]
fn a_channel_of_all_admins_gets_the_notice_of_each_owner() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/users", json!({"username": "ann", "role": "admin"})).expect(201);
    let ann = daemon.user_token("ann", &["*"]);
    for n in 0..2 {
        daemon.agent(&format!("o{n}"));
        ann.post("/api/agents", json!({"name": format!("a{n}")})).expect(200);
    }
    daemon.operator().post("/api/freeze", json!({"reason": "alarm"})).expect(200);
    // Such a channel takes notices with one title, page and time for the same one.
    let sql = "SELECT count(DISTINCT created_at) FROM notifications WHERE title = '2 agents are frozen'";
    assert_eq!(daemon.number(sql, []), 2);
}
