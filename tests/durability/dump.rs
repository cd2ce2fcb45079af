//! Makes the dump of the present schema version: a real daemon's database with a row in every table, as SQL.
//!
//! `cargo test --test durability -- --ignored write_the_dump_of_this_version` writes `tests/data/released/vN.sql`. Only
//! with a release: the dump of a released version never changes, and the version in the making has none.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::json;
use taosd::secret::recognise;
use taosd::store::VERSION;

use crate::support::Daemon;

/// The operator's token in every dump. Made up for these tests: good nowhere else.
pub const TOKEN: &str = "taos_user_released-versions-are-brought-up-by-testsAA";

/// Where the dump of a version lies.
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
    // What takes a container runtime, a webhook or another dialect's client.
    conn.execute_batch(
        "INSERT INTO webhook_outbox (notification_id, queued_at, next_at)
            SELECT id, 1790000000000000, 9000000000000000 FROM notifications;
         INSERT INTO agent_profiles SELECT id, 'what it is', '', '', 'assistant', NULL, '', 1, 0 FROM agents
            WHERE id NOT IN (SELECT agent_id FROM agent_profiles);
         INSERT INTO operations (id, kind, status, agent_name, progress, actor, request_id, created_at, started_at,
            finished_at)
         VALUES ('0198b8a0-0000-7000-8000-000000000001', 'deploy', 'failed', 'atlas', 40, 'user:operator', 'dump',
            1790000000000000, 1790000000000000, 1790000001000000)",
    )
    .unwrap();
    // Every other secret was made for this and is known to nobody.
    fs::write(path(VERSION), dump(&conn)).unwrap();
}

/// Something of everything.
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
}

fn dump(conn: &Connection) -> String {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mut out = format!(
        "PRAGMA application_id = {};\nPRAGMA user_version = {};\nBEGIN;\n",
        pragma("application_id"),
        pragma("user_version")
    );
    // The tables behind a full-text index are the index's own: it makes them, and fills them anew from what it indexes.
    let objects =
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'knowledge_words_*' AND name NOT GLOB 'sqlite_*'
        ORDER BY type = 'trigger', rowid";
    let mut statement = conn.prepare(objects).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for row in rows {
        let (kind, name, sql): (String, String, String) = row.unwrap();
        writeln!(out, "{sql};").unwrap();
        if sql.starts_with("CREATE VIRTUAL TABLE") {
            writeln!(out, "INSERT INTO {name} ({name}) VALUES ('rebuild');").unwrap();
        } else if kind == "table" {
            rows_of(conn, &name, &mut out);
        }
    }
    out + "COMMIT;\n"
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

/// Makes the database of a dump.
pub fn load(version: i64, database: &Path) {
    let sql =
        fs::read_to_string(path(version)).unwrap_or_else(|e| panic!("no dump of released version {version}: {e}"));
    let conn = Connection::open(database).unwrap();
    conn.execute_batch(&sql).unwrap();
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(found, version, "the dump says its version");
}
