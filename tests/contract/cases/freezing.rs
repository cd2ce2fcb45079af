//! Freezing and thawing.

use serde_json::json;

use super::{Case, case};
use crate::harness::{Harness, Request};
use crate::support::{Reply, text};

pub const CASES: &[Case] = &[
    case("agents_freeze", "", |w| {
        let name = w.agent();
        let reply = w.operator().post(&format!("/api/agents/{name}/freeze"), json!({"reason": "r"})).expect(200);
        assert_eq!(w.daemon.record(&name)["frozen_reason"], json!("r"));
        reply
    }),
    case("agents_thaw", "", |w| {
        let name = w.agent();
        w.operator().post(&format!("/api/agents/{name}/freeze"), json!({"reason": "r"})).expect(200);
        let reply = w.operator().post(&format!("/api/agents/{name}/thaw"), json!({})).expect(200);
        assert_eq!(w.daemon.record(&name)["frozen"], json!(false));
        reply
    }),
    case("freeze_all", "", |_| {
        let own = Harness::new();
        let name = own.agent();
        let reply = own.operator().post("/api/freeze", json!({"reason": "r"})).expect(200);
        assert_eq!(own.daemon.record(&name)["frozen"], json!(true));
        reply
    }),
    case("thaw_all", "", |_| {
        let own = Harness::new();
        let name = own.agent();
        own.operator().post("/api/freeze", json!({"reason": "r"})).expect(200);
        let reply = own.operator().post("/api/thaw", json!({"reason": "over"})).expect(200);
        assert_eq!(own.daemon.record(&name)["frozen"], json!(false));
        reply
    }),
    case("tripwires_list", "", |w| w.operator().get(&format!("/api/agents/{}/tripwires", w.agent())).expect(200)),
    case("tripwires_remove", "", |w| {
        let (agent, wire) = wire(w);
        w.operator().delete(&format!("/api/agents/{agent}/tripwires/{wire}")).expect(204)
    }),
    case("tripwires_remove", "tripwire_not_found", |w| {
        w.operator().delete(&format!("/api/agents/{}/tripwires/nobody", w.agent()))
    }),
    case("tripwires_plant", "tripwire_exists", |w| {
        let (agent, _) = wire(w);
        let path = format!("/api/agents/{agent}/tripwires");
        w.give_container(&Request { method: "POST".into(), path: path.clone(), body: None });
        w.operator().post(&path, json!({"path": "/root/x"}))
    }),
    case("tripwires_plant", "limit_reached", |w| {
        let request = w.request_for("tripwires_plant");
        w.give_container(&request);
        w.daemon.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
            INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, created_by, created_at)
            SELECT ?1 || i, ?1, 'agent_pat', randomblob(32), '/root/' || i, 0, 'x', 1 FROM n",
            [w.agent_of(&request)],
        );
        request.by(&w.operator())
    }),
    case("agents_thaw", "user_required", |w| {
        let (name, other) = (w.agent(), w.agent());
        w.daemon.grant(&format!("agent:{name}"), &text(&w.daemon.record(&other), "id"), "owner");
        let agent = w.daemon.agent_token(&name, &["agents.freeze"]);
        agent.post(&format!("/api/agents/{other}/thaw"), json!({}))
    }),
    case("freeze_all", "user_required", |w| by_agent(w, "/api/freeze")),
    case("thaw_all", "user_required", |w| by_agent(w, "/api/thaw")),
];

fn by_agent(harness: &Harness, path: &str) -> Reply {
    let name = harness.agent();
    let agent = harness.daemon.agent_token(&name, &["agents.freeze"]);
    agent.post(path, json!({"reason": "r"}))
}

/// Makes an agent with a tripwire. Returns the agent's name and the tripwire's id.
fn wire(harness: &Harness) -> (String, String) {
    let name = harness.agent();
    let id = format!("wire-{name}");
    harness.daemon.execute(
        "INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, planted, created_by, created_at)
        SELECT ?1, a.id, 'agent_pat', randomblob(32), '/root/x', 0, 1, 'x', 1 FROM agents a WHERE a.slug = ?2",
        (&id, &name),
    );
    (name, id)
}
