//! Facts about this installation, by name.

use rusqlite::{Connection, OptionalExtension};

use super::Result;

const SELECT: &str = "SELECT value FROM meta WHERE key = ?1";
const UPSERT: &str =
    "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// The name of the installation's id, which exists from the first start on.
pub const INSTALL_ID: &str = "install_id";

/// The name of the signing epoch. It tells which signing keys belong to this database: those that were made since it
/// was last restored.
pub const SIGNING_EPOCH: &str = "signing_epoch";

/// Returns the value of `key`; `None` if there is none.
///
/// # Errors
/// Any `StoreError`.
pub fn get(conn: &Connection, key: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(SELECT)?.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets `key`.
///
/// # Errors
/// Any `StoreError`.
pub fn set(conn: &Connection, key: &str, value: &str) -> Result<()> {
    conn.prepare_cached(UPSERT)?.execute([key, value])?;
    Ok(())
}
