//! Only a good short-lived token is accepted, and each refusal says why.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::ax::client::{agent, agent_key, claims, exchange, forged, header, secret, signing_key, user_key};
use crate::support::{AxReply, Daemon};

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

#[test]
fn altered_unsigned_foreign_early_and_late_tokens_are_refused() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    let good =
        exchange(&daemon, secret(&key), json!({})).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let (head, body, own) = (header(&good), claims(&good), signing_key(&daemon));
    let with = |base: &Value, name: &str, value: Value| {
        let mut changed = base.clone();
        changed[name] = value;
        changed
    };
    let me = |token: &str| daemon.client(token).get("/auth/me");
    me(&forged(&head, &body, &own)).expect(200);

    let unsigned = forged(&with(&head, "alg", json!("none")), &body, &own);
    let bare = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    let mut flipped = good.clone().into_bytes();
    let at = good.find('.').unwrap() + 20;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    for bad in [
        unsigned,
        bare,
        String::from_utf8(flipped).unwrap(),
        forged(&with(&head, "alg", json!("HS256")), &body, &own),
        forged(&with(&head, "kid", json!("../../etc/passwd")), &body, &own),
        forged(&head, &body, &SigningKey::from_bytes(&[1; 32])),
        forged(&head, &with(&body, "iss", json!("else")), &own),
        forged(&head, &with(&body, "aud", json!("else")), &own),
        forged(&head, &with(&body, "nbf", json!(now() + 600)), &own),
        forged(&head, &with(&body, "iat", json!(now() + 600)), &own),
        forged(&head, &with(&body, "token_class", json!("root")), &own),
        format!("{good}."),
        format!("{good}="),
    ] {
        me(&bad).expect_ax(401, "invalid_token");
    }
    me(&forged(&head, &with(&body, "exp", json!(now() - 1)), &own)).expect_ax(401, "token_expired");
    for (name, value) in [("credential_id", "no-such"), ("sub", "somebody"), ("user_id", "somebody")] {
        me(&forged(&head, &with(&body, name, json!(value)), &own)).expect_ax(401, "invalid_credential");
    }
    // The daemon's own dialect has one code for all of these.
    daemon.client("eyJh.e30.AAAA").get("/api/agents").expect_error(401, "invalid_token");
}

#[test]
fn words_a_token_claims_beyond_its_key_are_worth_nothing() {
    let daemon = Daemon::start();
    let key = user_key(&daemon, json!({"scopes": ["spaces.list"]}));
    let good =
        exchange(&daemon, secret(&key), json!({})).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let mut body = claims(&good);
    body["scope"] = json!("messages tasks context agents spaces search nonsense");
    let wide = daemon.client(&forged(&header(&good), &body, &signing_key(&daemon)));
    wide.get("/api/v1/spaces").expect(200);
    let detail = wide.get("/api/v1/agents").expect_ax(403, "insufficient_scope");
    assert_eq!(detail["message"], "Missing required scopes: ['agents:read']");
}

#[test]
fn a_token_for_other_services_is_refused_on_every_route_here() {
    let daemon = Daemon::start();
    let id = agent(&daemon, "m")["id"].as_str().unwrap().to_owned();
    let key = agent_key(&daemon, &id, json!({"audience": "both"}));
    let reply = exchange(&daemon, secret(&key), json!({"audience": "ax-mcp"})).expect(200).json();
    let client = daemon.client(reply["access_token"].as_str().unwrap());
    client.get("/auth/me").expect_ax(403, "audience_not_allowed");
    client.get("/api/v1/agents").expect_ax(403, "audience_not_allowed");
    client.get("/api/agents").expect_error(403, "audience_not_allowed");
}

#[test]
fn the_jwk_set_is_public_under_any_name_and_holds_no_secret() {
    let daemon = Daemon::start();
    let reply = daemon.anonymous().with("Host", "elsewhere.example").get("/.well-known/jwks.json").expect(200);
    let key = &reply.json()["keys"][0];
    for (name, value) in [("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig"), ("alg", "EdDSA")] {
        assert_eq!(key[name], value);
    }
    assert!(key.get("d").is_none() && key["x"].as_str().unwrap().len() == 43);
}
