//! Spaces: where agents live.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use crate::time::Micros;

const INSERT: &str =
    "INSERT INTO spaces (id, slug, name, description, visibility, owner_user_id, is_default, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const SELECT_DEFAULT: &str = "SELECT id FROM spaces WHERE owner_user_id = ?1 AND is_default = 1";
const SELECT: &str =
    "SELECT s.id, s.slug, s.name, s.description, s.visibility, s.owner_user_id, u.username, s.is_default,
        s.created_at
    FROM spaces s JOIN users u ON u.id = s.owner_user_id";
const SLUG_IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM spaces WHERE slug = ?1)";
/// Spaces told in one list; a user makes them by hand.
const LISTED: u64 = 500;

/// A space.
#[derive(Debug, Clone)]
pub struct Space {
    /// The id.
    pub id: String,
    /// The unique short name.
    pub slug: String,
    /// The name for people, unique among its owner's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `private`, `invite_only` or `public`.
    pub visibility: String,
    /// The owner's id.
    pub owner_user_id: String,
    /// The owner's name.
    pub owner: String,
    /// Whether it is its owner's default.
    pub is_default: bool,
    /// When it was made.
    pub created_at: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Space> {
    Ok(Space {
        id: row.get(0)?,
        slug: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        visibility: row.get(4)?,
        owner_user_id: row.get(5)?,
        owner: row.get(6)?,
        is_default: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// Makes a user's default space, named like the user.
///
/// # Errors
/// The store's.
pub fn insert_default(conn: &Connection, id: &str, username: &str, user_id: &str, now: Micros) -> Result<()> {
    // Somebody may have given this name to a space before the user came.
    let slug = free_slug(conn, username)?;
    conn.prepare_cached(INSERT)?.execute(params![id, slug, username, "", "private", user_id, true, now])?;
    Ok(())
}

/// Makes a space that is nobody's default.
///
/// # Errors
/// `Exists` if its owner has a space of this name, in any case.
pub fn insert(conn: &Connection, space: &Space) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        space.id,
        space.slug,
        space.name,
        space.description,
        space.visibility,
        space.owner_user_id,
        false,
        space.created_at
    ])?;
    Ok(())
}

/// The slug, or with the smallest number behind it that is free.
///
/// # Errors
/// The store's.
pub fn free_slug(conn: &Connection, base: &str) -> Result<String> {
    let mut slug = base.to_owned();
    let mut number = 1u32;
    while conn.prepare_cached(SLUG_IS_TAKEN)?.query_row([&slug], |row| row.get(0))? {
        number += 1;
        slug = format!("{base}-{number}");
    }
    Ok(slug)
}

/// The id of a user's default space; every user has one.
///
/// # Errors
/// The store's.
pub fn default_of(conn: &Connection, user_id: &str) -> Result<String> {
    Ok(conn.prepare_cached(SELECT_DEFAULT)?.query_row([user_id], |row| row.get(0))?)
}

/// The space of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Space>> {
    Ok(conn.prepare_cached(&format!("{SELECT} WHERE s.id = ?1"))?.query_row([id], read).optional()?)
}

/// A user's spaces, the default one first.
///
/// # Errors
/// The store's.
pub fn of_user(conn: &Connection, user_id: &str) -> Result<Vec<Space>> {
    let sql = format!("{SELECT} WHERE s.owner_user_id = ?1 ORDER BY s.is_default DESC, s.created_at, s.id LIMIT ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![user_id, LISTED], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
