//! Spaces: where agents live.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::grants::{GrantRole, Grantee};
use super::page::{Page, Take, each};
use super::row::record;
use crate::closed_set::closed_set;
use crate::limits::SPACE_MEMBERS;
use crate::time::Micros;

const INSERT: &str =
    "INSERT INTO spaces (id, slug, name, description, visibility, owner_user_id, is_default, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const SELECT_DEFAULT: &str = "SELECT id FROM spaces WHERE owner_user_id = ?1 AND is_default = 1";
const SLUG_IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM spaces WHERE slug = ?1)";
const COUNT: &str = "SELECT count(*) FROM spaces WHERE owner_user_id = ?1";
const OWNER: &str = "SELECT owner_user_id FROM spaces WHERE id = ?1";
/// The most spaces that [`all_of`] returns.
const LISTED: u64 = 1000;
const OF_USER: &str = "WHERE s.id IN (
        SELECT id FROM spaces WHERE owner_user_id = ?1
        UNION ALL SELECT space_id FROM grants WHERE principal_user_id = ?1 AND space_id IS NOT NULL
            AND (expires_at IS NULL OR expires_at > ?2))
    AND (iif(s.owner_user_id = ?1 AND s.is_default, 0, s.created_at), s.id) > (?3, ?4)
    ORDER BY iif(s.owner_user_id = ?1 AND s.is_default, 0, s.created_at), s.id LIMIT ?5";
const OF_AGENT: &str = "WHERE s.id IN (
        SELECT space_id FROM agents WHERE id = ?1
        UNION ALL SELECT space_id FROM grants WHERE principal_agent_id = ?1 AND space_id IS NOT NULL
            AND (expires_at IS NULL OR expires_at > ?2))
    AND (s.created_at, s.id) > (?3, ?4) ORDER BY s.created_at, s.id LIMIT ?5";
const MEMBERS: &str = "SELECT u.id, u.username, 1, 'owner', NULL FROM spaces s JOIN users u ON u.id = s.owner_user_id
        WHERE s.id = ?1
    UNION ALL SELECT * FROM (
        SELECT coalesce(u.id, a.id), coalesce(u.username, a.given_name, a.slug), u.id IS NOT NULL, g.role, g.expires_at
        FROM grants g LEFT JOIN users u ON u.id = g.principal_user_id LEFT JOIN agents a ON a.id = g.principal_agent_id
        WHERE g.space_id = ?1 AND (g.expires_at IS NULL OR g.expires_at > ?2)
            AND g.principal_user_id IS NOT (SELECT owner_user_id FROM spaces WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM grants h WHERE h.principal_agent_id = g.principal_agent_id
                AND coalesce(h.agent_id, 'space:' || h.space_id, '*') = 'space:' || ?1 AND h.id <> g.id
                AND (h.expires_at IS NULL OR h.expires_at > ?2)
                AND (CASE h.role WHEN 'owner' THEN 3 WHEN 'editor' THEN 2 ELSE 1 END, h.id)
                    > (CASE g.role WHEN 'owner' THEN 3 WHEN 'editor' THEN 2 ELSE 1 END, g.id))
        ORDER BY g.granted_at, g.id LIMIT ?3)
    UNION ALL SELECT * FROM (
        SELECT a.id, coalesce(a.given_name, a.slug), 0, 'editor', NULL FROM agents a
        WHERE a.space_id = ?1 AND a.archived_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.principal_agent_id = a.id
                AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = 'space:' || ?1
                AND (g.expires_at IS NULL OR g.expires_at > ?2))
        ORDER BY a.created_at, a.id LIMIT ?3)";

record! {
    /// A space.
    pub struct Space from "spaces s JOIN users u ON u.id = s.owner_user_id" {
        /// The id.
        pub id: String = "s.id",
        /// The unique short name.
        pub slug: String = "s.slug",
        /// The name for people, unique among the spaces of its owner.
        pub name: String = "s.name",
        /// The purpose of the space, in words.
        pub description: String = "s.description",
        /// Who may see it.
        pub visibility: Visibility = "s.visibility",
        /// The owner's id.
        pub owner_user_id: String = "s.owner_user_id",
        /// The owner's name.
        pub owner: String = "u.username",
        /// Whether it is the default space of its owner.
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
/// Any `StoreError`.
pub fn insert_default(conn: &Connection, id: &str, username: &str, user_id: &str, now: Micros) -> Result<()> {
    // Another space may have got this name before the user was made.
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

/// Returns how many spaces a user owns.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_user(conn: &Connection, user_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([user_id], |row| row.get(0))?)
}

/// Returns `base` if that slug is free, else `base` with the smallest number, from 2 on, that makes a free slug.
///
/// # Errors
/// Any `StoreError`.
pub fn free_slug(conn: &Connection, base: &str) -> Result<String> {
    let mut slug = base.to_owned();
    let mut number = 1u32;
    while conn.prepare_cached(SLUG_IS_TAKEN)?.query_row([&slug], |row| row.get(0))? {
        number += 1;
        slug = format!("{base}-{number}");
    }
    Ok(slug)
}

/// Returns the id of a user's default space; every user has one.
///
/// # Errors
/// Any `StoreError`.
pub fn default_of(conn: &Connection, user_id: &str) -> Result<String> {
    Ok(conn.prepare_cached(SELECT_DEFAULT)?.query_row([user_id], |row| row.get(0))?)
}

/// Returns the space with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Space>> {
    Space::one(conn, "WHERE s.id = ?1", [id])
}

/// Returns the space with this id or slug.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id_or_slug(conn: &Connection, text: &str) -> Result<Option<Space>> {
    match by_id(conn, text)? {
        Some(space) => Ok(Some(space)),
        None => Space::one(conn, "WHERE s.slug = ?1", [text]),
    }
}

/// Returns the id of a space's owner; `None` if there is no such space.
///
/// # Errors
/// Any `StoreError`.
pub fn owner_of(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(OWNER)?.query_row([id], |row| row.get(0)).optional()?)
}

/// Lists the spaces of a principal, oldest first. A user's spaces are its own and those it has a grant on, the default
/// space before all others. An agent's spaces are the one it lives in and those it has a grant on.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, principal: &Grantee, page: &Page, now: Micros, take: Take<'_, Space>) -> Result<()> {
    let condition = match principal {
        Grantee::User(_) => OF_USER,
        Grantee::Agent(_) => OF_AGENT,
    };
    let mut statement = conn.prepare_cached(&format!("{} {condition}", Space::SELECT))?;
    let (at, id) = page.oldest_first();
    each(&mut statement, params![principal.id(), now, at, id, page.fetch()], Space::read, take)
}

/// Returns the sort key (time, id) of a space in the list that [`of`] gives a principal.
pub fn place(space: &Space, principal: &Grantee) -> (Micros, String) {
    let is_home = space.is_default && *principal == Grantee::User(space.owner_user_id.clone());
    (if is_home { Micros(0) } else { space.created_at }, space.id.clone())
}

/// Returns the first [`LISTED`] spaces of the list that [`of`] gives a principal.
///
/// # Errors
/// Any `StoreError`.
pub fn all_of(conn: &Connection, principal: &Grantee, now: Micros) -> Result<Vec<Space>> {
    let mut all = Vec::new();
    let page = Page { limit: LISTED, after: None };
    of(conn, principal, &page, now, &mut |space| {
        all.push(space);
        (all.len() as u64) < LISTED
    })?;
    Ok(all)
}

/// A user or an agent that belongs to a space.
#[derive(Debug, Clone)]
pub struct Member {
    /// The user's or agent's id.
    pub id: String,
    /// The name of the user or agent.
    pub name: String,
    /// Whether it is a user.
    pub is_user: bool,
    /// The role in the space.
    pub role: GrantRole,
    /// When the membership ends; `None` if it has no end.
    pub expires_at: Option<Micros>,
}

/// Returns a space's members: its owner, at most [`SPACE_MEMBERS`] users and agents with a grant, and at most as many
/// agents that live there.
///
/// # Errors
/// Any `StoreError`.
pub fn members(conn: &Connection, id: &str, now: Micros) -> Result<Vec<Member>> {
    let mut statement = conn.prepare_cached(MEMBERS)?;
    let rows = statement.query_map(params![id, now, SPACE_MEMBERS], |row| {
        Ok(Member {
            id: row.get(0)?,
            name: row.get(1)?,
            is_user: row.get(2)?,
            role: row.get(3)?,
            expires_at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
