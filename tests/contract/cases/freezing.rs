//! Freezing and thawing.

use serde_json::json;

use super::{Case, case};
use crate::support::{Reply, text};
use crate::world::World;

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
        let own = World::new();
        let name = own.agent();
        let reply = own.operator().post("/api/freeze", json!({"reason": "r"})).expect(200);
        assert_eq!(own.daemon.record(&name)["frozen"], json!(true));
        reply
    }),
    case("thaw_all", "", |_| {
        let own = World::new();
        let name = own.agent();
        own.operator().post("/api/freeze", json!({"reason": "r"})).expect(200);
        let reply = own.operator().post("/api/thaw", json!({"reason": "over"})).expect(200);
        assert_eq!(own.daemon.record(&name)["frozen"], json!(false));
        reply
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

fn by_agent(world: &World, path: &str) -> Reply {
    let name = world.agent();
    let agent = world.daemon.agent_token(&name, &["agents.freeze"]);
    agent.post(path, json!({"reason": "r"}))
}
