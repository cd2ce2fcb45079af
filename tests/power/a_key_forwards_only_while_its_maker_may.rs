//! An external key of an agent may forward only what its maker may, both when it is made and at each use.

use serde_json::json;

use crate::support::{Client, Daemon, text};

const PATH: &str = "/agents/forward/name/mailer/x";

/// The status of a forwarded request. 409: it passed every check of the key, but the agent has no usable address. 401:
/// the key is no longer valid.
fn status(daemon: &Daemon, key: &str) -> u16 {
    daemon.anonymous().with("x-agent-api-key", key).get(PATH).status
}

fn external(client: &Client, name: &str) -> String {
    let body = json!({"agent_name": "mailer", "name": name, "api_key_type": "external"});
    text(&client.post("/agent_api_keys", body).expect(200).json(), "api_key")
}

#[test]
fn a_token_that_cannot_forward_makes_no_key_that_can() {
    let daemon = Daemon::start();
    let body = json!({"name": "mailer", "description": "", "acp_url": "http://192.0.2.1:1", "acp_type": "async"});
    daemon.operator().post("/agents/register", body).expect(200);
    let narrow = daemon.user_token("operator", &["agents.keys.create"]);
    let body = json!({"agent_name": "mailer", "name": "k"});
    narrow.post("/agent_api_keys", body).expect_agentex(403, "scope_exceeds_issuer");
    let forwarding = daemon.user_token("operator", &["agents.keys.create", "agents.forward"]);
    assert_eq!(status(&daemon, &external(&forwarding, "k")), 409);
}

#[test]
fn it_ends_with_its_makers_right() {
    let daemon = Daemon::start();
    let body = json!({"name": "mailer", "description": "", "acp_url": "http://192.0.2.1:1", "acp_type": "async"});
    let id = text(&daemon.operator().post("/agents/register", body).expect(200).json(), "id");
    let editor = daemon.member("ed", &["*"]);
    daemon.grant("user:ed", &id, "editor");
    let key = external(&editor, "hook");
    assert_eq!(status(&daemon, &key), 409);
    daemon.grant("user:ed", &id, "viewer");
    assert_eq!(status(&daemon, &key), 401);
    daemon.grant("user:ed", &id, "editor");
    assert_eq!(status(&daemon, &key), 409);
    daemon.operator().patch("/api/users/ed", json!({"disabled": true})).expect(200);
    assert_eq!(status(&daemon, &key), 401);
    daemon.operator().delete("/api/users/ed").expect(204);
    assert_eq!(status(&daemon, &key), 401);
    // A new user with the same name is another user.
    daemon.member("ed", &["*"]);
    daemon.grant("user:ed", &id, "editor");
    assert_eq!(status(&daemon, &key), 401);
}

#[test]
fn an_internal_key_is_no_more_than_its_maker_whatever_the_agent_is_given_later() {
    let daemon = Daemon::start();
    daemon.agent("mailer");
    let narrow = daemon.user_token("operator", &["agents.keys.create", "agents.list"]);
    let make = |by: &Client, name: &str| {
        let body = json!({"agent_name": "mailer", "name": name, "api_key_type": "internal"});
        let key = text(&by.post("/agent_api_keys", body).expect(200).json(), "api_key");
        daemon.anonymous().with("x-agent-api-key", &key)
    };
    let (narrow, wide) = (make(&narrow, "narrow"), make(&daemon.operator(), "wide"));
    daemon.operator().put("/api/agents/mailer/permissions", json!({"scope": ["agents.list"]})).expect(200);
    let read = "/agents/name/mailer";
    assert_eq!((narrow.get("/agents").status, wide.get("/agents").status), (200, 200));
    assert_eq!((narrow.get(read).status, wide.get(read).status), (403, 403));
    daemon.operator().put("/api/agents/mailer/permissions", json!({"scope": ["agents.*"]})).expect(200);
    assert_eq!((narrow.get(read).status, wide.get(read).status), (403, 200));
}
