//! The versions of the schema. Only `schema.sql` states the newest version: an upgrade makes each table that differs
//! anew and copies its rows.
//!
//! `tests/data/released/` has a database of every released version. A test upgrades each of them and checks that it
//! then has exactly the same objects as a new database.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use super::open::APPLICATION_ID;

/// The whole schema of a new database.
pub(super) const SCHEMA: &str = include_str!("../../schema.sql");

/// The version this daemon writes. It grows with the first change of `schema.sql` after a release.
pub const VERSION: i64 = 3;

/// A change that a version made to the data, as a statement on the current tables. Without such a change, a new column
/// has its default in old rows.
struct SchemaChange {
    /// The change runs for databases older than this version.
    version: i64,
    /// A description of the change, like the subject of a commit.
    name: &'static str,
    /// The SQL of the change.
    sql: &'static str,
}

const CHANGES: &[SchemaChange] = &[
    SchemaChange {
        version: 3,
        name: "fill the index of knowledge, which has no content of its own now",
        sql: "INSERT INTO knowledge_words (rowid, title, content) SELECT seq, title, content FROM knowledge_items",
    },
    SchemaChange {
        version: 3,
        name: "count the notifications of each sender in each inbox",
        sql: "INSERT INTO notification_senders (user_id, sender, total)
            SELECT user_id, coalesce(agent_id, source), count(*) FROM notifications GROUP BY 1, 2",
    },
    SchemaChange {
        version: 3,
        name: "count the documents of each source of knowledge and note their categories",
        sql: "INSERT INTO knowledge_sources (source_id, source_type, items, updated_at)
                SELECT source_id, min(source_type), count(*), max(updated_at) FROM knowledge_items WHERE true GROUP BY source_id
                ON CONFLICT (source_id) DO UPDATE SET source_type = excluded.source_type, items = excluded.items,
                    updated_at = excluded.updated_at;
            INSERT INTO knowledge_categories (category, created_at, id)
                SELECT DISTINCT c.value, i.created_at, i.id FROM knowledge_items i, json_each(i.categories) c",
    },
    SchemaChange {
        version: 3,
        name: "note the order of the agents and the times of the audit",
        sql: "INSERT INTO agent_names (agent_id) SELECT id FROM agents ORDER BY created_at, id;
            INSERT INTO audit_spans (span, min_at, max_at)
                SELECT seq / 1024, min(at), max(at) FROM audit GROUP BY seq / 1024 HAVING max(seq) % 1024 = 1023",
    },
];

/// The errors of an upgrade.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The file is of a newer release.
    #[error("schema version {0} is newer than this daemon's")]
    TooNew(i64),
    /// The file has the tables of another program.
    #[error("it holds the tables of another program")]
    Foreign,
    /// The new tables would have rows that refer to missing rows.
    #[error("bringing it to schema version {0} would leave rows that point nowhere")]
    Dangling(i64),
    /// SQLite returned an error.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Returns the schema version of a database; 0 for an empty one.
///
/// # Errors
/// [`MigrateError::TooNew`] if the version is newer than [`VERSION`], or [`MigrateError::Sqlite`].
pub fn version(conn: &Connection) -> Result<i64, MigrateError> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION { Err(MigrateError::TooNew(version)) } else { Ok(version) }
}

/// Upgrades the database to [`VERSION`] in one transaction. Makes the schema of an empty database.
///
/// # Errors
/// Any [`MigrateError`].
pub fn migrate(conn: &mut Connection) -> Result<(), MigrateError> {
    let version = version(conn)?;
    if version == 0 {
        return create(conn);
    }
    if version < VERSION {
        // Renaming a table must not change the references to it: they must mean the table that takes its place.
        conn.pragma_update(None, "foreign_keys", false)?;
        conn.pragma_update(None, "legacy_alter_table", true)?;
        let done = upgrade(conn, version);
        conn.pragma_update(None, "legacy_alter_table", false)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        done?;
    }
    Ok(())
}

fn create(conn: &mut Connection) -> Result<(), MigrateError> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Err(MigrateError::Foreign);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(SCHEMA)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

fn upgrade(conn: &mut Connection, from: i64) -> Result<(), MigrateError> {
    log::info!("upgrading the database from schema version {from} to {VERSION}");
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    remake(&tx)?;
    for change in CHANGES.iter().filter(|change| from < change.version) {
        log::info!("schema version {}: {}", change.version, change.name);
        tx.execute_batch(change.sql)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    if tx.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(MigrateError::Dangling(VERSION));
    }
    tx.commit()?;
    Ok(())
}

/// An object of a schema: its kind and its statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    /// The statement that makes it.
    pub sql: String,
}

impl Object {
    fn is_table(&self) -> bool {
        self.kind == "table"
    }

    fn is_virtual(&self) -> bool {
        self.sql.starts_with("CREATE VIRTUAL TABLE")
    }
}

/// Returns the objects of a schema by name, without those that SQLite makes itself.
///
/// # Errors
/// Any SQLite error.
pub fn objects(conn: &Connection) -> rusqlite::Result<BTreeMap<String, Object>> {
    let mut statement = conn.prepare(
        "SELECT name, type, sql FROM sqlite_schema s WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'
            AND NOT EXISTS (SELECT 1 FROM pragma_table_list t WHERE t.schema = 'main' AND t.name = s.name AND t.type = 'shadow')",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Object { kind: row.get(1)?, sql: row.get(2)? })))?;
    rows.collect()
}

/// Returns the objects that a database of [`VERSION`] has.
///
/// # Errors
/// Any SQLite error.
pub fn wanted_objects() -> rusqlite::Result<BTreeMap<String, Object>> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(SCHEMA)?;
    objects(&fresh)
}

/// Makes each object that differs from `schema.sql` anew and keeps the rows.
fn remake(conn: &Connection) -> rusqlite::Result<()> {
    let (found, wanted) = (objects(conn)?, wanted_objects()?);
    let differs = |name: &str, object: &Object| wanted.get(name) != Some(object);
    let lacks = |name: &str, object: &Object| found.get(name) != Some(object);
    let run = |sql: String| conn.execute_batch(&sql);
    // Triggers go first: copying rows must not fire them.
    for (name, object) in found.iter().filter(|(_, object)| ["trigger", "view"].contains(&object.kind.as_str())) {
        run(format!("DROP {} {}", object.kind, quoted(name)))?;
    }
    let sequences = sequences(conn)?;
    let replaced: Vec<_> = found.iter().filter(|(name, o)| o.is_table() && differs(name, o)).collect();
    for (name, object) in &replaced {
        match object.is_virtual() {
            true => run(format!("DROP TABLE {}", quoted(name)))?,
            false => run(format!("ALTER TABLE {} RENAME TO {}", quoted(name), quoted(&old(name))))?,
        }
    }
    for (_, object) in wanted.iter().filter(|(name, o)| o.is_table() && !o.is_virtual() && lacks(name, o)) {
        run(object.sql.clone())?;
    }
    for (name, _) in replaced.iter().filter(|(_, object)| !object.is_virtual()) {
        if wanted.contains_key(*name) {
            let columns = common_columns(conn, &old(name), name)?;
            run(format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", quoted(name), quoted(&old(name))))?;
        }
        run(format!("DROP TABLE {}", quoted(&old(name))))?;
    }
    for (table, last) in sequences {
        conn.execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", (&table, last))?;
        conn.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)
                AND EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)",
            (&table, last),
        )?;
    }
    for (name, object) in wanted.iter().filter(|(name, o)| o.is_virtual() && lacks(name, o)) {
        run(object.sql.clone())?;
        // A contentless index cannot be rebuilt from itself; a `SchemaChange` fills it if necessary.
        if !object.sql.contains("content = ''") {
            run(format!("INSERT INTO {name} ({name}) VALUES ('rebuild')"))?;
        }
    }
    remake_indexes(conn, &wanted)?;
    for (_, object) in wanted.iter().filter(|(_, object)| ["trigger", "view"].contains(&object.kind.as_str())) {
        run(object.sql.clone())?;
    }
    Ok(())
}

fn remake_indexes(conn: &Connection, wanted: &BTreeMap<String, Object>) -> rusqlite::Result<()> {
    let present = objects(conn)?;
    for (name, object) in present.iter().filter(|(_, object)| object.kind == "index") {
        if wanted.get(name) != Some(object) {
            conn.execute_batch(&format!("DROP INDEX {}", quoted(name)))?;
        }
    }
    for (name, object) in wanted.iter().filter(|(_, object)| object.kind == "index") {
        if present.get(name) != Some(object) {
            conn.execute_batch(&object.sql)?;
        }
    }
    Ok(())
}

/// Returns the highest number that each table with AUTOINCREMENT has given so far: no number may be given twice.
fn sequences(conn: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    if !conn.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'")?.exists([])? {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare("SELECT name, seq FROM sqlite_sequence")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns the names of the columns that both tables have, quoted and separated by commas.
fn common_columns(conn: &Connection, old: &str, new: &str) -> rusqlite::Result<String> {
    let mut statement = conn.prepare(
        "SELECT n.name FROM pragma_table_info(?2) n JOIN pragma_table_info(?1) o ON o.name = n.name ORDER BY n.cid",
    )?;
    let rows = statement.query_map([old, new], |row| Ok(quoted(&row.get::<_, String>(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.join(", "))
}

fn old(name: &str) -> String {
    format!("{name}_before_upgrade")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
