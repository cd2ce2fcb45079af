//! Every route of the table, tried with every kind of credential, is allowed exactly if the table says so.
//!
//! Only the access check counts: a request that passes it may still be refused for its body or its object.

use serde_json::json;
use taosd::access::Class;
use taosd::access::scopes::ax_scopes;
use taosd::api::{ApiRoute, routes};
use taosd::rest::error::Dialect;
use taosd::rest::route::Access;

use crate::ax::client::{agent, agent_key, exchange, secret, user_key};
use crate::support::{Client, Daemon};

/// The result of the access check.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Refused(&'static str),
}

const REFUSALS: &[&str] = &[
    "pat_not_allowed",
    "admin_required",
    "user_required",
    "insufficient_scope",
    "scope_denied",
    "invalid_token",
    "auth_required",
    "not_authenticated",
];

fn verdict(client: &Client, route: &ApiRoute) -> Verdict {
    let mut path = route.path.replace("...}", "}");
    for name in route.parameters() {
        path = path.replace(&format!("{{{name}}}"), "nothing-of-this-name");
    }
    // No route accepts this body, so a request that passes the check changes nothing.
    let body: Option<&[u8]> = if matches!(route.method.as_str(), "GET" | "DELETE") { None } else { Some(b"[]") };
    let reply = client.send(route.method.as_str(), &path, body);
    let code = match reply.body.is_empty() || !reply.header("content-type").is_some_and(|t| t.contains("json")) {
        true => String::new(),
        false => {
            let body = reply.json();
            body["detail"]["error"].as_str().or(body["error"].as_str()).unwrap_or("").to_owned()
        }
    };
    REFUSALS.iter().find(|refusal| **refusal == code).map_or(Verdict::Passed, |refusal| Verdict::Refused(refusal))
}

/// Whether the table allows a caller of this class with these scope words, whose key holds everything.
fn expected(route: &ApiRoute, class: Class, words: &str) -> bool {
    let power = ax_scopes::power(class, words);
    match route.access {
        Access::Public(_) => true,
        Access::Bearer(..) => false,
        Access::Class(classes, action, _) => classes.contains(&class) && power.allow(class.action(action)),
        Access::Action(action, _) | Access::AtOnce(action, _) => {
            power.allow(action) && (!action.is_admin() || class != Class::Agent)
        }
    }
}

/// Every route except the streams, which this client would read for ever, those of Agentex clients, whose one refusal
/// the target `agentex` tests, and that of MCP clients, whose tokens have another audience (target `mcp`).
fn table() -> impl Iterator<Item = &'static ApiRoute> {
    routes()
        .iter()
        .flat_map(|rows| rows.iter())
        .filter(|route| !route.path.ends_with("/stream"))
        .filter(|route| !matches!(route.dialect, Dialect::Agentex | Dialect::Mcp))
}

#[test]
fn an_agents_token_passes_exactly_where_the_table_says() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let id = agent(&daemon, "probe")["id"].as_str().unwrap().to_owned();
    daemon.operator().put("/api/agents/probe/permissions", json!({"scope": ["*"]})).expect(200);
    let scopes = json!({"name": "k", "bound_agent_id": id, "scopes": ["*"]});
    let key = daemon.operator().post("/api/v1/keys", scopes).expect(201).json();
    let issued = daemon.operator().post("/api/agents/probe/token/issue", json!({"scope": ["*"]})).expect(200).json();
    let own = daemon.client(issued["token"].as_str().unwrap());
    let words = "messages tasks context agents spaces search";
    let reply = exchange(&daemon, secret(&key), json!({"scope": words})).expect(200).json();
    let jwt = daemon.client(reply["access_token"].as_str().unwrap());
    let default_key = agent_key(&daemon, &id, json!({}));
    let reply = exchange(&daemon, secret(&default_key), json!({})).expect(200).json();
    let default = daemon.client(reply["access_token"].as_str().unwrap());
    for route in table() {
        let name = format!("{} {}", route.method, route.path);
        let bearer = matches!(route.access, Access::Bearer(..));
        if !bearer {
            assert_eq!(verdict(&jwt, route) == Verdict::Passed, expected(route, Class::Agent, words), "jwt at {name}");
            assert_eq!(
                verdict(&default, route) == Verdict::Passed,
                expected(route, Class::Agent, words),
                "jwt of a default key at {name}"
            );
        }
        // The agent's own token with every scope passes unless the route is only for users or managers.
        let may = match route.access {
            Access::Class(classes, ..) => classes.contains(&Class::Agent),
            // An admin's action is refused with `forbidden`, which is not one of the refusals tested here.
            _ => true,
        };
        assert_eq!(verdict(&own, route) == Verdict::Passed, may, "own token at {name}");
    }
    assert_eq!(daemon.operator().get("/api/v1/agents").expect(200).json()["count"], 1);
}

#[test]
fn a_users_tokens_pass_exactly_where_the_table_says() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let key = user_key(&daemon, json!({}));
    for (class, words) in [
        (Class::User, "messages tasks context agents spaces search"),
        (Class::User, "messages:read"),
        (Class::Admin, "agents.create agents.bind credentials.issue.agent credentials.revoke delegations.manage"),
        (Class::Admin, "credentials.revoke"),
    ] {
        let body = json!({"requested_token_class": class.as_str(), "scope": words});
        let reply = exchange(&daemon, secret(&key), body).expect(200).json();
        let client = daemon.client(reply["access_token"].as_str().unwrap());
        for route in table().filter(|route| !matches!(route.access, Access::Bearer(..))) {
            let passed = verdict(&client, route) == Verdict::Passed;
            assert_eq!(passed, expected(route, class, words), "{} {} {words}", route.method, route.path);
        }
    }
}

#[test]
fn a_key_itself_passes_at_the_exchange_and_the_fingerprint_alone() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let key = user_key(&daemon, json!({}));
    let client = daemon.client(secret(&key));
    for route in table() {
        let takes = match route.access {
            Access::Public(_) => true,
            // Introspection takes a token, or the credentials of a registered client.
            Access::Bearer(..) => route.id != "oauth_introspect",
            Access::Class(classes, ..) => classes.contains(&Class::Key),
            Access::Action(..) | Access::AtOnce(..) => false,
        };
        let wanted = if takes { Verdict::Passed } else { Verdict::Refused("pat_not_allowed") };
        assert_eq!(verdict(&client, route), wanted, "{} {}", route.method, route.path);
    }
}

#[test]
fn without_a_credential_only_what_is_public_passes() {
    let daemon = Daemon::start();
    for route in table() {
        let public = matches!(route.access, Access::Public(_));
        let found = verdict(&daemon.anonymous(), route);
        assert_eq!(found == Verdict::Passed, public, "{} {}: {found:?}", route.method, route.path);
    }
}
