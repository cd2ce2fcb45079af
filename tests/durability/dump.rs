//! Makes the dump of the current schema version: the database of a real daemon with a row in every table, as SQL.
//!
//! `cargo test --test durability -- --ignored write_the_dump_of_this_version` writes `tests/data/released/vN.sql`. Run
//! it only for a release: the dump of a released version never changes, and an unreleased version has none.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::json;
use taosd::secret::recognise;
use taosd::store::VERSION;

use crate::support::Daemon;

/// The operator's token in every dump. It was made up for these tests and is valid nowhere else.
pub const TOKEN: &str = "taos_user_released-versions-are-brought-up-by-testsAA";

/// Returns the path of a version's dump.
pub fn path(version: i64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/released/v{version}.sql"))
}

#[test]
#[ignore = "writes into the repository"]
fn write_the_dump_of_this_version() {
    let mut daemon = Daemon::start();
    fill(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    let conn = Connection::open(daemon.database()).unwrap();
    let (_, hash) = recognise(TOKEN).expect("a well-formed token");
    let changed = conn
        .execute("UPDATE credentials SET secret_hash = ?1 WHERE label = 'operator.token'", [hash.as_bytes()])
        .unwrap();
    assert_eq!(changed, 1);
    // Rows that otherwise need a container runtime, a webhook or a client of another dialect.
    conn.execute_batch(
        "INSERT INTO webhook_outbox (notification_id, queued_at, next_at)
            SELECT id, 1790000000000000, 9000000000000000 FROM notifications;
         INSERT INTO agent_profiles SELECT id, 'what it is', '', '', 'assistant', NULL, 1, 0, '' FROM agents
            WHERE id NOT IN (SELECT agent_id FROM agent_profiles);
         INSERT INTO operations (id, kind, status, agent_name, progress, actor, request_id, created_at, started_at,
            finished_at)
         VALUES ('0198b8a0-0000-7000-8000-000000000001', 'deploy', 'failed', 'atlas', 40, 'user:operator', 'dump',
            1790000000000000, 1790000000000000, 1790000001000000)",
    )
    .unwrap();
    // Two pages of the documentation are enough.
    conn.execute_batch(
        "DELETE FROM knowledge_items WHERE id NOT IN (SELECT id FROM knowledge_items ORDER BY id LIMIT 2);
         INSERT INTO knowledge_words (knowledge_words) VALUES ('optimize')",
    )
    .unwrap();
    conn.execute_batch(OF_THE_WORKSPACE).unwrap();
    conn.execute_batch(OF_PROGRAMS_AND_CHANNELS).unwrap();
    // Every other secret was made for this dump, and nobody knows it.
    fs::write(path(VERSION), dump(&conn)).unwrap();
}

/// Rows that files, readers of messages and daily work leave.
const OF_THE_WORKSPACE: &str = "
    INSERT OR IGNORE INTO agent_news (agent_id, count) SELECT id, 1 FROM agents LIMIT 1;
    INSERT INTO knowledge_sources (source_id, owner_user_id) SELECT 'app:birds', id FROM users LIMIT 1;
    UPDATE knowledge_items SET categories = '[\"birds\"]' WHERE id = (SELECT min(id) FROM knowledge_items);
    INSERT INTO audit_spans (span, min_at, max_at) SELECT 0, min(at), max(at) FROM audit;
    INSERT OR IGNORE INTO agent_allowances (agent_id, day, bytes, rows) SELECT id, 20000, 10, 1 FROM agents LIMIT 1;
    INSERT OR IGNORE INTO message_read_bits (space_id, principal, bits) SELECT space_id, author, x'01' FROM messages LIMIT 1;
    INSERT OR IGNORE INTO message_receipts (place, principal, name, space_id, seq, state, at)
        SELECT place, author, author_name, space_id, seq, 'read', created_at FROM messages LIMIT 1;
    INSERT INTO upload_contents (id, space_id, hash, size, begun_at)
        SELECT 1, space_id, zeroblob(32), 5, 1790000000000000 FROM messages LIMIT 1;
    INSERT INTO upload_chunks (content_id, number, bytes) VALUES (1, 0, x'68656c6c6f');
    INSERT INTO uploads (id, space_id, content_id, filename, content_type, created_by, created_at)
        SELECT '0198b8a0-0000-7000-8000-000000000002', space_id, 1, 'a.txt', 'text/plain', author, 1790000000000000
        FROM messages LIMIT 1;
    INSERT OR IGNORE INTO changes (kind, ref) VALUES ('operation', '0198b8a0-0000-7000-8000-000000000001');
    INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, created_by, created_at)
        SELECT '0198b8a0-0000-7000-8000-000000000003', id, 'agent_token', randomblob(32), '/root/.token', 1,
            'user:operator', 1790000000000000 FROM agents LIMIT 1";

/// Rows that third-party programs, joins and channels leave.
const OF_PROGRAMS_AND_CHANNELS: &str = "
    INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, label, state, issued_by, issued_at, expires_at)
        SELECT '0198b8a0-0000-7000-8000-000000000004', 'oauth_grant', 'dump000001', randomblob(32), id, '[\"agents.read\"]',
            'a program', 'active', 'user:operator', 1790000000000000, 9000000000000000 FROM users WHERE username = 'operator';
    INSERT INTO oauth_grants (credential_id, handle_hash, refreshed_at, user_id, client_hash, client_name, redirect_host,
            audience, words, created_at, ends_at)
        SELECT '0198b8a0-0000-7000-8000-000000000004', randomblob(32), 1790000000000000, id, randomblob(32), 'a program',
            '127.0.0.1', 'http://127.0.0.1:6969/', 'agents:read', 1790000000000000, 9000000000000000
        FROM users WHERE username = 'operator';
    INSERT OR IGNORE INTO oauth_clients (id, name, redirect_uris, can_introspect, created_by, created_at)
        VALUES ('taos_client_dump', 'by hand', '[\"http://127.0.0.1/back\"]', 0, 'user:operator', 1790000000000000);
    INSERT INTO joins (id, device_hash, state, name, code, peer, reason, decider_id, decided_by, created_at, expires_at,
            decided_at)
        SELECT '0198b8a0-0000-7000-8000-000000000005', randomblob(32), 'denied', 'walker', 'ABCD-EFGH', '127.0.0.1', 'why',
            id, 'user:operator', 1790000000000000, 9000000000000000, 1790000000000000
        FROM users WHERE username = 'operator';
    INSERT INTO channels (id, user_id, kind, min_level, created_at, updated_at, url)
        SELECT '0198b8a0-0000-7000-8000-000000000006', id, 'ntfy', 'high', 1790000000000000, 1790000000000000,
            'https://ntfy.invalid/dump' FROM users WHERE username = 'operator';
    INSERT INTO channel_outbox (channel_id, notification_id, queued_at)
        SELECT '0198b8a0-0000-7000-8000-000000000006', id, 9000000000000000 FROM notifications LIMIT 1";

/// Makes rows of most kinds with requests.
fn fill(daemon: &Daemon) {
    let operator = daemon.operator().with("Idempotency-Key", "dump");
    for name in ["atlas", "bert"] {
        let operator = daemon.operator().with("Idempotency-Key", name);
        operator.post("/api/agents", json!({"name": name, "color": "#102030"})).expect(200);
        operator.post(&format!("/api/agents/{name}/token/issue"), json!({"grace_seconds": 0})).expect(200);
    }
    operator.patch("/api/agents/atlas/persona", json!({"soul_md": "It's calm.\n"})).expect(200);
    operator.delete("/api/agents/bert").expect(200);
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    operator.post("/api/users/ann/tokens", json!({"label": "laptop"})).expect(201);
    let id = operator.get("/api/agents/atlas").expect(200).json()["id"].as_str().expect("an id").to_owned();
    let grant = json!({"principal": "user:ann", "resource": format!("agent:{id}"), "role": "viewer"});
    operator.post("/api/grants", grant).expect(201);
    operator.post("/api/ui/notify", json!({"title": "Hello", "body": "from a dump"})).expect(200);
    let register = json!({
        "name": "carl", "description": "", "acp_url": "http://127.0.0.1:9", "acp_type": "async",
        "registration_metadata": {"agent_commit": "abc", "branch_name": "main"},
    });
    let carl = operator.post("/agents/register", register).expect(200).json();
    let carl = carl["id"].as_str().expect("an id");
    operator.post(&format!("/agents/{carl}/deployments"), json!({"docker_image": "carl:1"})).expect(200);
    daemon.client("taos_user_wrong").get("/api/agents").expect(401);
    fill_the_workspace(daemon);
}

/// Makes a message, two tasks, a context value and a request.
fn fill_the_workspace(daemon: &Daemon) {
    let operator = daemon.operator();
    let said = json!({"content": "Is it done?", "client_id": "dump"});
    let said = operator.post("/api/v1/messages", said).expect(200).json();
    let id = said["message"]["id"].as_str().expect("an id").to_owned();
    operator.post(&format!("/api/v1/messages/{id}/reactions"), json!({"emoji": "+"})).expect(201);
    operator.post(&format!("/api/v1/messages/{id}/read"), json!({})).expect(200);
    let first = operator.post("/api/v1/tasks", json!({"title": "Sweep"})).expect(201).json()["id"].clone();
    let next = operator.post("/api/v1/tasks", json!({"title": "Mop", "depends_on": [first]})).expect(201).json();
    let next = next["id"].as_str().expect("an id").to_owned();
    operator.patch(&format!("/api/v1/tasks/{next}"), json!({"priority": "high"})).expect(200);
    operator.post("/api/v1/context", json!({"key": "plans/today", "value": "sweep", "ttl": 86400})).expect(200);
    let asked = json!({"kind": "scope", "scope": ["agents.logs"], "duration_seconds": 600, "reason": "to see"});
    daemon.agent_token("atlas", &["requests.create"]).post("/api/requests", asked).expect(201);
}

fn dump(conn: &Connection) -> String {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mut out = format!(
        "PRAGMA application_id = {};\nPRAGMA user_version = {};\nBEGIN;\n",
        pragma("application_id"),
        pragma("user_version")
    );
    // A full-text index creates the tables behind it itself. So the dump has only the rows of those tables.
    let objects = "SELECT type, name, sql FROM sqlite_schema AS one
        WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' AND NOT EXISTS (SELECT 1 FROM sqlite_schema AS index_of
            WHERE index_of.sql GLOB 'CREATE VIRTUAL TABLE*' AND one.type = 'table' AND one.name GLOB index_of.name || '_*')
        ORDER BY type = 'trigger', rowid";
    let mut statement = conn.prepare(objects).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for row in rows {
        let (kind, name, sql): (String, String, String) = row.unwrap();
        writeln!(out, "{sql};").unwrap();
        if sql.starts_with("CREATE VIRTUAL TABLE") {
            for behind in behind(conn, &name) {
                writeln!(out, "DELETE FROM {behind};").unwrap();
                rows_of(conn, &behind, &mut out);
            }
        } else if kind == "table" {
            rows_of(conn, &name, &mut out);
        }
    }
    out + "COMMIT;\n"
}

/// Returns the names of the tables behind a full-text index.
fn behind(conn: &Connection, index: &str) -> Vec<String> {
    let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?1").unwrap();
    let names = statement.query_map([format!("{index}_*")], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

fn rows_of(conn: &Connection, table: &str, out: &mut String) {
    let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<String> = (0..columns).map(|i| literal(&row.get(i).unwrap())).collect();
        writeln!(out, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
    }
}

fn literal(value: &Sql) -> String {
    match value {
        Sql::Null => "NULL".into(),
        Sql::Integer(n) => n.to_string(),
        Sql::Real(x) => x.to_string(),
        Sql::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Sql::Blob(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("x'{hex}'")
        }
    }
}

/// Makes a database from a dump.
pub fn load(version: i64, database: &Path) {
    let sql =
        fs::read_to_string(path(version)).unwrap_or_else(|e| panic!("no dump of released version {version}: {e}"));
    let conn = Connection::open(database).unwrap();
    conn.execute_batch(&sql).unwrap();
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(found, version, "the dump says its version");
}
