//! Nothing on the writer's thread takes long, however full the tables are, because all writes wait for it.
//!
//! The tests measure the processor time of the writer's thread, which the daemon logs for each slow write. An
//! unoptimised build is slow anyway, so the normal tests compare a full box with an empty one. The bound in
//! milliseconds is for an optimised build, and filling the tables takes a while: run that test with
//! `cargo test --release --test load -- --ignored --nocapture`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use serde_json::{Value, json};
use taosd::api::engine::growth::{self, Growth};
use taosd::api::{ApiRoute, routes};
use taosd::limits;

use crate::fill::{at_once, deployments, id, knowledge, long_metadata};
use crate::support::{Client, Daemon, Reply, text};

/// The milliseconds of work that a write may take.
const MOST: u64 = 10;
/// The exception. Replacing a source of a megabyte removes the words of the old text from the index and adds those of
/// the new one. No reader may find half of a source, so this is one transaction that cannot be split. An agent's
/// allowance counts the text twice, and a source has a bound. `docs/security.md` says so.
const OF_KNOWLEDGE: u64 = 40;

/// Routes that add rows but are not tried here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("agents_restore", "needs a container runtime; it adds the row of an operation, as backups_create does"),
    ("agents_bulk_start", "as agents_bulk_stop"),
    ("agents_bulk_restart", "as agents_bulk_stop"),
    ("agents_start", "needs a container runtime, as agents_restore"),
    ("agents_stop", "needs a container runtime, as agents_restore"),
    ("agents_restart", "needs a container runtime, as agents_restore"),
    ("agents_pause", "needs a container runtime, as agents_restore"),
    ("agents_resume", "needs a container runtime, as agents_restore"),
    ("agents_deploy", "needs a container runtime, as agents_restore"),
    ("agents_wake", "needs a container; one row changes"),
    ("tripwires_plant", "needs a container; adds a row as channels_create does"),
    ("joins_fetch", "needs a person's decision; adds a key as keys_create does"),
    ("oauth_consent", "needs a browser; adds an agent as agents_create does"),
    ("oauth_consent_form", "asks oauth_consent"),
    ("login_link_form", "asks sessions_open"),
    ("oauth_token", "needs a browser; adds a credential as keys_create does"),
    ("credentials_fingerprint", "changes the row of one key, as keys_rotate does"),
];

fn all_routes() -> impl Iterator<Item = &'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter())
}

/// Fills every table to its bound, or as full as on a box after years. `part` divides the numbers.
fn fill(daemon: &Daemon, part: u32) {
    let operator = daemon.operator();
    let user = daemon.text("SELECT id FROM users", []);
    for name in ["full", "gone", "purged", "other"] {
        let agent = daemon.agent(name);
        if name != "other" {
            deployments(daemon, &agent, 990 / part, &long_metadata());
        }
    }
    operator.delete("/api/agents/purged").expect(200);
    knowledge(daemon, 250 / part, 60, |number| format!("some words of {number} ").repeat(100));
    let (text, history) = ("x".repeat(64 * 1024), "y".repeat(400));
    let metadata = long_metadata();
    let dead = u32::try_from(limits::DEAD_CREDENTIALS).expect("a few");
    at_once(daemon, |conn| {
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            conn.prepare_cached(sql).expect("a statement").execute(values).unwrap_or_else(|e| panic!("{sql}: {e}"));
        };
        for number in 0..300 / part {
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
        for number in 0..10_000 / part {
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
        }
        for user_number in 0..100 / part {
            run(
                "INSERT INTO users (id, username, display_name, role, created_at, updated_at)
                    VALUES (?1, 'dead-' || ?2, 'D', 'member', 1, 1)",
                &[&id(19, user_number), &user_number],
            );
            for number in 0..dead / part {
                run(
                    "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, state, issued_by, issued_at,
                        revoked_at)
                    VALUES (?1, 'user_token', printf('%010d', ?2), randomblob(32), iif(?3 = 0, ?4, ?5), '[]', 'revoked',
                        'system', 1, 9000000000000000)",
                    &[&id(14, user_number * 1000 + number), &(user_number * 1000 + number), &user_number, &user, &id(19, user_number)],
                );
            }
        }
        for number in 0..1000 / part {
            run(
                "INSERT INTO deployment_history SELECT ?1, id, ?2, 'e', 'b', ?1, 0, ?3 FROM agents WHERE slug = 'full'",
                &[&id(15, number), &history, &number],
            );
        }
        for number in 0..5000 / part {
            run(
                "INSERT INTO messages (id, space_id, seq, channel, message_type, conversation_id, author, author_name,
                    content, mentions, attachments, metadata, bytes, created_at, updated_at)
                SELECT ?1, space_id, ?2 + 1, 'main', 'text', ?1, 'agent:' || id, 'full', ?3, '[]', '[]', '{}', 500,
                    9000000000000000, 9000000000000000 FROM agents WHERE slug = 'full'",
                &[&id(16, number), &number, &history],
            );
            run(
                "INSERT INTO tasks (id, space_id, title, status, priority, creator, creator_name, owner_user_id,
                    created_at, updated_at)
                SELECT ?1, space_id, 't', 'not_started', 1, 'user:u', 'u', 'u', ?2, ?2 FROM agents WHERE slug = 'full'",
                &[&id(17, number), &number],
            );
            run(
                "INSERT INTO context (space_id, key, value, bytes, created_by, created_at, updated_at)
                    SELECT space_id, ?1, ?2, 500, 'user:u', 1, 1 FROM agents WHERE slug = 'full'",
                &[&id(18, number), &json!(history).to_string()],
            );
        }
        run(
            "INSERT OR REPLACE INTO message_counts SELECT space_id, ?1, ?1, ?1, ?1 * 500 FROM agents WHERE slug = 'full'",
            &[&(5000 / part)],
        );
    });
}

/// The tried routes, by id, with the status of each reply.
struct Tried {
    operator: Client,
    told: Vec<(&'static str, u16)>,
}

impl Tried {
    /// Sends the request of a route as this caller. `parameters` are those of its path in order. Without a body it
    /// sends the route's example. The request must succeed.
    #[track_caller]
    fn by(&mut self, client: &Client, id: &str, parameters: &[&str], body: impl Into<Option<Value>>) -> Value {
        let reply = self.send(client, id, parameters, body.into());
        assert!(reply.status < 400, "{id}: {} {}", reply.status, reply.text());
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// Sends a request that a box without models or a container runtime may refuse after its checks.
    fn even_refused(&mut self, id: &str, parameters: &[&str]) {
        let operator = self.operator.clone();
        self.send(&operator, id, parameters, None);
    }

    fn send(&mut self, client: &Client, id: &str, parameters: &[&str], body: Option<Value>) -> Reply {
        let route = all_routes().find(|route| route.id == id).unwrap_or_else(|| panic!("no route {id}"));
        let names = route.parameters();
        assert_eq!(names.len(), parameters.len(), "{}", route.path);
        let path = names
            .iter()
            .zip(parameters)
            .fold(route.path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let example = || serde_json::from_str(route.example).ok();
        let body = body.or_else(example);
        let reply = client.call(route.method.as_str(), &path, body.as_ref());
        self.told.push((route.id, reply.status));
        reply
    }

    #[track_caller]
    fn all(&mut self, id: &str, parameters: &[&str], body: impl Into<Option<Value>>) -> Value {
        let operator = self.operator.clone();
        self.by(&operator, id, parameters, body)
    }
}

/// Writes agents, users, credentials and whatever else clients of the daemon's own dialect and of Agentex write.
fn write_registry(daemon: &Daemon, tried: &mut Tried) {
    let full = text(&daemon.record("full"), "id");
    let register = |deployment: &str| {
        json!({"name": "full", "description": "d", "acp_url": "http://localhost:1", "acp_type": "async",
            "registration_metadata": {"deployment_id": deployment, "agent_commit": deployment, "list": vec![0; 32_000]}})
    };
    for number in 0..4 {
        tried.all("agentex_agents_register", &[], register(&format!("new-{number}")));
    }
    tried.all("agentex_deployments_create", &[&full], json!({"docker_image": "i"}));
    tried.all("agentex_deployments_promote", &[&full, "new-0"], None);
    tried.all("agentex_deployments_delete", &[&full, "new-1"], None);
    tried.all("agentex_agents_register_build", &[], json!({"name": "built", "description": "d"}));
    tried.all("agents_create", &[], json!({"name": "fresh"}));
    tried.all("agents_import", &[], json!({"version": 1, "agent": {"name": "imported"}}));
    for (nth, id) in ["ax_agents_create", "ax_agents_manage_create", "ax_manage_create"].iter().enumerate() {
        tried.all(id, &[], json!({"name": format!("ax-{nth}")}));
    }
    let long = "x".repeat(60_000);
    tried.all("agents_update", &["full"], json!({"host": "h"}));
    tried.all("agents_permissions", &["full"], json!({"scope": ["agents.*", "requests.*", "messages.*"]}));
    tried.all("agents_persona", &["full"], json!({"soul_md": long, "agent_md": long}));
    tried.all("agents_memory", &["full"], None);
    tried.even_refused("agents_model", &["full"]);
    for id in ["ax_agents_manage_update", "ax_agents_update", "ax_manage_update"] {
        tried.all(id, &[&full], json!({"bio": "b".repeat(4000)}));
    }
    tried.all("ax_place", &[&full], json!({"pinned": true}));
    tried.all("agents_token_issue", &["full"], json!({}));
    tried.all("users_create", &[], json!({"username": "ann"}));
    tried.all("users_update", &["ann"], json!({"display_name": "Ann"}));
    tried.all("users_token_issue", &["operator"], json!({"label": "l"}));
    tried.all("sessions_open", &[], json!({"token": daemon.token}));
    let role = json!({"principal": "user:ann", "resource": format!("agent:{full}"), "role": "editor"});
    tried.all("grants_create", &[], role);
    let key = tried.all("keys_create", &[], json!({"name": "k"}));
    let key = tried.all("keys_rotate", &[&text(&key, "credential_id")], None);
    tried.by(&daemon.client(&text(&key, "token")), "auth_exchange", &[], json!({}));
    tried.all("credentials_agent_pat", &[], json!({"agent_id": full}));
    tried.all("credentials_enrollment", &[], json!({}));
    tried.all("agentex_keys_create", &[], json!({"agent_name": "full", "name": "k"}));
    tried.all("oauth_clients_create", &[], None);
    let channel = json!({"kind": "ntfy", "url": "https://ntfy.sh/t", "min_level": "high", "events": ["freeze"]});
    let channel = text(&tried.all("channels_create", &["operator"], channel), "id");
    tried.all("channels_update", &["operator", &channel], json!({"min_level": "normal"}));
    tried.all("backups_create", &[], None);
    tried.even_refused("agents_bulk_stop", &[]);
}

/// Writes requests, messages, notifications and the other contents of spaces.
fn write_workspace(daemon: &Daemon, tried: &mut Tried) {
    let agent = daemon.agent_token("full", &["requests.*", "messages.*", "ui.*"]);
    let ask = |n: u32| json!({"kind": "scope", "scope": ["agents.logs"], "reason": format!("r{n}"), "duration_seconds": 60 + n});
    let asked = text(&tried.by(&agent, "requests_create", &[], ask(1)), "id");
    tried.all("requests_approve", &[&asked], json!({}));
    let role = json!({"kind": "grant", "resource": format!("agent:{}", text(&daemon.record("other"), "id")), "role": "viewer",
        "reason": "r", "duration_seconds": 60});
    let asked = text(&tried.by(&agent, "requests_create", &[], role), "id");
    tried.all("requests_decide", &[], json!({"ids": [asked], "decision": "approve"}));
    tried.by(&agent, "ui_ask", &[], json!({"question": "q?", "options": ["a", "b"]}));
    tried.by(&daemon.anonymous(), "joins_create", &[], json!({"name": "joiner", "reason": "r"}));
    tried.all("ui_notify", &[], json!({"title": "t", "body": "m"}));
    tried.all("notifications_read_all", &[], None);
    let space = tried.all("spaces_create", &[], json!({"name": "Workshop", "visibility": "private"}));
    let space = text(&space["space"], "id");
    tried.all("spaces_members_add", &[&space], json!({"username": "ann", "role": "editor"}));
    let words = |n: u32| (0..9000).map(|word| format!("w{:x} ", n * 9000 + word)).collect::<String>();
    let message = tried.all("messages_send", &[], json!({"content": words(1)}));
    let message = message["id"].as_str().or(message["message"]["id"].as_str()).expect("a message").to_owned();
    tried.all("messages_edit", &[&message], json!({"content": words(2)}));
    tried.all("messages_react", &[&message], None);
    let task = text(&tried.all("tasks_create", &[], json!({"title": "t", "description": "d".repeat(10_000)})), "id");
    tried.all("tasks_create_here", &[], json!({"title": "t"}));
    tried.all("tasks_update", &[&task], json!({"priority": "high"}));
    let fence = tried.all("tasks_claim", &[&task], json!({"lease_seconds": 300}))["lease"]["fence"].clone();
    tried.all("tasks_renew", &[&task], json!({"fence": fence, "lease_seconds": 300}));
    tried.all("tasks_next", &[], None);
    tried.all("context_set", &[], json!({"key": "k", "value": "v".repeat(60_000)}));
    let home = daemon.text("SELECT space_id FROM context WHERE key = 'k'", []);
    tried.all("context_promote", &[&home], json!({"key": "k", "artifact_type": "RESEARCH"}));
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: text/plain";
    let form = format!("--b\r\n{head}\r\n\r\n{}\r\n--b--\r\n", "f".repeat(3_000_000));
    let sender = tried.operator.with("Content-Type", "multipart/form-data; boundary=b");
    let reply = sender.send("POST", "/api/v1/uploads", Some(form.as_bytes()));
    assert_eq!(reply.status, 201, "{}", reply.text());
    tried.told.push(("uploads_create", reply.status));
    let items = |size: usize| -> Value {
        let content = "several words of a text. ".repeat(size / 25);
        (0..15).map(|n| json!({"path": format!("p{n}"), "content": content})).collect()
    };
    tried.all("knowledge_put", &["new"], json!({"items": items(60_000)}));
    tried.all("knowledge_put", &["new"], json!({"items": items(50_000)}));
    tried.all("knowledge_delete", &["new"], None);
}

/// Freezes, archives and purges agents and deletes a user, with all their rows.
fn write_ends(daemon: &Daemon, tried: &mut Tried) {
    tried.all("agents_freeze", &["full"], json!({"reason": "r"}));
    tried.all("agents_thaw", &["full"], json!({}));
    tried.all("freeze_all", &[], json!({"reason": "r"}));
    tried.all("thaw_all", &[], json!({}));
    tried.all("agents_delete", &["gone"], None);
    let purged = daemon.text("SELECT id FROM agents WHERE slug = 'purged'", []);
    tried.all("agents_purge", &[&purged], None);
    tried.all("users_delete", &["ann"], None);
}

/// Calls every route that adds rows, each on full tables, and the heaviest routes that delete.
fn write(daemon: &Daemon) -> Vec<(&'static str, u16)> {
    let mut tried = Tried { operator: daemon.operator(), told: Vec::new() };
    write_registry(daemon, &mut tried);
    write_workspace(daemon, &mut tried);
    write_ends(daemon, &mut tried);
    let ids: BTreeSet<&str> = tried.told.iter().map(|(id, _)| *id).chain(ELSEWHERE.iter().map(|(id, _)| *id)).collect();
    let adds = |route: &&ApiRoute| matches!(growth::of(*route), Growth::Adds | Growth::AddsWords);
    let left: Vec<&str> = all_routes().filter(adds).map(|route| route.id).filter(|id| !ids.contains(id)).collect();
    assert!(left.is_empty(), "try these here, or say in ELSEWHERE why not: {left:?}");
    tried.told
}

fn daemon() -> Daemon {
    let (runtime, rate) = (["--containers", "none"], ("TAOSD_REQUESTS_PER_MINUTE", "0"));
    Daemon::with(&runtime, &[rate, ("TAOSD_SWEEP_INTERVAL", "1")])
}

/// Returns the most processor time, in milliseconds, of the slow writes of each kind.
fn worked(log: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("slow write")) {
        let (_, told) = line.split_once(" ms (").unwrap_or_else(|| panic!("{line}"));
        let (ms, what) = told.split_once(" ms of them at work): ").unwrap_or_else(|| panic!("{line}"));
        let most = all.entry(what.to_owned()).or_insert(0);
        *most = ms.parse::<u64>().expect("milliseconds").max(*most);
    }
    all
}

#[test]
fn no_write_works_much_longer_on_a_full_box_than_on_an_empty_one() {
    let run = |part: u32| {
        let daemon = daemon();
        fill(&daemon, part);
        write(&daemon);
        worked(&daemon.log_text())
    };
    let (empty, full) = (run(1000), run(10));
    println!("empty: {empty:#?}\nfull: {full:#?}");
    // A write that scans its table takes about a hundred times as long here.
    let over: Vec<_> =
        full.iter().filter(|(what, ms)| **ms > 4 * empty.get(*what).copied().unwrap_or(0).max(MOST)).collect();
    assert!(over.is_empty(), "{over:#?}");
}

#[test]
#[ignore = "takes minutes, and an optimised build"]
fn no_write_works_longer_than_ten_milliseconds() {
    let daemon = daemon();
    fill(&daemon, 1);
    for (what, status) in write(&daemon) {
        println!("{status} {what}");
    }
    // The sweep deletes old rows between the writes of others.
    daemon.execute("UPDATE notifications SET created_at = 1", []);
    daemon.execute("UPDATE idempotency SET created_at = 1", []);
    daemon.execute("UPDATE operations SET finished_at = 1 WHERE finished_at IS NOT NULL", []);
    daemon.execute("UPDATE credentials SET revoked_at = 1 WHERE state = 'revoked'", params![]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let worked = worked(&daemon.log_text());
    println!("{worked:#?}");
    let most = |what: &str| if what.contains("knowledge.write") { OF_KNOWLEDGE } else { MOST };
    let over: Vec<_> = worked.iter().filter(|(what, ms)| **ms > most(what)).collect();
    assert!(over.is_empty(), "{over:#?}");
}
