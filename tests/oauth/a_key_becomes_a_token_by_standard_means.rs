//! Token exchange (RFC 8693) and client credentials give what `/auth/exchange` gives, and never more.

use data_encoding::BASE64;
use serde_json::json;

use crate::program::{claims, of, post_form};
use crate::support::{Daemon, Reply, text};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

fn exchange(daemon: &Daemon, subject: &str, more: &[(&str, &str)]) -> Reply {
    let own = [("grant_type", EXCHANGE), ("subject_token", subject), ("subject_token_type", ACCESS)];
    let mut all = own.to_vec();
    for (name, value) in more {
        all.retain(|(known, _)| known != name);
        all.push((name, value));
    }
    all.retain(|(_, value)| !value.is_empty());
    post_form(&daemon.anonymous(), "/oauth/token", &all)
}

fn agent_key(daemon: &Daemon, body: serde_json::Value) -> String {
    let made = daemon.operator().post("/credentials/agent-pat", body).expect(201).json();
    text(&made, "token")
}

fn setting() -> (Daemon, String, String) {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let robot = daemon.agent_token("atlas", &["tasks.*", "messages.read", "messages.list"]);
    let token = robot.token().to_owned();
    let key = agent_key(&daemon, json!({"name": "k", "agent_id": id, "audience": "both"}));
    (daemon, token, key)
}

#[test]
fn an_agents_token_becomes_a_short_lived_one_for_an_audience() {
    let (daemon, token, key) = setting();
    for (subject, target, audience) in [
        (&token, ("audience", ""), "ax-api"),
        (&token, ("audience", "ax-mcp"), "ax-mcp"),
        (&token, ("audience", "http://localhost/mcp"), "ax-mcp"),
        (&key, ("resource", "http://localhost/mcp/"), "ax-mcp"),
        (&key, ("resource", "http://localhost"), "ax-api"),
    ] {
        let reply = exchange(&daemon, subject, &[target, ("scope", "tasks")]).expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let told = reply.json();
        assert_eq!((&told["issued_token_type"], &told["token_type"]), (&json!(ACCESS), &json!("Bearer")));
        assert_eq!((&told["scope"], &told["expires_in"]), (&json!("tasks"), &json!(900)));
        assert!(told.get("refresh_token").is_none());
        let said = claims(&of(&told, "access_token"));
        assert_eq!((&said["aud"], &said["token_class"]), (&json!(audience), &json!("agent_access")));
        assert_eq!(said["agent_name"], "atlas");
    }
    let told = exchange(&daemon, &token, &[]).expect(200).json();
    let robot = daemon.client(&of(&told, "access_token"));
    robot.get("/api/v1/tasks").expect(200);
    // The new token's scope is never wider than the subject token's.
    robot.post("/api/v1/messages", json!({"content": "x"})).expect(403);
    exchange(&daemon, &token, &[("scope", "messages:write")]).expect_error(400, "invalid_scope");
    exchange(&daemon, &token, &[("scope", "agents.create")]).expect_error(400, "invalid_scope");
    // The new token ends with the subject token.
    daemon.operator().delete("/api/agents/atlas/token").expect(200);
    robot.get("/api/v1/tasks").expect(401);
}

#[test]
fn what_is_no_exchange_is_refused_by_its_name() {
    let (daemon, token, key) = setting();
    for (changes, status, code) in [
        (&[("subject_token", "")][..], 400, "invalid_request"),
        (&[("subject_token_type", "")], 400, "invalid_request"),
        (&[("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")], 400, "invalid_request"),
        (&[("actor_token", "x")], 400, "invalid_request"),
        (&[("requested_token_type", "urn:ietf:params:oauth:token-type:saml2")], 400, "invalid_request"),
        (&[("subject_token", "taos_agent_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")], 400, "invalid_request"),
        (&[("subject_token", &daemon.token)], 400, "invalid_request"),
        (&[("subject_token", "eyJhbGciOiJub25lIn0.e30.")], 400, "invalid_request"),
        (&[("audience", "https://elsewhere.example")], 400, "invalid_target"),
        (&[("audience", "ax-api"), ("resource", "http://localhost/mcp")], 400, "invalid_target"),
        (&[("resource", "http://localhost/other")], 400, "invalid_target"),
    ] {
        exchange(&daemon, &token, changes).expect_error(status, code);
    }
    let cli = agent_key(&daemon, json!({"name": "cli", "agent_id": daemon.record("atlas")["id"], "audience": "cli"}));
    exchange(&daemon, &cli, &[("audience", "ax-mcp")]).expect_error(400, "invalid_target");
    exchange(&daemon, &key, &[("audience", "ax-mcp")]).expect(200);
    daemon.operator().post("/api/agents/atlas/freeze", json!({"reason": "test"})).expect(200);
    exchange(&daemon, &token, &[]).expect_error(401, "agent_frozen");
}

#[test]
fn an_agents_key_is_a_client_with_its_secret() {
    let (daemon, _, key) = setting();
    let id = key.split('.').next().unwrap().to_owned();
    let asks = |id: &str, secret: &str, scope: &str| {
        let fields =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", scope)];
        let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        post_form(&daemon.anonymous(), "/oauth/token", &fields)
    };
    let told = asks(&id, &key, "tasks").expect(200).json();
    assert!(told.get("refresh_token").is_none() && told.get("issued_token_type").is_none(), "{told}");
    daemon.client(&of(&told, "access_token")).get("/api/v1/tasks").expect(200);
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{key}").as_bytes()));
    let with = daemon.anonymous().with("Authorization", &basic);
    let fields = [("grant_type", "client_credentials"), ("resource", "http://localhost/mcp")];
    let told = post_form(&with, "/oauth/token", &fields).expect(200).json();
    assert_eq!(claims(&of(&told, "access_token"))["aud"], "ax-mcp");
    let other = agent_key(&daemon, json!({"name": "other", "agent_id": daemon.record("atlas")["id"]}));
    for (id, secret) in [(id.as_str(), other.as_str()), (&id, ""), ("axp_a_", &key), ("axp_a_0123456789", &key)] {
        asks(id, secret, "").expect_error(401, "invalid_client");
    }
    asks("nobody", "x", "").expect_error(401, "invalid_client");
    asks(&id, &key, "nothing").expect_error(400, "invalid_scope");
    let revoked = text(&claims(&of(&told, "access_token")), "credential_id");
    daemon.operator().delete(&format!("/credentials/{revoked}")).expect(200);
    asks(&id, &key, "").expect_error(401, "invalid_client");
    // A client that used the header learns its scheme (RFC 6749, section 5.2).
    let refused = post_form(&with, "/oauth/token", &fields).expect_error(401, "invalid_client");
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"taosd\""));
}

#[test]
fn failed_exchanges_count_as_failed_logins() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let unknown = "taos_agent_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for _ in 0..3 {
        exchange(&daemon, unknown, &[]).expect_error(400, "invalid_request");
    }
    exchange(&daemon, unknown, &[]).expect_error(429, "rate_limited");
}
