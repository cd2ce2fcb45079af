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
