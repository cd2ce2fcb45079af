//! Creating agents.

use serde_json::json;

use crate::support::Daemon;

#[test]
fn an_agent_is_created_and_read_back() {
    let daemon = Daemon::start();
    let created = daemon.operator().post("/api/agents", json!({"name": "Atlas"})).expect(200).json();
    assert_eq!(created["status"], "created");
    let agent = daemon.operator().get("/api/agents/atlas").expect(200).json();
    assert_eq!(agent["id"], created["id"]);
    assert_eq!(agent["owner"], "operator");
}
