//! Revoking "the token" of an agent reports its other credentials, and ends them too if the request says so.

use serde_json::json;

use crate::power::harness::{exchange, id, ids};
use crate::support::{Daemon, text};

#[test]
fn the_token_goes_the_rest_is_told_and_all_ends_it() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    let operator = daemon.operator();
    operator.delete("/api/agents/worker/token").expect(204);
    let issued = operator.post("/api/agents/worker/token/issue", json!({})).expect(200).json();
    let pat = operator.post("/credentials/agent-pat", json!({"agent_id": "worker"})).expect(201).json();
    let body = json!({"agent_name": "worker", "name": "in", "api_key_type": "internal"});
    let internal = operator.post("/agent_api_keys", body).expect(200).json();
    let shown = operator.get("/api/agents/worker/token").expect(200).json();
    assert_eq!(ids(&shown["still_live"]), [id(&pat), text(&internal, "id")]);
    let told = operator.delete("/api/agents/worker/token").expect(200).json();
    assert_eq!(told["still_live"], shown["still_live"]);
    daemon.client(&text(&issued, "token")).get("/api/auth/whoami").expect(401);
    assert_eq!(exchange(&daemon, &pat, json!({})), 200);
    operator.delete("/api/agents/worker/token?all=true").expect(204);
    assert_eq!(exchange(&daemon, &pat, json!({})), 401);
    let key = daemon.anonymous().with("x-agent-api-key", &text(&internal, "api_key"));
    key.get("/agents").expect(401);
    assert_eq!(operator.get("/api/agents/worker/token").expect(200).json()["still_live"], json!([]));
}
