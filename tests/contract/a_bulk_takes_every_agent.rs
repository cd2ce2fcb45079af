//! A bulk operation includes every agent that has a container, however many there are. It makes its parts in several
//! transactions, and its result has an entry for each agent.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Harness;
use crate::support::text;

#[test]
fn of_250_agents_each_has_a_result_whatever_stood_in_its_way() {
    let harness = Harness::with_broken_runtime();
    harness.daemon.agent("first");
    harness.daemon.execute(
        "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 249)
        INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            container_name, container_runtime, scope, created_at, updated_at, frozen_at, frozen_by, frozen_reason)
        SELECT 'b' || i, 'b' || i, 'b', a.origin, a.owner_user_id, a.owner_space_id, a.space_id, 'test', 'running',
            'taos-agent-b' || i, 'lxd', '[]', i, i, iif(i % 50 = 49, 1, NULL), iif(i % 50 = 49, 'test', NULL),
            iif(i % 50 = 49, 'r', NULL)
        FROM n, agents a",
        [],
    );
    let operator = harness.operator();
    let promised = operator.post("/api/agents/bulk/stop", json!({})).expect(202).json();
    let path = format!("/api/operations/{}", text(&promised, "operation_id"));
    let mut ended = json!(null);
    let until = Instant::now() + Duration::from_secs(60);
    while ended["status"] != "succeeded" {
        assert!(Instant::now() < until, "it does not end: {ended}");
        ended = operator.get(&format!("{path}?wait=5")).expect(200).json();
    }
    let results = ended["result"]["results"].as_object().expect("results");
    let of = |code: &str| results.values().filter(|one| one["error"] == code).count();
    assert_eq!(results.len(), 251, "{ended}");
    assert_eq!((of("agent_has_no_container"), of("agent_frozen"), of("container_failed")), (1, 5, 245), "{ended}");
    assert_eq!(operator.get("/api/operations?status=queued").expect(200).json(), json!([]));
}
