//! Users, their tokens, and grants.

use serde_json::{Value, json};

use super::{Case, case};
use crate::harness::Harness;
use crate::support::{Client, text};

pub const CASES: &[Case] = &[
    case("users_list", "", |w| {
        let reply = w.operator().get("/api/users").expect(200);
        assert_eq!(reply.json()[0]["username"], "operator", "oldest first");
        reply
    }),
    case("users_create", "", |w| {
        let name = w.name();
        let sent = json!({"username": name, "display_name": " Änne ", "role": "admin"});
        let reply = w.operator().post("/api/users", sent).expect(201);
        assert_eq!(reply.header("location"), Some(format!("/api/users/{name}").as_str()));
        assert_eq!(reply.json(), w.operator().get(&format!("/api/users/{name}")).expect(200).json());
        assert_eq!((&reply.json()["display_name"], &reply.json()["role"]), (&json!("Änne"), &json!("admin")));
        w.operator().delete(&format!("/api/users/{name}")).expect(204);
        reply
    }),
    case("users_create", "username_taken", |w| w.operator().post("/api/users", json!({"username": w.user()}))),
    case("users_create", "limit_reached", |_| {
        let full = Harness::new();
        full.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
            INSERT INTO users (id, username, display_name, role, created_at, updated_at)
            SELECT 'u' || i, 'u' || i, 'u', 'member', 1, 1 FROM n",
            [],
        );
        full.operator().post("/api/users", json!({"username": "more"}))
    }),
    case("users_get", "", |w| {
        let name = w.name();
        let own = w.daemon.member(&name, &["users.read"]).get(&format!("/api/users/{name}")).expect(200);
        assert_eq!((&own.json()["username"], &own.json()["role"]), (&json!(name), &json!("member")));
        w.member().get(&format!("/api/users/{name}")).expect_error(404, "user_not_found");
        own
    }),
    case("users_update", "", |w| {
        let name = w.user();
        let sent = json!({"display_name": "N", "role": "admin", "disabled": true});
        let reply = w.operator().patch(&format!("/api/users/{name}"), sent.clone()).expect(200);
        let stored = w.operator().get(&format!("/api/users/{name}")).expect(200).json();
        assert_eq!(reply.json(), stored);
        sent.as_object().expect("an object").iter().for_each(|(field, value)| assert_eq!(stored[field], *value));
        reply
    }),
    case("users_update", "last_admin", |w| {
        let reply = w.operator().patch("/api/users/operator", json!({"role": "member"}));
        w.operator().patch("/api/users/operator", json!({"disabled": true})).expect_error(409, "last_admin");
        assert_eq!(w.operator().get("/api/users/operator").expect(200).json()["role"], "admin");
        reply
    }),
    case("users_delete", "", |w| {
        let name = w.name();
        let token = w.daemon.member(&name, &["*"]);
        let reply = w.operator().delete(&format!("/api/users/{name}")).expect(204);
        token.get("/api/auth/whoami").expect_error(401, "invalid_token");
        w.operator().get(&format!("/api/users/{name}")).expect_error(404, "user_not_found");
        reply
    }),
    case("users_delete", "cannot_delete_self", |w| w.operator().delete("/api/users/operator")),
    case("users_delete", "user_owns_agents", |w| {
        let (name, agent) = (w.name(), w.name());
        let member = w.daemon.member(&name, &["*"]);
        w.daemon.grant(&format!("user:{name}"), "*", "creator");
        w.daemon.agent_by(&member, &agent);
        w.operator().delete(&format!("/api/agents/{agent}")).expect(200);
        w.operator().delete(&format!("/api/users/{name}"))
    }),
    case("users_token_issue", "", |w| {
        let name = w.user();
        let sent = json!({"label": " laptop ", "scope": ["agents.read"], "expires_in_days": 1});
        let reply = w.operator().post(&format!("/api/users/{name}/tokens"), sent).expect(201);
        let issued = reply.json();
        let whoami = w.daemon.client(&text(&issued, "token")).get("/api/auth/whoami").expect(200).json();
        assert_eq!((&whoami["username"], &whoami["credential_id"]), (&json!(name), &issued["id"]));
        assert_eq!((&whoami["scope"], &whoami["expires_at"]), (&json!(["agents.read"]), &issued["expires_at"]));
        assert_eq!(issued["label"], "laptop");
        reply
    }),
    case("users_token_issue", "limit_reached", |w| {
        let path = format!("/api/users/{}/tokens", w.user());
        let first = text(&w.operator().post(&path, json!({})).expect(201).json(), "id");
        for _ in 1..100 {
            w.operator().post(&path, json!({})).expect(201);
        }
        let reply = w.operator().post(&path, json!({}));
        w.operator().delete(&format!("{path}/{first}")).expect(204);
        w.operator().post(&path, json!({})).expect(201);
        reply
    }),
    case("users_token_list", "", |w| {
        let name = w.user();
        let id = w.user_token_of(&name);
        let reply = w.operator().get(&format!("/api/users/{name}/tokens")).expect(200);
        assert_eq!((reply.json().as_array().map(Vec::len), &reply.json()[0]["id"]), (Some(1), &json!(id)));
        reply
    }),
    case("users_token_revoke", "", |w| {
        let name = w.name();
        let token = w.daemon.member(&name, &["*"]);
        let id = text(&token.get("/api/auth/whoami").expect(200).json(), "credential_id");
        let reply = token.delete(&format!("/api/users/{name}/tokens/{id}")).expect(204);
        token.get("/api/auth/whoami").expect_error(401, "invalid_token");
        assert_eq!(w.operator().get(&format!("/api/users/{name}/tokens")).expect(200).json(), json!([]));
        reply
    }),
    case("users_token_revoke", "forbidden", |w| {
        // A token may not free itself from the token that issued it.
        let name = w.user();
        let issue = |by: &Client| {
            let path = format!("/api/users/{name}/tokens");
            by.post(&path, json!({"scope": ["users.token.*"]})).expect(201).json()
        };
        let first = issue(&w.operator());
        let second = issue(&w.daemon.client(first["token"].as_str().expect("a token")));
        let path = format!("/api/users/{name}/tokens/{}?cascade=none", first["id"].as_str().expect("an id"));
        w.daemon.client(second["token"].as_str().expect("a token")).delete(&path)
    }),
    case("users_token_revoke", "token_not_found", |w| {
        let (one, other) = (w.user(), w.user());
        let id = w.user_token_of(&one);
        w.operator().delete(&format!("/api/users/{other}/tokens/{id}"))
    }),
    case("grants_create", "", |w| {
        let (agent, user) = (w.agent(), w.user());
        let id = text(&w.daemon.record(&agent), "id");
        let sent =
            |role: &str| json!({"principal": format!("user:{user}"), "resource": format!("agent:{id}"), "role": role});
        let reply = w.operator().post("/api/grants", sent("viewer")).expect(201);
        let given = reply.json();
        assert_eq!((&given["principal"], &given["resource"]), (&sent("")["principal"], &sent("")["resource"]));
        assert_eq!((&given["role"], &given["granted_by"]), (&json!("viewer"), &json!("user:operator")));
        assert_eq!(w.operator().post("/api/grants", sent("viewer")).expect(200).json(), given, "again");
        let changed = w.operator().post("/api/grants", sent("owner")).expect(200).json();
        assert_eq!((&changed["id"], &changed["role"]), (&given["id"], &json!("owner")));
        let listed = w.operator().get(&format!("/api/grants?principal=user:{user}")).expect(200).json();
        assert_eq!(listed, Value::Array(vec![changed]));
        reply
    }),
    case("grants_create", "agent_not_found", |w| {
        w.operator()
            .post("/api/grants", json!({"principal": "user:operator", "resource": "agent:no", "role": "viewer"}))
    }),
    case("grants_create", "forbidden", |w| {
        let agent = w.agent();
        let id = text(&w.daemon.record(&agent), "id");
        let on_all = json!({"principal": "user:operator", "resource": "agent:*", "role": "creator"});
        w.member().post("/api/grants", on_all).expect_error(403, "forbidden");
        let on_one = json!({"principal": "user:operator", "resource": format!("agent:{id}"), "role": "viewer"});
        w.member().post("/api/grants", on_one.clone()).expect_error(404, "agent_not_found");
        w.member_on(&agent, "editor").post("/api/grants", on_one)
    }),
    case("grants_create", "principal_not_found", |w| {
        w.operator().post("/api/grants", json!({"principal": "user:nobody", "resource": "agent:*", "role": "creator"}))
    }),
    case("grants_create", "space_forbidden", |w| {
        let space = text(&w.operator().get("/auth/me").expect(200).json(), "space_id");
        let on = |resource: String| json!({"principal": "user:operator", "resource": resource, "role": "viewer"});
        let reply = w.member().post("/api/grants", on(format!("space:{space}")));
        let unknown = w.member().post("/api/grants", on("space:nowhere".to_owned())).expect(403);
        assert_eq!(unknown.body, reply.body, "nothing tells whether there is such a space");
        reply
    }),
    case("grants_create", "too_many_members", |w| {
        let made = w.operator().post("/api/spaces/create", json!({"name": "Full"})).expect(201).json();
        let space = text(&made["space"], "id");
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)";
        let users = format!("{numbers} INSERT INTO users SELECT 'f' || i, 'filler' || i, '', 'member', 0, 0, 0 FROM n");
        w.daemon.execute(&users, []);
        let grants = format!(
            "{numbers} INSERT INTO grants (id, principal_user_id, space_id, role, granted_by, granted_at)
                SELECT 'g' || i, 'f' || i, ?1, 'viewer', 'x', 0 FROM n"
        );
        w.daemon.execute(&grants, [&space]);
        let one_more = json!({"principal": "user:operator", "resource": format!("space:{space}"), "role": "viewer"});
        let reply = w.operator().post("/api/grants", one_more);
        w.daemon.execute(
            "DELETE FROM users WHERE id IN (SELECT principal_user_id FROM grants WHERE space_id = ?1)",
            [&space],
        );
        reply
    }),
    case("grants_create", "limit_reached", |_| {
        let w = Harness::new();
        let (agent, user) = (w.agent(), w.user());
        let id = text(&w.daemon.record(&agent), "id");
        w.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
            INSERT INTO users (id, username, display_name, role, created_at, updated_at)
            SELECT 'u' || i, 'u' || i, 'u', 'member', 1, 1 FROM n",
            [],
        );
        w.daemon.execute(
            "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
            SELECT 'g' || id, id, ?1, 'viewer', 'user:operator', 1 FROM users WHERE id GLOB 'u[0-9]*'",
            [&id],
        );
        let sent = |user: &str| json!({"principal": format!("user:{user}"), "resource": format!("agent:{id}"), "role": "editor"});
        w.operator().post("/api/grants", sent("u1")).expect(200);
        w.operator().post("/api/grants", sent(&user))
    }),
    case("grants_list", "", |w| {
        let agent = w.agent();
        let id = text(&w.daemon.record(&agent), "id");
        let reply = w.operator().get(&format!("/api/grants?resource=agent:{id}")).expect(200);
        let roles: Vec<_> = reply.json().as_array().expect("a list").iter().map(|g| text(g, "principal")).collect();
        assert_eq!(roles, ["user:operator"], "the owner's own");
        assert_eq!(w.member_on(&agent, "editor").get("/api/grants").expect(200).json(), json!([]));
        reply
    }),
    case("grants_delete", "", |w| {
        let agent = w.agent();
        let member = w.member_on(&agent, "viewer");
        let id = text(&w.daemon.record(&agent), "id");
        let grant = text(&w.operator().get(&format!("/api/grants?resource=agent:{id}")).json()[1], "id");
        member.get(&format!("/api/agents/{agent}")).expect(200);
        member.delete(&format!("/api/grants/{grant}")).expect_error(404, "grant_not_found");
        let reply = w.operator().delete(&format!("/api/grants/{grant}")).expect(204);
        member.get(&format!("/api/agents/{agent}")).expect_error(404, "agent_not_found");
        reply
    }),
    case("grants_delete", "grant_not_found", |w| w.operator().delete("/api/grants/none")),
    case("users_sessions_list", "", |w| {
        let user = w.user();
        let token = w.daemon.user_token(&user, &["*"]).token().to_owned();
        w.daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200);
        let reply = w.operator().get(&format!("/api/users/{user}/sessions")).expect(200);
        assert_eq!(reply.json().as_array().map(Vec::len), Some(1));
        w.member().get(&format!("/api/users/{user}/sessions")).expect_error(404, "user_not_found");
        reply
    }),
    case("users_sessions_end", "", |w| {
        let user = w.user();
        let token = w.daemon.user_token(&user, &["*"]).token().to_owned();
        let opened = w.daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200);
        let cookie = opened.header("set-cookie").and_then(|c| c.split(';').next()).expect("a cookie").to_owned();
        let page = || w.daemon.anonymous().with("Cookie", &cookie).get("/api/auth/whoami");
        page().expect(200);
        w.member().delete(&format!("/api/users/{user}/sessions")).expect_error(404, "user_not_found");
        let reply = w.operator().delete(&format!("/api/users/{user}/sessions")).expect(200);
        assert_eq!(reply.json(), json!({"ended": 1}));
        page().expect_error(401, "invalid_token");
        reply
    }),
    case("oauth_grants_list", "", |w| w.request_for("oauth_grants_list").by(&w.operator())),
    case("oauth_grants_revoke", "", |w| w.request_for("oauth_grants_revoke").by(&w.operator())),
    case("oauth_grants_revoke", "grant_not_found", |w| w.operator().delete("/api/oauth/grants/none")),
    case("oauth_clients_list", "", |w| w.request_for("oauth_clients_list").by(&w.operator())),
    case("oauth_clients_create", "", |w| w.request_for("oauth_clients_create").by(&w.operator())),
    case("oauth_clients_create", "invalid_redirect_uri", |w| {
        w.operator().post("/api/oauth/clients", json!({"name": "x", "redirect_uris": ["http://box.lan/"]}))
    }),
    case("oauth_clients_create", "limit_reached", |w| {
        w.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                INSERT INTO oauth_clients SELECT 'c' || i, 'c', '[]', NULL, 0, 'x', i FROM n",
            [],
        );
        let refused = w.operator().post("/api/oauth/clients", json!({"name": "x"}));
        w.daemon.execute("DELETE FROM oauth_clients WHERE created_by = 'x'", []);
        refused
    }),
    case("oauth_clients_delete", "", |w| w.request_for("oauth_clients_delete").by(&w.operator())),
    case("oauth_clients_delete", "oauth_client_not_found", |w| w.operator().delete("/api/oauth/clients/none")),
];
