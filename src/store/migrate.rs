//! The schema's versions. `schema.sql` is the newest one; a step here brings an older file up to it.
//!
//! A released step is never edited. `tests/data/released/` keeps a database of every released version, and a test
//! brings each of them up.

use rusqlite::{Connection, TransactionBehavior};

use super::open::APPLICATION_ID;

/// The whole schema of a new database.
pub(super) const SCHEMA: &str = include_str!("../../schema.sql");

/// One step from a version to the next.
struct Step {
    /// What it does, like a commit's subject.
    name: &'static str,
    /// How.
    sql: &'static str,
}

/// `STEPS[i]` leads from version `i + 1` to version `i + 2`. A step runs without foreign keys being enforced, so that it
/// may make a table anew; they are checked at its end.
const STEPS: &[Step] = &[Step { name: "let an operation be a backup", sql: include_str!("migrate/2.sql") }];

/// The version this daemon writes.
pub const VERSION: i64 = 1 + STEPS.len() as i64;

/// What bringing a database up can end in, beside SQLite's own errors.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The file is of a newer release.
    #[error("schema version {0} is newer than this daemon's")]
    TooNew(i64),
    /// The file has tables, and they are not ours.
    #[error("it holds the tables of another program")]
    Foreign,
    /// A step would leave rows that point nowhere.
    #[error("bringing it to schema version {0} would leave rows that point nowhere")]
    Dangling(i64),
    /// SQLite refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The version of a database; 0 for an empty one.
///
/// # Errors
/// [`MigrateError::TooNew`] if this daemon does not know it.
pub fn version(conn: &Connection) -> Result<i64, MigrateError> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION { Err(MigrateError::TooNew(version)) } else { Ok(version) }
}

/// Brings the database to [`VERSION`]: a new one in one transaction, an older one step by step, each in its own.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(conn: &mut Connection) -> Result<(), MigrateError> {
    let version = version(conn)?;
    if version == 0 {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(MigrateError::Foreign);
        }
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(SCHEMA)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
        return Ok(());
    }
    if version < VERSION {
        conn.pragma_update(None, "foreign_keys", false)?;
        let stepped = step_up(conn, version);
        conn.pragma_update(None, "foreign_keys", true)?;
        stepped?;
    }
    Ok(())
}

fn step_up(conn: &mut Connection, mut version: i64) -> Result<(), MigrateError> {
    while let Some(step) = usize::try_from(version - 1).ok().and_then(|i| STEPS.get(i)) {
        log::info!("schema version {version} -> {}: {}", version + 1, step.name);
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step.sql)?;
        version += 1;
        tx.pragma_update(None, "user_version", version)?;
        if tx.prepare("PRAGMA foreign_key_check")?.exists([])? {
            return Err(MigrateError::Dangling(version));
        }
        tx.commit()?;
    }
    Ok(())
}
