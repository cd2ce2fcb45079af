//! Requests, questions to the user, and the stream of what changes.

use serde_json::{Value, json};

use super::{Case, case};
use crate::harness::{Harness, route};
use crate::support::{Client, Reply, text};

fn scope() -> Value {
    json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r"})
}

fn question(n: usize) -> Value {
    json!({"question": format!("{n}?")})
}

/// An agent sends the same key with another body.
fn reused(w: &Harness, id: &str, body: &Value) -> Reply {
    let (agent, path) = (w.asker().with("Idempotency-Key", "k"), route(id).path);
    assert!([200, 201].contains(&agent.post(path, body.clone()).status));
    agent.send("POST", path, Some(format!("{body} ").as_bytes()))
}

/// An agent uses a key that is reserved by a request that never ends.
fn in_flight(w: &Harness, id: &str, body: &Value) -> Reply {
    let (agent, path) = (w.asker(), route(id).path);
    let key = format!("agent:{}", text(&agent.get("/api/auth/whoami").expect(200).json(), "agent_id"));
    w.daemon.execute(
        "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at) VALUES (?1, ?2, 'k', ?3, 'gone', 1)",
        (key, format!("POST {path}"), blake3::hash(body.to_string().as_bytes()).as_bytes()),
    );
    agent.with("Idempotency-Key", "k").post(path, body.clone())
}

/// Makes a member with only this role on an agent, and a request of the member's own agent for a role on it. Returns
/// the member's client and the path to approve the request.
fn without_right(w: &Harness, role: Option<&str>) -> (Client, String) {
    let (thing, member) = (w.agent(), w.name());
    let client = w.daemon.member(&member, &["*"]);
    w.daemon.grant(&format!("user:{member}"), "*", "creator");
    let own = w.name();
    w.daemon.agent_by(&client, &own);
    if let Some(role) = role {
        let id = text(&w.daemon.record(&thing), "id");
        w.daemon.grant(&format!("user:{member}"), &id, role);
    }
    let issued = client.post(&format!("/api/agents/{own}/token/issue"), json!({})).expect(200).json();
    let agent = w.daemon.client(&text(&issued, "token"));
    let body = json!({"kind": "grant", "resource": format!("agent:{thing}"), "role": "editor", "reason": "r"});
    let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
    (client, format!("/api/requests/{id}/approve"))
}

fn asked_grant(w: &Harness, resource: String) -> String {
    let body = json!({"kind": "grant", "resource": resource, "role": "viewer", "reason": "r"});
    let id = text(&w.asker().post("/api/requests", body).expect(201).json(), "id");
    format!("/api/requests/{id}/approve")
}

fn decided(w: &Harness, what: &str) -> Reply {
    let id = w.asked().1;
    w.operator().post(&format!("/api/requests/{id}/deny"), json!({})).expect(200);
    w.operator().post(&format!("/api/requests/{id}/{what}"), json!({}))
}

fn by_an_agent(w: &Harness, id: &str) -> Reply {
    let agent = w.daemon.agent_token(&w.agent(), &["*"]);
    w.request_for(id).by(&agent)
}

fn nothing(w: &Harness, what: &str) -> Reply {
    w.operator().post(&format!("/api/requests/nothing/{what}"), json!({}))
}

/// Makes a join under this name. Returns the path to approve it.
fn joining(w: &Harness, name: &str) -> String {
    let body = json!({"name": name, "reason": "r"});
    let id = text(&w.daemon.anonymous().post("/api/joins", body).expect(201).json(), "id");
    format!("/api/requests/{id}/approve")
}

pub const CASES: &[Case] = &[
    case("requests_create", "", |w| {
        let reply = w.asker().post("/api/requests", scope()).expect(201);
        let id = text(&reply.json(), "id");
        assert_eq!(reply.header("location"), Some(format!("/api/requests/{id}").as_str()));
        assert_eq!(w.daemon.text("SELECT state FROM requests WHERE id = ?1", [&id]), "pending");
        reply
    }),
    case("requests_create", "agent_required", |w| w.operator().post("/api/requests", scope())),
    case("requests_create", "invalid_scope", |w| {
        w.asker().post("/api/requests", json!({"kind": "scope", "scope": ["no.such"], "reason": "r"}))
    }),
    case("requests_create", "recently_denied", |w| {
        let (agent, id) = w.asked();
        w.operator().post(&format!("/api/requests/{id}/deny"), json!({})).expect(200);
        agent.post("/api/requests", scope())
    }),
    case("requests_create", "too_many_requests_pending", |w| {
        let agent = w.asker();
        for action in ["agents.logs", "agents.update", "agents.delete", "agents.export", "users.read"] {
            agent.post("/api/requests", json!({"kind": "scope", "scope": [action], "reason": "r"})).expect(201);
        }
        agent.post("/api/requests", json!({"kind": "scope", "scope": ["audit.read"], "reason": "r"}))
    }),
    case("requests_create", "idempotency_key_reused", |w| reused(w, "requests_create", &scope())),
    case("requests_create", "idempotency_in_flight", |w| in_flight(w, "requests_create", &scope())),
    case("requests_list", "", |w| {
        let (agent, id) = w.asked();
        let reply = agent.get("/api/requests?state=pending&kind=scope").expect(200);
        assert_eq!(reply.json()[0]["id"], json!(id));
        reply
    }),
    case("requests_get", "", |w| {
        let (agent, id) = w.asked();
        let reply = agent.get(&format!("/api/requests/{id}")).expect(200);
        assert_eq!(reply.json()["state"], "pending");
        reply
    }),
    case("requests_get", "request_not_found", |w| w.operator().get("/api/requests/nothing")),
    case("requests_decide", "", |w| {
        let id = w.asked().1;
        let reply = w.operator().post("/api/requests/decide", json!({"ids": [id], "decision": "approve"})).expect(200);
        assert_eq!(reply.json(), json!({"results": {id: {"state": "approved"}}}));
        reply
    }),
    case("requests_decide", "user_required", |w| by_an_agent(w, "requests_decide")),
    case("requests_approve", "", |w| {
        let id = w.asked().1;
        let reply = w.operator().post(&format!("/api/requests/{id}/approve"), json!({})).expect(200);
        assert_eq!(w.daemon.text("SELECT state FROM requests WHERE id = ?1", [&id]), "approved");
        reply
    }),
    case("requests_approve", "user_required", |w| by_an_agent(w, "requests_approve")),
    case("requests_approve", "request_not_found", |w| nothing(w, "approve")),
    case("requests_approve", "request_decided", |w| decided(w, "approve")),
    case("requests_approve", "scope_exceeds_issuer", |w| {
        w.request_for("requests_approve").by(&w.daemon.user_token("operator", &["requests.decide"]))
    }),
    case("requests_approve", "agent_not_found", |w| {
        w.operator().post(&asked_grant(w, "agent:nobody".into()), json!({}))
    }),
    case("requests_approve", "forbidden", |w| {
        let (member, path) = without_right(w, Some("viewer"));
        member.post(&path, json!({}))
    }),
    case("requests_approve", "space_forbidden", |w| {
        w.operator().post(&asked_grant(w, "space:nowhere".into()), json!({}))
    }),
    case("requests_approve", "too_many_members", |w| {
        let space = w.daemon.text("SELECT id FROM spaces LIMIT 1", []);
        let path = asked_grant_elsewhere(w, &space);
        w.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            INSERT INTO users SELECT 'm' || i, 'm' || i, '', 'member', 0, 0, 0 FROM n",
            [],
        );
        w.daemon.execute(
            "INSERT INTO grants (id, principal_user_id, space_id, role, granted_by, granted_at)
            SELECT 'g' || id, id, ?1, 'viewer', '-', 0 FROM users WHERE id GLOB 'm*'",
            [&space],
        );
        let reply = w.operator().post(&path, json!({}));
        w.daemon.execute("DELETE FROM users WHERE id GLOB 'm*'", []);
        reply
    }),
    case("requests_approve", "limit_reached", |w| {
        let thing = w.agent();
        let path = asked_grant(w, format!("agent:{thing}"));
        w.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
            INSERT INTO users SELECT 'l' || i, 'l' || i, '', 'member', 0, 0, 0 FROM n",
            [],
        );
        w.daemon.execute(
            "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
            SELECT 'g' || u.id, u.id, a.id, 'viewer', '-', 0 FROM users u, agents a
            WHERE u.id GLOB 'l*' AND a.slug = ?1",
            [&thing],
        );
        let reply = w.operator().post(&path, json!({}));
        w.daemon.execute("DELETE FROM users WHERE id GLOB 'l*'", []);
        reply
    }),
    case("requests_approve", "name_conflict", |w| w.operator().post(&joining(w, &w.agent()), json!({"as": "new"}))),
    case("requests_approve", "create_not_allowed", |w| {
        let (member, own) = (w.name(), w.name());
        let client = w.daemon.member(&member, &["*"]);
        let grant = text(&w.daemon.grant(&format!("user:{member}"), "*", "creator"), "id");
        w.daemon.agent_by(&client, &own);
        w.operator().delete(&format!("/api/grants/{grant}")).expect(204);
        client.post(&joining(w, &own), json!({"as": "new", "name": w.name()}))
    }),
    case("requests_approve", "agent_frozen", |w| {
        let name = w.agent();
        let path = joining(w, &name);
        w.operator().post(&format!("/api/agents/{name}/freeze"), json!({"reason": "r"})).expect(200);
        w.operator().post(&path, json!({"as": "same"}))
    }),
    case("requests_approve", "cleanup_required", |w| {
        let name = w.agent();
        let path = joining(w, &name);
        let key = || w.operator().post("/credentials/agent-pat", json!({"agent_id": name})).status;
        assert!((0..100).any(|_| key() != 201), "an agent has so many keys");
        w.operator().post(&path, json!({"as": "same", "keep_old_hours": 1}))
    }),
    case("requests_deny", "", |w| {
        let id = w.asked().1;
        let reply = w.operator().post(&format!("/api/requests/{id}/deny"), json!({"note": "no"})).expect(200);
        assert_eq!((&reply.json()["state"], &reply.json()["note"]), (&json!("denied"), &json!("no")));
        reply
    }),
    case("requests_deny", "user_required", |w| by_an_agent(w, "requests_deny")),
    case("requests_deny", "request_not_found", |w| nothing(w, "deny")),
    case("requests_deny", "request_decided", |w| decided(w, "deny")),
    case("requests_withdraw", "", |w| {
        let (agent, id) = w.asked();
        let reply = agent.post(&format!("/api/requests/{id}/withdraw"), json!({})).expect(200);
        assert_eq!(reply.json()["state"], "withdrawn");
        reply
    }),
    case("requests_withdraw", "agent_required", |w| decided(w, "withdraw")),
    case("requests_withdraw", "request_not_found", |w| w.asker().post("/api/requests/nothing/withdraw", json!({}))),
    case("requests_withdraw", "request_decided", |w| {
        let (agent, id) = w.asked();
        w.operator().post(&format!("/api/requests/{id}/deny"), json!({})).expect(200);
        agent.post(&format!("/api/requests/{id}/withdraw"), json!({}))
    }),
    case("requests_revoke", "", |w| {
        let reply = w.request_for("requests_revoke").by(&w.operator()).expect(200);
        assert_eq!(reply.json()["state"], "revoked");
        reply
    }),
    case("requests_revoke", "user_required", |w| by_an_agent(w, "requests_revoke")),
    case("requests_revoke", "request_not_found", |w| nothing(w, "revoke")),
    case("requests_revoke", "request_not_in_force", |w| decided(w, "revoke")),
    case("ui_ask", "", |w| {
        let reply = w.asker().post("/api/ui/ask", question(1)).expect(200);
        assert_eq!(reply.json()["status"], "waiting");
        reply
    }),
    case("ui_ask", "agent_required", |w| w.operator().post("/api/ui/ask", question(1))),
    case("ui_ask", "space_forbidden", |w| {
        w.asker().post("/api/ui/ask", json!({"question": "q?", "space_id": "nowhere"}))
    }),
    case("ui_ask", "forbidden", |w| {
        let (agent, name) = (w.asker(), w.name());
        let owner = w.daemon.member(&name, &["*"]);
        let space = text(&owner.get("/api/v1/spaces").expect(200).json()["spaces"][0], "id");
        let id = text(&agent.get("/api/auth/whoami").expect(200).json(), "agent_id");
        let grant = json!({"principal": format!("agent:{id}"), "resource": format!("space:{space}"), "role": "viewer"});
        w.operator().post("/api/grants", grant).expect(201);
        agent.post("/api/ui/ask", json!({"question": "q?", "space_id": space}))
    }),
    case("ui_ask", "too_many_questions", |w| {
        let agent = w.asker();
        (0..20).for_each(|n| drop(agent.post("/api/ui/ask", question(n)).expect(200)));
        agent.post("/api/ui/ask", question(20))
    }),
    case("ui_ask", "recently_denied", |w| {
        let agent = w.asker();
        let id = text(&agent.post("/api/ui/ask", question(1)).expect(200).json(), "question_id");
        w.operator().post(&format!("/api/requests/{id}/deny"), json!({})).expect(200);
        agent.post("/api/ui/ask", question(1))
    }),
    case("ui_ask", "idempotency_key_reused", |w| reused(w, "ui_ask", &question(1))),
    case("ui_ask", "idempotency_in_flight", |w| in_flight(w, "ui_ask", &question(1))),
    case("ui_answer", "", |w| {
        let agent = w.asker();
        let id = text(&agent.post("/api/ui/ask", question(1)).expect(200).json(), "question_id");
        w.operator().post(&format!("/api/requests/{id}/approve"), json!({"text": "42"})).expect(200);
        let reply = agent.get(&format!("/api/ui/ask/{id}")).expect(200);
        assert_eq!((&reply.json()["status"], &reply.json()["answer"]), (&json!("answered"), &json!("42")));
        reply
    }),
    case("ui_answer", "question_not_found", |w| w.operator().get("/api/ui/ask/nothing")),
    case("events", "", |w| {
        let reply = w.operator().send("HEAD", "/api/events?types=request,agent", None).expect(200);
        assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
        reply
    }),
    case("events", "too_many_streams", |_| {
        let none = Harness::with(&[("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "0")]);
        none.operator().get("/api/events")
    }),
];

/// Makes a request for a role in somebody else's space. Returns the path to approve it.
fn asked_grant_elsewhere(w: &Harness, space: &str) -> String {
    let (name, own) = (w.name(), w.name());
    let client = w.daemon.member(&name, &["*"]);
    w.daemon.grant(&format!("user:{name}"), "*", "creator");
    w.daemon.agent_by(&client, &own);
    let issued = client.post(&format!("/api/agents/{own}/token/issue"), json!({})).expect(200).json();
    let body = json!({"kind": "grant", "resource": format!("space:{space}"), "role": "viewer", "reason": "r"});
    let agent = w.daemon.client(&text(&issued, "token"));
    let id = text(&agent.post("/api/requests", body).expect(201).json(), "id");
    format!("/api/requests/{id}/approve")
}
