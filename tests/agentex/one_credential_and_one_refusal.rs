//! A request has one credential. Every bad credential gets the same reply.

use std::collections::BTreeSet;

use crate::agentex::harness::{creator, key, register, with_key};
use crate::support::{Daemon, text};

#[test]
fn every_bad_credential_gets_the_same_answer() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let internal = text(&register(&ann, "mailer"), "agent_api_key");
    let external = text(&key(&ann, "mailer", "hook", "external"), "api_key");
    let dead = daemon.agent_token("mailer", &["*"]);
    daemon.agent_token("mailer", &["*"]);
    let unknown = format!("taos_key_{}", "A".repeat(43));
    let mut bodies = BTreeSet::new();
    for client in [
        daemon.anonymous(),
        daemon.client(""),
        daemon.client("x"),
        daemon.client(&format!("taos_user_{}", "A".repeat(43))),
        daemon.client(&internal),
        daemon.client(&external),
        dead.clone(),
        with_key(&daemon, dead.token()),
        with_key(&daemon, &external),
        with_key(&daemon, &unknown),
        with_key(&daemon, ""),
        with_key(&daemon, ann.token()),
        daemon.anonymous().with("Authorization", &format!("AgentKey {internal}")),
        daemon.anonymous().with("Authorization", "Basic YTpi"),
    ] {
        for path in ["/agents", "/agents/name/mailer", "/agents/name/nobody", "/agent_api_keys?agent_name=mailer"] {
            let refused = client.get(path).expect_agentex(401, "unauthenticated");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            bodies.insert(refused.body);
        }
    }
    assert_eq!(bodies.len(), 1);
}

#[test]
fn two_credentials_count_for_nothing_even_if_both_are_good() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let internal = text(&register(&ann, "mailer"), "agent_api_key");
    for client in [
        ann.with("x-agent-api-key", &internal),
        ann.with("Authorization", &format!("Bearer {}", ann.token())),
        with_key(&daemon, &internal).with("X-Agent-Api-Key", &internal),
    ] {
        client.get("/agents").expect_agentex(400, "two_credentials");
        client.get("/agents/forward/name/mailer/x").expect_agentex(400, "two_credentials");
    }
}

#[test]
fn a_key_for_the_exchange_is_told_to_be_exchanged() {
    let daemon = Daemon::start();
    let pat = "axp_u_ABCDEFGHIJ.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    daemon.client(pat).get("/agents").expect_agentex(403, "pat_not_allowed");
    with_key(&daemon, pat).get("/agents").expect_agentex(403, "pat_not_allowed");
}

#[test]
fn what_is_left_out_says_so_without_looking_anything_up() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let mut bodies = BTreeSet::new();
    for (method, path) in [
        ("POST", "/agents/nobody/rpc"),
        ("POST", "/agents/name/nobody/rpc"),
        ("POST", "/agents/nobody/deployments/d/rpc"),
        ("GET", "/agents/nobody/schedules"),
        ("PATCH", "/agents/nobody/schedules/name/x/pause"),
        ("POST", "/agent_api_keys/webhook-trigger"),
    ] {
        let refused = ann.send(method, path, None).expect_agentex(501, "not_supported");
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        bodies.insert(refused.body);
        daemon.anonymous().send(method, path, None).expect_agentex(401, "unauthenticated");
    }
    assert_eq!(bodies.len(), 1);
    for path in ["/tasks", "/messages/x", "/spans", "/tracker", "/slack", "/agents/a/b/c"] {
        ann.get(path).expect_agentex(404, "not_found");
    }
    daemon.anonymous().get("/healthcheck").expect(200);
}
