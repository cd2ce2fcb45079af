//! An agent may do only what both the credential and the agent's present scope allow, whatever kind the credential is
//! and whenever it was made.

use serde_json::{Value, json};

use crate::power::harness::jwt;
use crate::support::{Client, Daemon, text};

const PROFILE: &str = "/api/v1/agents/manage/worker";

fn held(daemon: &Daemon) -> Vec<(&'static str, Client, Option<Value>)> {
    let operator = daemon.operator();
    let pat = operator.post("/credentials/agent-pat", json!({"agent_id": "worker"})).expect(201).json();
    let body = json!({"agent_name": "worker", "name": "in", "api_key_type": "internal"});
    let internal = operator.post("/agent_api_keys", body).expect(200).json();
    let issued = operator.post("/api/agents/worker/token/issue", json!({})).expect(200).json();
    vec![
        ("jwt", jwt(daemon, &pat, "agent_access"), Some(pat.clone())),
        ("own token", daemon.client(&text(&issued, "token")), None),
        ("internal key", daemon.anonymous().with("x-agent-api-key", &text(&internal, "api_key")), None),
    ]
}

/// Whether each of the listed actions works with the credential.
fn works(client: &Client, kind: &str) -> Vec<bool> {
    let registration =
        json!({"name": "worker", "description": "d", "acp_url": "http://localhost:1", "acp_type": "async"});
    let mut done = vec![client.post("/agents/register", registration).status != 403];
    if kind != "internal key" {
        done.push(client.get("/api/v1/agents/worker").status == 200);
        done.push(client.get("/api/v1/agents/presence").status == 200);
    }
    if kind == "jwt" {
        done.push(client.put(PROFILE, json!({"bio": "b"})).status == 200);
        done.push(client.post("/api/v1/agents/heartbeat", json!({})).status == 200);
    }
    done
}

#[test]
fn a_scope_narrowed_by_the_owner_cuts_tokens_jwts_and_keys_alike() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    let all = held(&daemon);
    let heartbeat = all[0].1.post("/api/v1/agents/heartbeat", json!({}));
    assert_eq!(heartbeat.status, 200, "{}", heartbeat.text());
    assert_eq!(all[0].1.put(PROFILE, json!({"bio": "a"})).status, 200);
    daemon.operator().put("/api/agents/worker/permissions", json!({"scope": ["agents.read"]})).expect(200);
    assert_eq!(works(&all[0].1, "jwt"), [false, true, false, false, false]);
    assert_eq!(works(&all[1].1, "own token"), [false, true, false]);
    assert_eq!(works(&all[2].1, "internal key"), [false]);
    let pat = all[0].2.as_ref().expect("the key behind the jwt");
    // A new exchange gives no more either, whether it names words or not.
    let exchanged = daemon.client(&text(pat, "token"));
    exchanged.post("/auth/exchange", json!({"scope": "messages"})).expect(400);
    let fresh = jwt(&daemon, pat, "agent_access");
    assert_eq!(works(&fresh, "jwt"), [false, true, false, false, false]);
    let me = fresh.get("/api/auth/whoami").expect(200).json();
    assert!(!me["scope"].to_string().contains("messages"), "{me}");
    // After the agent is widened again, all credentials can do what they were made with.
    let scope = daemon.record("worker")["scope"].clone();
    assert_eq!(scope, json!(["agents.read"]));
    daemon.operator().put("/api/agents/worker/permissions", json!({"scope": ["agents.*", "messages.*"]})).expect(200);
    assert_eq!(works(&fresh, "jwt")[3..], [true, true]);
}

#[test]
fn an_empty_scope_leaves_only_who_it_is() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    let token = daemon.agent_token("worker", &["notifications.read"]);
    token.get("/api/notifications").expect(200);
    daemon.operator().put("/api/agents/worker/permissions", json!({"scope": []})).expect(200);
    token.get("/api/notifications").expect_error(403, "scope_denied");
    // The actions that every credential may do stay.
    assert_eq!(token.get("/api/auth/whoami").expect(200).json()["scope"], json!([]));
}
