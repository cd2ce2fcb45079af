//! Spaces: where agents live.

use rusqlite::{Connection, params};

use super::Result;
use crate::time::Micros;

const INSERT_DEFAULT: &str = "INSERT INTO spaces (id, slug, name, visibility, owner_user_id, is_default, created_at)
    VALUES (?1, ?2, ?2, 'private', ?3, 1, ?4)";
const SELECT_DEFAULT: &str = "SELECT id FROM spaces WHERE owner_user_id = ?1 AND is_default = 1";

/// Makes a user's default space, named like the user.
///
/// # Errors
/// The store's.
pub fn insert_default(conn: &Connection, id: &str, username: &str, user_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(INSERT_DEFAULT)?.execute(params![id, username, user_id, now])?;
    Ok(())
}

/// The id of a user's default space; every user has one.
///
/// # Errors
/// The store's.
pub fn default_of(conn: &Connection, user_id: &str) -> Result<String> {
    Ok(conn.prepare_cached(SELECT_DEFAULT)?.query_row([user_id], |row| row.get(0))?)
}
