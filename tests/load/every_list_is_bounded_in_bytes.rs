//! All lists of the route table: a page of long rows ends early, and the links lead to every row.

use std::collections::BTreeSet;

use rusqlite::params;
use serde_json::{Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::field::{Field, Type};
use taosd::rest::route::Answer;

use crate::fill::{at_once, deployments, id, knowledge};
use crate::support::{Client, Daemon, text};

/// Lists that never have many rows, and why.
const FEW: &[(&str, &str)] = &[
    ("agents_containers", "a short row for each container of the host"),
    ("agents_token_show", "an agent has 50 keys, some PATs and a token at the most"),
    ("api_index", "a row for each route there is"),
    ("backups_list", "seven are kept, and as many of the daemon's own as there were upgrades"),
    ("box_settings", "a row for each setting"),
    ("nodes_list", "short rows; the settings name 16 at the most"),
    ("jwks", "two signing keys at the most"),
    ("spaces_members", "short rows; a space lets 500 in"),
    ("messages_list", "goes on with after_seq and before_seq; more says so; bounded in bytes"),
    ("messages_replies", "goes on with after; more says so; bounded in bytes"),
    ("messages_receipts", "one a recipient, 64 at the most"),
    ("messages_thread", "50 replies at the most; more says so; bounded in bytes"),
    ("channels_list", "short rows; a user has 8 at the most"),
    ("tripwires_list", "short rows; an agent has 20 at the most"),
    ("tasks_history", "the newest 200 changes, each of 200 characters"),
    ("agents_calls", "24 hours, two numbers each"),
    ("database_check_get", "a finding for each of a handful of looks; of what is wrong, the first lines"),
    ("knowledge_prompt", "at most 500 documents are named, by id and title"),
];
/// Lists inside a record, bounded with the record.
const WITHIN: &[&str] = &["allowed_spaces", "attachments"];
/// The smallest page size that can be set, in bytes.
const PAGE: usize = 16 * 1024;

/// Returns the fields of a row and the name of the list, if the reply is a list.
fn rows_of(answer: &Answer) -> Option<(&'static [Field], &'static str)> {
    match answer {
        Answer::List(fields) | Answer::Array(fields) => Some((fields, "")),
        Answer::Or(answer, _) | Answer::Fixed(answer) => rows_of(answer),
        Answer::Object(fields) => fields.iter().find_map(|field| match field.kind {
            Type::Objects(rows) if !WITHIN.contains(&field.name) => Some((rows, field.name)),
            _ => None,
        }),
        _ => None,
    }
}

fn lists() -> impl Iterator<Item = (&'static ApiRoute, &'static str)> {
    let all = routes().iter().flat_map(|table| table.iter());
    let lists = all.filter(|route| route.method == hyper::http::Method::GET);
    lists.filter_map(|route| Some((route, rows_of(&route.answer.1)?.1)))
}

#[test]
fn every_list_takes_a_cursor_or_is_short_by_nature() {
    let few: BTreeSet<&str> = FEW.iter().map(|(id, _)| *id).collect();
    let goes_on = |route: &ApiRoute| {
        let taken = route.query.iter().any(|field| field.name == "cursor");
        taken && route.errors.iter().any(|code| code.slug == "invalid_cursor")
    };
    let others: BTreeSet<&str> =
        lists().map(|(route, _)| route).filter(|route| !goes_on(route)).map(|r| r.id).collect();
    assert_eq!(others, few, "lists without a cursor, and those that have a reason");
}

/// Follows the links from `first`, and asserts that each page is short. Returns all rows.
fn walk(client: &Client, first: &str, key: &str, longest_row: usize) -> Vec<Value> {
    let (mut rows, mut next, mut pages) = (Vec::new(), Some(first.to_owned()), 0);
    while let Some(path) = next {
        let reply = client.get(&path).expect(200);
        assert!(reply.body.len() <= PAGE.max(longest_row) + 64, "{path}: {} bytes", reply.body.len());
        let body = reply.json();
        let page = if key.is_empty() { &body } else { &body[key] };
        rows.extend(page.as_array().unwrap_or_else(|| panic!("{path}: no list in {body}")).clone());
        next = reply.header("link").map(|link| link[1..].split('>').next().expect("a link").to_owned());
        pages += 1;
        assert!(pages < 500, "{first} does not end");
    }
    rows
}

const ROWS: u32 = 40;

/// Makes rows of every kind, with the longest texts that are allowed.
fn fill(daemon: &Daemon) -> (String, String) {
    let operator = daemon.operator();
    let agent = daemon.agent("one");
    let (user, space) = (
        daemon.text("SELECT owner_user_id FROM agents WHERE id = ?1", [&agent]),
        daemon.text("SELECT space_id FROM agents WHERE id = ?1", [&agent]),
    );
    let long = "x".repeat(10_000);
    for number in 1..ROWS {
        let name = format!("agent-{number}");
        operator.post("/api/agents", json!({"name": name})).expect(200);
        operator.post("/api/users", json!({"username": format!("u{number}")})).expect(201);
        operator.post("/api/users/operator/tokens", json!({"label": "l".repeat(64)})).expect(201);
        operator.post("/api/sessions", json!({"token": daemon.token})).expect(200);
        let key = json!({"agent_name": "one", "name": format!("{number}{}", "k".repeat(100))});
        operator.post("/agent_api_keys", key).expect(200);
    }
    for number in 0..ROWS {
        let task = json!({"title": format!("task {number}"), "description": long});
        operator.post("/api/v1/tasks", task).expect(201);
        operator.post("/api/v1/context", json!({"key": format!("key {number}"), "value": long})).expect(200);
    }
    let asked = json!({"kind": "scope", "scope": ["agents.logs"], "reason": "r"});
    daemon.agent_token("one", &["requests.create"]).post("/api/requests", asked).expect(201);
    deployments(daemon, &agent, ROWS, &json!({"text": long}).to_string());
    knowledge(daemon, ROWS, 1, |_| format!("word {long}"));
    at_once(daemon, |conn| {
        let metadata = json!({"text": long}).to_string();
        conn.execute("UPDATE agents SET soul_md = ?1", [&long]).expect("agents");
        conn.execute("INSERT INTO agent_profiles SELECT id, ?1, ?1, '', 'a', NULL, 1, 0, ?1 FROM agents", [&long])
            .expect("profiles");
        conn.execute(
            "INSERT INTO registrations (agent_id, description, acp_type, by_user, metadata, unhealthy, had_key)
                SELECT id, 'd', 'async', 0, ?1, 0, 0 FROM agents",
            [&metadata],
        )
        .expect("registrations");
        // An agent may have only a few open requests. Ended ones stay.
        for number in 1..ROWS {
            conn.execute(
                "INSERT INTO requests (id, kind, state, agent_id, created_at, expires_at, same, reason, asked)
                    SELECT ?1, kind, 'withdrawn', agent_id, created_at, expires_at, randomblob(32), ?2, asked
                    FROM requests WHERE state = 'pending'",
                params![id(9, number), &long[..1000]],
            )
            .expect("a request");
        }
        for number in 0..ROWS {
            conn.execute(
                "INSERT INTO upload_contents (space_id, size, hash, begun_at) VALUES (?1, 0, randomblob(32), 1)",
                params![space],
            )
            .expect("a content");
            conn.execute(
                "INSERT INTO uploads (id, space_id, content_id, filename, content_type, created_by, created_at)
                    VALUES (?1, ?2, ?3, ?4, 'text/plain', 'operator', 1)",
                params![id(11, number), space, conn.last_insert_rowid(), "f".repeat(255)],
            )
            .expect("a file");
        }
        for number in 0..ROWS {
            let (space_id, op, item) = (id(3, number), id(4, number), id(5, number));
            conn.execute(
                "INSERT INTO spaces (id, slug, name, description, visibility, owner_user_id, created_at)
                    VALUES (?1, ?1, ?1, ?2, 'private', ?3, 9000000000000000 + ?4)",
                params![space_id, &long[..1024], user, number],
            )
            .expect("a space");
            conn.execute(
                "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, audience, state, issued_by,
                    issued_at, expires_at)
                VALUES (?1, 'user_pat', printf('%010d', ?2), randomblob(32), ?3, ?4, 'cli', 'active', 'system', ?2,
                    9000000000000000)",
                params![id(7, number), number, user, json!(vec!["agents.read.of.this.long.name"; 32]).to_string()],
            )
            .expect("a key");
            conn.execute(
                "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, audience, state, issued_by,
                    issued_at, expires_at)
                VALUES (?1, 'oauth_grant', printf('g%09d', ?2), randomblob(32), ?3, '[]', 'cli', 'active', 'system', ?2,
                    9000000000000000)",
                params![id(8, number), number, user],
            )
            .expect("the credential of a grant");
            conn.execute(
                "INSERT INTO oauth_grants (credential_id, handle_hash, refreshed_at, user_id, client_hash, client_name,
                    redirect_host, audience, words, created_at, ends_at)
                VALUES (?1, randomblob(32), ?2, ?3, randomblob(32), ?4, '127.0.0.1', 'cli', ?4, ?2, 9000000000000000)",
                params![id(8, number), number, user, &long[..1024]],
            )
            .expect("a grant of OAuth");
            conn.execute(
                "INSERT INTO oauth_clients (id, name, redirect_uris, can_introspect, created_by, created_at)
                    VALUES (?1, 'a program', ?2, 0, 'x', ?3)",
                params![id(9, number), json!([&long[..1024]]).to_string(), number],
            )
            .expect("a program");
            conn.execute(
                "INSERT INTO operations (id, kind, status, actor, request_id, created_at, finished_at, result)
                    VALUES (?1, 'backup', 'succeeded', 'system', 'r', ?2, ?2, ?3)",
                params![op, number, metadata],
            )
            .expect("an operation");
            conn.execute(
                "INSERT INTO deployment_history VALUES (?1, ?2, ?3, 'e', 'b', 'c', 0, ?4)",
                params![item, agent, &long[..2000], number],
            )
            .expect("an item");
            conn.execute(
                "INSERT INTO notifications (id, user_id, source, level, title, message, created_at)
                    VALUES (?1, ?2, 's', 'low', 't', ?3, ?4)",
                params![id(6, number), user, long, 9_000_000_000_000_000_i64],
            )
            .expect("a notification");
        }
    });
    for number in ROWS..2 * ROWS {
        operator.post("/api/agents", json!({"name": format!("gone-{number}")})).expect(200);
        operator.delete(&format!("/api/agents/gone-{number}")).expect(200);
    }
    (agent, space)
}

/// Returns every list with a cursor: the route's id, the path with the longest page, and the name of the rows in the
/// body.
fn asked(agent: &str, space: &str) -> Vec<(&'static str, String, &'static str)> {
    let few: BTreeSet<&str> = FEW.iter().map(|(id, _)| *id).collect();
    let mut all = Vec::new();
    for (route, key) in lists().filter(|(route, _)| !few.contains(route.id)) {
        let path = route.path.replace("/agents/{id}", &format!("/agents/{agent}")).replace("{space}", space);
        let path = path.replace("{username}", "operator").replace("{name}", "operator").replace("{user}", "operator");
        assert!(!path.contains('{'), "{}: what is meant in {path}?", route.id);
        let mut query = vec![];
        if route.query.iter().any(|field| field.name == "limit") {
            query.push("limit=500".to_owned());
        }
        match route.id {
            "knowledge_search" => query.push("q=word".into()),
            "credentials_expiring" => query.push("within_days=3650".into()),
            "agentex_history_list" | "agentex_keys_list" => query.push("agent_name=one".into()),
            _ => {}
        }
        all.push((route.id, format!("{path}?{}", query.join("&")), key));
    }
    all
}

/// The most memory that the daemon may use, in KiB.
const MOST_HELD: u64 = 96 * 1024;

#[test]
fn every_list_of_every_dialect_at_once_takes_little_memory() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let (agent, space) = fill(&daemon);
    // Pages of a full megabyte, in addition to those of shorter rows.
    deployments(&daemon, &daemon.agent("many"), 500, &json!({"text": "x".repeat(60_000)}).to_string());
    let many = text(&daemon.record("many"), "id");
    let mut paths: Vec<String> = asked(&agent, &space).into_iter().map(|(_, path, _)| path).collect();
    paths.extend((0..4).map(|_| format!("/agents/{many}/deployments?limit=500")));
    std::thread::scope(|scope| {
        for asker in 0..20 {
            let (client, paths) = (daemon.operator(), &paths);
            scope.spawn(move || {
                for nth in 0..paths.len() {
                    // Each thread begins with another list, so that different lists are read at the same time.
                    client.get(&paths[(nth + asker * 3) % paths.len()]).expect(200);
                }
            });
        }
    });
    let peak = crate::lists_of_long_rows_take_little_memory::peak(&daemon);
    println!("{} lists, 20 at once: at most {peak} KiB", paths.len());
    assert!(peak < MOST_HELD, "{peak} KiB");
}

#[test]
fn a_page_of_long_rows_ends_early_and_its_links_lead_to_every_row() {
    let page = PAGE.to_string();
    let daemon = Daemon::with(&[], &[("TAOSD_MAX_PAGE_BYTES", &page), ("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let (agent, space) = fill(&daemon);
    let operator = daemon.operator();
    for (id, path, key) in asked(&agent, &space) {
        let rows = walk(&operator, &path, key, 40_000);
        let ids: BTreeSet<String> = rows.iter().map(name_of).collect();
        assert_eq!(ids.len(), rows.len(), "{id}: a row was seen twice");
        // A user has at most 32 sessions.
        let made = if ["sessions_list", "users_sessions_list"].contains(&id) { 32 } else { ROWS - 1 };
        assert!(rows.len() as u32 >= made, "{id}: only {} rows", rows.len());
    }
}

/// Returns what identifies a row.
fn name_of(row: &Value) -> String {
    match ["id", "credential_id", "attachment_id", "source_id", "seq", "key"].iter().find(|key| !row[**key].is_null()) {
        Some(key) => row[*key].to_string(),
        None => text(&row["raw_presence"], "id"),
    }
}

#[test]
fn the_rest_of_a_numbered_page_is_behind_its_link_and_the_next_page_keeps_its_number() {
    let page = PAGE.to_string();
    let daemon = Daemon::with(&[], &[("TAOSD_MAX_PAGE_BYTES", &page)]);
    let agent = daemon.agent("one");
    deployments(&daemon, &agent, 20, &json!({"text": "x".repeat(5000)}).to_string());
    let operator = daemon.operator();
    let of = |number: usize| {
        let first = format!("/agents/{agent}/deployments?limit=8&order_by=id&order_direction=asc&page_number={number}");
        walk(&operator, &first, "", 0).iter().map(|row| text(row, "id")).collect::<Vec<_>>()
    };
    let all: Vec<String> = (0..20).map(|number| id(1, number)).collect();
    assert_eq!([of(1), of(2), of(3), of(4)], [all[..8].to_vec(), all[8..16].to_vec(), all[16..].to_vec(), vec![]]);
    let other = operator.get(&format!("/agents/{agent}/deployments?limit=8")).expect(200);
    let cursor =
        other.header("link").expect("a link").split("cursor=").nth(1).unwrap().split('>').next().unwrap().to_owned();
    operator
        .get(&format!("/agents/{agent}/deployments?limit=8&page_number=2&cursor={cursor}"))
        .expect_agentex(400, "invalid_cursor");
}

#[test]
fn a_cursor_of_another_list_is_refused_everywhere() {
    let daemon = Daemon::start();
    let agent = daemon.agent("one");
    let space = daemon.text("SELECT space_id FROM agents", []);
    for (route, _) in lists().filter(|(route, _)| !FEW.iter().any(|(id, _)| *id == route.id)) {
        let path = route.path.replace("/agents/{id}", &format!("/agents/{agent}")).replace("{space}", &space);
        let path = path.replace("{username}", "operator").replace("{name}", "operator").replace("{user}", "operator");
        let reply = daemon.operator().get(&format!("{path}?cursor=bm8&q=a&agent_name=one"));
        let reply = if reply.status == 422 { daemon.operator().get(&format!("{path}?cursor=bm8")) } else { reply };
        let reply = if reply.status == 422 { daemon.operator().get(&format!("{path}?cursor=bm8&q=a")) } else { reply };
        assert_eq!(reply.status, 400, "{}: {}", route.id, reply.text());
        assert!(reply.text().contains("invalid_cursor"), "{}: {}", route.id, reply.text());
    }
}
