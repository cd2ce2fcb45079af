//! Spaces: where agents live.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::page::{Page, Take, each};
use super::row::record;
use crate::closed_set::closed_set;
use crate::time::Micros;

const INSERT: &str =
    "INSERT INTO spaces (id, slug, name, description, visibility, owner_user_id, is_default, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const SELECT_DEFAULT: &str = "SELECT id FROM spaces WHERE owner_user_id = ?1 AND is_default = 1";
const SLUG_IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM spaces WHERE slug = ?1)";
const COUNT: &str = "SELECT count(*) FROM spaces WHERE owner_user_id = ?1";

record! {
    /// A space.
    pub struct Space from "spaces s JOIN users u ON u.id = s.owner_user_id" {
        /// The id.
        pub id: String = "s.id",
        /// The unique short name.
        pub slug: String = "s.slug",
        /// The name for people, unique among its owner's.
        pub name: String = "s.name",
        /// What it is for.
        pub description: String = "s.description",
        /// Who may see it.
        pub visibility: Visibility = "s.visibility",
        /// The owner's id.
        pub owner_user_id: String = "s.owner_user_id",
        /// The owner's name.
        pub owner: String = "u.username",
        /// Whether it is its owner's default.
        pub is_default: bool = "s.is_default",
        /// When it was made.
        pub created_at: Micros = "s.created_at",
    }
}

closed_set! {
    /// Who may see a space.
    pub enum Visibility {
        Private "private" "Its members alone.";
        InviteOnly "invite_only" "Its members; others may be invited.";
        Public "public" "Every user of the box.";
    }
}

/// Makes a user's default space, named like the user.
///
/// # Errors
/// The store's.
pub fn insert_default(conn: &Connection, id: &str, username: &str, user_id: &str, now: Micros) -> Result<()> {
    // Somebody may have given this name to a space before the user came.
    let slug = free_slug(conn, username)?;
    conn.prepare_cached(INSERT)?.execute(params![id, slug, username, "", Visibility::Private, user_id, true, now])?;
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

/// How many spaces a user has.
///
/// # Errors
/// The store's.
pub fn count_of_user(conn: &Connection, user_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([user_id], |row| row.get(0))?)
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
    Ok(conn.prepare_cached(&format!("{} WHERE s.id = ?1", Space::SELECT))?.query_row([id], Space::read).optional()?)
}

/// A user's spaces, oldest first: the default one was made with the user.
///
/// # Errors
/// The store's.
pub fn of_user(conn: &Connection, user_id: &str, page: &Page, take: Take<'_, Space>) -> Result<()> {
    let sql = format!(
        "{} WHERE s.owner_user_id = ?1 AND (s.created_at, s.id) > (?2, ?3) ORDER BY s.created_at, s.id LIMIT ?4",
        Space::SELECT
    );
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![user_id, at, id, page.fetch()], Space::read, take)
}
