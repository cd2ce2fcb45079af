//! `POST /auth/exchange`: every row of the contract's table, and the reply to a good exchange.

use serde_json::json;

use crate::ax::client::{agent, agent_key, audited, claims, exchange, secret, token, user_key};
use crate::support::{AxReply, Daemon};

#[test]
fn a_good_exchange_tells_all_of_the_token() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    let reply =
        exchange(&daemon, secret(&key), json!({"resource": 7, "scope": "messages agents", "requested_ttl": 60}));
    let reply = reply.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(60)));
    assert_eq!((&body["scope"], &body["token_class"]), (&json!("messages agents"), &json!("user_access")));
    assert_eq!((&body["audience"], &body["principal_type"]), (&json!("ax-api"), &json!("user")));
    assert_eq!(body["credential_id"], key["credential_id"]);
    let claims = claims(body["access_token"].as_str().unwrap());
    assert_eq!(claims["sub"], body["user_id"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let all = exchange(&daemon, secret(&key), json!({"scope": "", "requested_ttl": 1_000_000_000})).expect(200).json();
    assert_eq!(all["scope"], "messages tasks context agents spaces search");
    assert_eq!(all["expires_in"], 900);
}

#[test]
fn an_agents_own_token_is_exchanged_too() {
    let daemon = Daemon::start();
    let agent = agent(&daemon, "own");
    let issued = daemon.operator().post("/api/agents/own/token/issue", json!({})).expect(200).json();
    let body = exchange(&daemon, issued["token"].as_str().unwrap(), json!({})).expect(200).json();
    assert_eq!((&body["token_class"], &body["agent_id"]), (&json!("agent_access"), &agent["id"]));
    assert_eq!(body["agent_name"], "own");
}

#[test]
fn each_refusal_has_its_code_and_status() {
    let daemon = Daemon::start();
    let user = user_key(&daemon, json!({"audience": "cli"}));
    let plain = user_key(&daemon, json!({"scopes": ["messages"]}));
    let mcp = user_key(&daemon, json!({"audience": "mcp"}));
    let id = agent(&daemon, "bound")["id"].as_str().unwrap().to_owned();
    let other = agent(&daemon, "other")["id"].as_str().unwrap().to_owned();
    let bound = agent_key(&daemon, &id, json!({}));
    let (user, plain, mcp, bound) = (secret(&user), secret(&plain), secret(&mcp), secret(&bound));
    let refused = |key: &str, body| exchange(&daemon, key, body);

    daemon.anonymous().post("/auth/exchange", json!({})).expect_ax(401, "not_authenticated");
    daemon.client(user).send("POST", "/auth/exchange", Some(b"{")).expect_ax(400, "invalid_request");
    for body in [json!({"requested_ttl": 0}), json!({"requested_ttl": "9"}), json!({"scope": ["messages"]})] {
        refused(user, body).expect_ax(422, "invalid_request");
    }
    let mut typo = user.to_owned();
    typo.replace_range(30..31, if &user[30..31] == "A" { "B" } else { "A" });
    for bad in [&typo, "axp_u_x", "axp_", "hunter2", &format!("taos_agent_{}", "A".repeat(43))] {
        let detail = refused(bad, json!({})).expect_ax(401, "invalid_credential");
        assert!(bad.starts_with("taos") || bad == "hunter2" || !detail.to_string().contains(bad), "{detail}");
    }
    let detail = refused(bound, json!({"requested_token_class": "user_access"})).expect_ax(422, "class_not_allowed");
    assert_eq!(detail["message"], "PAT class 'a' cannot exchange for 'user_access'");
    for (key, class) in [(user, "agent_access"), (user, "root"), (plain, "user_admin")] {
        refused(key, json!({"requested_token_class": class})).expect_ax(422, "class_not_allowed");
    }
    refused(&daemon.token, json!({})).expect_ax(422, "class_not_allowed");
    let detail = refused(user, json!({"audience": "ax-mcp"})).expect_ax(400, "audience_not_allowed");
    assert_eq!(detail["message"], "PAT audience is 'cli' — cannot exchange for 'ax-mcp'");
    refused(mcp, json!({})).expect_ax(400, "audience_not_allowed");
    refused(user, json!({"audience": "elsewhere"})).expect_ax(400, "audience_not_allowed");
    let admin = json!({"requested_token_class": "user_admin", "scope": "messages"});
    let detail = refused(user, admin).expect_ax(400, "scope_not_allowed");
    assert_eq!(detail["message"], "Scopes not allowed for user_admin: ['messages']");
    assert!(detail["allowed"].as_array().unwrap().contains(&json!("agents.create")));
    refused(plain, json!({"scope": "messages tasks"})).expect_ax(400, "scope_not_allowed");
    let detail = refused(bound, json!({"agent_id": other})).expect_ax(403, "binding_not_allowed");
    assert_eq!(detail["message"], "agent_id does not match bound agent");
    let detail = refused(bound, json!({"agent_name": "other"})).expect_ax(403, "binding_not_allowed");
    assert_eq!(detail["message"], "agent_name does not match bound agent");
    // The id takes precedence over the name, and the name may be an id.
    refused(bound, json!({"agent_id": id, "agent_name": "other"})).expect(200);
    refused(bound, json!({"agent_name": id})).expect(200);
    refused(bound, json!({"agent_name": "BOUND"})).expect(200);
}

#[test]
fn failed_exchanges_are_throttled_and_a_valid_key_goes_on() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "5")]);
    let key = user_key(&daemon, json!({}));
    for _ in 0..5 {
        exchange(&daemon, "axp_u_wrong", json!({})).expect_ax(401, "invalid_credential");
    }
    let reply = exchange(&daemon, "axp_u_wrong", json!({}));
    assert!(reply.header("retry-after").is_some());
    reply.expect_ax(429, "rate_limited");
    exchange(&daemon, secret(&key), json!({})).expect(200);
}

#[test]
fn every_exchange_is_in_the_audit_and_no_secret_is() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    exchange(&daemon, secret(&key), json!({})).expect(200);
    exchange(&daemon, secret(&key), json!({"requested_token_class": "agent_access"})).expect(422);
    exchange(&daemon, "axp_u_wrong", json!({})).expect(401);
    assert_eq!(audited(&daemon, "auth.exchange", 3), ["denied", "denied", "ok"]);
    let rows = daemon.operator().get("/api/audit").expect(200);
    assert!(!rows.text().contains(secret(&key)) && !daemon.log_text().contains(secret(&key)));
}

#[test]
fn a_key_is_taken_nowhere_but_at_the_exchange() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    for path in ["/auth/me", "/api/v1/agents", "/credentials"] {
        let detail = daemon.client(secret(&key)).get(path).expect_ax(403, "pat_not_allowed");
        assert_eq!(detail["message"], "PATs cannot be used on business routes");
        daemon.client("axp_nonsense").get(path).expect_ax(403, "pat_not_allowed");
    }
    daemon.client(secret(&key)).get("/api/agents").expect_error(403, "pat_not_allowed");
    token(&daemon, secret(&key), "user_access").get("/auth/me").expect(200);
}
