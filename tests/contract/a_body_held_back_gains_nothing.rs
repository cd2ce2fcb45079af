//! A request is admitted by its head. Whoever then holds back the last byte of the body gains nothing: what counts is
//! what the caller may do when the body is whole.

use serde_json::{Value, json};
use taosd::api::{ApiRoute, routes};

use crate::harness::{path_with, takes_fields};
use crate::support::held::{Held, hold};
use crate::support::{AxReply, Client, Daemon, Reply, text};

/// How many requests are held at once; one peer may have 64 connections.
const AT_ONCE: usize = 40;

/// Makes an admin with one token. Returns its client, and the path of the token.
fn admin(daemon: &Daemon, name: &str) -> (Client, String) {
    daemon.operator().post("/api/users", json!({"username": name, "role": "admin"})).expect(201);
    let made = daemon.operator().post(&format!("/api/users/{name}/tokens"), json!({"scope": ["*"]})).expect(201).json();
    (daemon.client(&text(&made, "token")), format!("/api/users/{name}/tokens/{}", text(&made, "id")))
}

#[track_caller]
fn held(daemon: &Daemon, client: &Client, method: &str, path: &str, body: &Value) -> Held {
    hold(daemon, client, method, path, body).unwrap_or_else(|reply: Reply| panic!("{path}: {}", reply.text()))
}

#[test]
fn no_route_takes_the_body_of_a_token_that_was_revoked_meanwhile() {
    let daemon = Daemon::start();
    let takes: Vec<&'static ApiRoute> = routes()
        .iter()
        .flat_map(|table| table.iter())
        .filter(|route| route.action().is_some() && takes_fields(route))
        .collect();
    let mut ended = 0;
    for (n, some) in takes.chunks(AT_ONCE).enumerate() {
        let (client, token) = admin(&daemon, &format!("admin{n}"));
        let hold_one = |route: &&'static ApiRoute| {
            let held = hold(&daemon, &client, route.method.as_str(), &path_with(route, "nobody"), &json!({}));
            // Some routes take no user's token, and say so at once.
            held.ok().map(|held| (route.id, held))
        };
        let under_way: Vec<_> = some.iter().filter_map(hold_one).collect();
        daemon.operator().delete(&token).expect(204);
        for (id, held) in under_way {
            let reply = held.end();
            assert_eq!(reply.status, 401, "{id}: {}", reply.text());
            ended += 1;
        }
    }
    assert!(ended * 10 > takes.len() * 7, "only {ended} of {} routes took a user's token", takes.len());
}

#[test]
fn an_admin_who_is_demoted_cannot_take_the_role_back() {
    let daemon = Daemon::start();
    let (ann, _) = admin(&daemon, "ann");
    let back = held(&daemon, &ann, "PATCH", "/api/users/ann", &json!({"role": "admin", "disabled": false}));
    let other = held(&daemon, &ann, "POST", "/api/users", &json!({"username": "spare", "role": "admin"}));
    daemon.operator().patch("/api/users/ann", json!({"role": "member"})).expect(200);
    back.end().expect_error(403, "forbidden");
    other.end().expect_error(403, "forbidden");
    daemon.operator().patch("/api/users/ann", json!({"role": "admin"})).expect(200);
    let gone = held(&daemon, &ann, "PATCH", "/api/users/ann", &json!({"display_name": "Still here"}));
    daemon.operator().patch("/api/users/ann", json!({"role": "member", "disabled": true})).expect(200);
    gone.end().expect_error(401, "invalid_token");
    let ann = daemon.operator().get("/api/users/ann").expect(200).json();
    assert_eq!((&ann["role"], &ann["disabled"]), (&json!("member"), &json!(true)));
    daemon.operator().get("/api/users/spare").expect(404);
}

#[test]
fn an_agent_whose_scope_is_narrowed_meanwhile_does_no_more_than_it_says() {
    let daemon = Daemon::start();
    daemon.agent("robot");
    let robot = daemon.agent_token("robot", &["messages.*", "ui.notify"]);
    let said = held(&daemon, &robot, "POST", "/api/v1/messages", &json!({"content": "x"}));
    daemon.operator().put("/api/agents/robot/permissions", json!({"scope": ["agents.read"]})).expect(200);
    said.end().expect_ax(403, "insufficient_scope");
    daemon.operator().put("/api/agents/robot/permissions", json!({"scope": ["messages.*"]})).expect(200);
    let said = held(&daemon, &robot, "POST", "/api/v1/messages", &json!({"content": "x"}));
    daemon.operator().delete("/api/agents/robot").expect(200);
    assert_eq!(said.end().status, 401);
}

#[test]
fn what_an_agent_would_give_away_is_no_more_than_it_has_left() {
    let daemon = Daemon::start();
    let id = daemon.agent("maker");
    let maker = daemon.agent_token("maker", &["agents.*", "messages.*"]);
    daemon.grant("agent:maker", "*", "creator");
    let made = json!({"name": "made", "scope": ["messages.*"]});
    let made = held(&daemon, &maker, "POST", "/api/agents", &made);
    daemon.operator().put("/api/agents/maker/permissions", json!({"scope": ["agents.*"]})).expect(200);
    made.end().expect_error(403, "scope_exceeds_issuer");
    daemon.operator().get("/api/agents/made").expect(404);
    assert_eq!(daemon.number("SELECT count(*) FROM agents WHERE id <> ?1", [&id]), 0);
}
