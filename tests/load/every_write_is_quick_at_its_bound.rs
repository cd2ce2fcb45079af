//! Nothing on the writer's thread takes long, however full the tables are: everybody's writes wait for it.
//!
//! Ignored: filling the tables takes a while, and an unoptimised build is slow by itself. Run it with
//! `cargo test --release --test load -- --ignored --nocapture`.

use rusqlite::params;
use serde_json::{Value, json};

use crate::fill::{at_once, deployments, id, knowledge, long_metadata};
use crate::support::{Client, Daemon, text};

/// Milliseconds of work that a write may take.
const MOST: u64 = 10;
/// Replacing a megabyte of knowledge by another takes the words of both apart, in one transaction as it is promised.
const OF_KNOWLEDGE: u64 = 40;

/// Every table as full as its bound, or as a box of years has it.
fn fill(daemon: &Daemon) {
    let operator = daemon.operator();
    let user = daemon.text("SELECT id FROM users", []);
    for name in ["full", "gone", "purged", "other"] {
        let agent = daemon.agent(name);
        if name != "other" {
            deployments(daemon, &agent, 990, &long_metadata());
        }
    }
    operator.delete("/api/agents/purged").expect(200);
    knowledge(daemon, 250, 60, |number| format!("some words of {number} ").repeat(100));
    let (text, history) = ("x".repeat(64 * 1024), "y".repeat(400));
    let metadata = long_metadata();
    at_once(daemon, |conn| {
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            conn.prepare_cached(sql).expect("a statement").execute(values).unwrap_or_else(|e| panic!("{sql}: {e}"));
        };
        for number in 0..300 {
            run(
                "INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by,
                    status, scope, created_at, updated_at, soul_md, agent_md)
                SELECT ?1, 'filled-' || ?2, 'F', origin, owner_user_id, owner_space_id, space_id, created_by, 'registered',
                    scope, ?2, ?2, ?3, ?3 FROM agents WHERE slug = 'full'",
                &[&id(10, number), &number, &text],
            );
            run(
                "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
                    VALUES (?1, ?2, ?3, 'owner', 'system', ?4)",
                &[&id(11, number), &user, &id(10, number), &number],
            );
            run(
                "INSERT INTO registrations (agent_id, description, acp_type, by_user, metadata, unhealthy, had_key)
                    VALUES (?1, 'd', 'async', 0, ?2, 0, 0)",
                &[&id(10, number), &metadata],
            );
        }
        for number in 0..10_000 {
            run(
                "INSERT INTO notifications (id, user_id, agent_id, source, level, title, message, created_at)
                    SELECT ?1, ?2, id, 'agent:full', 'low', 't', ?3, ?4 FROM agents WHERE slug = 'full'",
                &[&id(12, number), &user, &history, &9_000_000_000_000_000_i64],
            );
            run(
                "INSERT INTO idempotency (principal, route, key, body_hash, owner, created_at, status, headers, body)
                    VALUES ('user:' || ?1, 'POST /api/agents', ?2, zeroblob(32), 'o', 9000000000000000, 200, '{}', zeroblob(4000))",
                &[&user, &number.to_string()],
            );
            run(
                "INSERT INTO operations (id, kind, status, actor, request_id, created_at, finished_at, payload)
                    VALUES (?1, 'backup', 'succeeded', 'system', 'r', 9000000000000000, 9000000000000000, ?2)",
                &[&id(13, number), &json!({"text": history}).to_string()],
            );
            run(
                "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, state, issued_by, issued_at,
                    revoked_at)
                VALUES (?1, 'user_token', printf('%010d', ?2), randomblob(32), ?3, '[]', 'revoked', 'system', 1,
                    9000000000000000)",
                &[&id(14, number), &number, &user],
            );
        }
        for number in 0..1000 {
            run(
                "INSERT INTO deployment_history SELECT ?1, id, ?2, 'e', 'b', ?1, 0, ?3 FROM agents WHERE slug = 'full'",
                &[&id(15, number), &history, &number],
            );
        }
    });
}

/// The writing routes, each on what is full; what they answer.
fn write(client: &Client) -> Vec<(String, u16)> {
    let full = text(&client.get("/api/agents/full").expect(200).json(), "id");
    let items = |size: usize| -> Value {
        let content = "several words of a text. ".repeat(size / 25);
        (0..15).map(|n| json!({"path": format!("p{n}"), "content": content})).collect()
    };
    let register = |deployment: &str| {
        json!({"name": "full", "description": "d", "acp_url": "http://localhost:1", "acp_type": "async",
            "registration_metadata": {"deployment_id": deployment, "agent_commit": deployment, "list": vec![0; 32_000]}})
    };
    let purged = text(&client.get("/api/agents/archived").expect(200).json()[0], "id");
    let long = "x".repeat(60_000);
    let mut told = Vec::new();
    let mut all = |method: &str, path: &str, body: Option<Value>| {
        let reply = client.call(method, path, body.as_ref());
        told.push((format!("{method} {path}"), reply.status));
        reply
    };
    for number in 0..4 {
        all("POST", "/agents/register", Some(register(&format!("new-{number}"))));
    }
    all("POST", &format!("/agents/{full}/deployments"), Some(json!({"docker_image": "i"})));
    all("POST", &format!("/agents/{full}/deployments/new-0/promote"), None);
    all("DELETE", &format!("/agents/{full}/deployments/new-1"), None);
    all("POST", "/agents/register-build", Some(json!({"name": "built", "description": "d"})));
    all("POST", "/api/agents", Some(json!({"name": "fresh"})));
    all("PUT", "/api/agents/full", Some(json!({"host": "h"})));
    all("PATCH", "/api/agents/full/persona", Some(json!({"soul_md": long, "agent_md": long})));
    all("POST", "/api/agents/full/token/issue", Some(json!({})));
    all("POST", "/api/users", Some(json!({"username": "ann"})));
    all("POST", "/api/users/operator/tokens", Some(json!({"label": "l"})));
    all(
        "POST",
        "/api/grants",
        Some(json!({"principal": "user:ann", "resource": format!("agent:{full}"), "role": "editor"})),
    );
    all("POST", "/api/v1/keys", Some(json!({"name": "k"})));
    all("POST", "/agent_api_keys", Some(json!({"agent_name": "full", "name": "k"})));
    all("POST", "/api/ui/notify", Some(json!({"title": "t", "body": "m"})));
    all("POST", "/api/notifications/read-all", None);
    all("PUT", "/api/knowledge/sources/new", Some(json!({"items": items(60_000)})));
    all("PUT", "/api/knowledge/sources/new", Some(json!({"items": items(50_000)})));
    all("DELETE", "/api/knowledge/sources/new", None);
    all("DELETE", "/api/agents/gone", None);
    all("DELETE", &format!("/api/agents/archived/{purged}"), None);
    all("POST", "/api/agents/bulk/stop", None);
    all("DELETE", "/api/users/ann", None);
    told
}

#[test]
#[ignore = "takes minutes, and an optimised build"]
fn no_write_works_longer_than_ten_milliseconds() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_SWEEP_INTERVAL", "1")]);
    fill(&daemon);
    for (what, status) in write(&daemon.operator()) {
        println!("{status} {what}");
    }
    // What the sweeper removes, it removes between others' writes.
    daemon.execute("UPDATE notifications SET created_at = 1", []);
    daemon.execute("UPDATE idempotency SET created_at = 1", []);
    daemon.execute("UPDATE operations SET finished_at = 1", []);
    daemon.execute("UPDATE credentials SET revoked_at = 1 WHERE state = 'revoked'", params![]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let log = daemon.log_text();
    let slow: Vec<&str> = log.lines().filter(|line| line.contains("slow write")).collect();
    println!("{}", slow.join("\n"));
    let worked = |line: &&&str| {
        let ms = line.split('(').nth(1).and_then(|rest| rest.split(' ').next()).and_then(|ms| ms.parse().ok());
        let most = if line.contains("knowledge.write") { OF_KNOWLEDGE } else { MOST };
        ms.unwrap_or(u64::MAX) > most
    };
    let over: Vec<_> = slow.iter().filter(worked).collect();
    assert!(over.is_empty(), "{over:#?}");
}
