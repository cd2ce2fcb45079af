//! Users.

use rusqlite::{Connection, params};

use super::page::{Page, Take, each};
use super::row::record;
use super::{Result, is_id};
use crate::closed_set::closed_set;
use crate::time::Micros;

const INSERT: &str =
    "INSERT INTO users (id, username, display_name, role, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
const UPDATE: &str = "UPDATE users SET display_name = ?2, role = ?3, disabled = ?4, updated_at = ?5 WHERE id = ?1";
const DELETE: &str = "DELETE FROM users WHERE id = ?1";
/// Moves agents of other users from the user's spaces to their owners' default spaces, before those spaces are deleted.
const SEND_HOME: &[&str] = &[
    "UPDATE agents SET space_id = (SELECT id FROM spaces WHERE owner_user_id = agents.owner_user_id AND is_default = 1)
    WHERE space_id IN (SELECT id FROM spaces WHERE owner_user_id = ?1) AND owner_user_id <> ?1",
    "UPDATE agents SET owner_space_id =
        (SELECT id FROM spaces WHERE owner_user_id = agents.owner_user_id AND is_default = 1)
    WHERE owner_space_id IN (SELECT id FROM spaces WHERE owner_user_id = ?1) AND owner_user_id <> ?1",
];
const COUNT_OTHER_ADMINS: &str = "SELECT count(*) FROM users WHERE role = 'admin' AND disabled = 0 AND id <> ?1";
const ENABLED_ADMINS: &str = "SELECT id FROM users WHERE role = 'admin' AND disabled = 0 ORDER BY created_at, id";
const ARE_AT_LEAST: &str = "SELECT EXISTS (SELECT 1 FROM users LIMIT 1 OFFSET ?1)";
const OWNS_AGENTS: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE owner_user_id = ?1)";

closed_set! {
    /// A user's rights beside its grants.
    pub enum Role {
        Admin "admin" "Acts as owner of everything and runs the box.";
        Member "member" "Has what it was granted.";
    }
}

record! {
    /// A user.
    pub struct User from "users u" {
        /// The id.
        pub id: String = "u.id",
        /// The unique name.
        pub username: String = "u.username",
        /// The name for people.
        pub display_name: String = "u.display_name",
        /// The role.
        pub role: Role = "u.role",
        /// Whether the credentials of the user and of its agents are refused.
        pub disabled: bool = "u.disabled",
        /// When it was made.
        pub created_at: Micros = "u.created_at",
        /// When it was last changed.
        pub updated_at: Micros = "u.updated_at",
    }
}

/// Adds a user.
///
/// # Errors
/// `Exists` if the username is taken.
pub fn insert(conn: &Connection, user: &User) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        user.id,
        user.username,
        user.display_name,
        user.role,
        user.created_at
    ])?;
    Ok(())
}

/// Returns the user with this name.
///
/// # Errors
/// Any `StoreError`.
pub fn by_username(conn: &Connection, username: &str) -> Result<Option<User>> {
    User::one(conn, "WHERE username = ?1", [username])
}

/// Returns the user that a text names: by id if the text has the form of an id, else by name.
///
/// # Errors
/// Any `StoreError`.
pub fn resolve(conn: &Connection, given: &str) -> Result<Option<User>> {
    if is_id(given) { by_id(conn, &given.to_ascii_lowercase()) } else { by_username(conn, given) }
}

/// Returns the user with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<User>> {
    User::one(conn, "WHERE id = ?1", [id])
}

/// Returns the user that the operator's socket acts as: the oldest enabled admin. There always is one.
///
/// # Errors
/// Any `StoreError`.
pub fn operator(conn: &Connection) -> Result<Option<User>> {
    User::one(conn, "WHERE role = 'admin' AND disabled = 0 ORDER BY created_at, id LIMIT 1", [])
}

/// Returns the ids of all enabled admins, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn enabled_admins(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(ENABLED_ADMINS)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lists users, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, page: &Page, take: Take<'_, User>) -> Result<()> {
    let sql = format!("{} WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3", User::SELECT);
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![at, id, page.fetch()], User::read, take)
}

/// Stores `display_name`, `role`, `disabled` and `updated_at` of a user.
///
/// # Errors
/// Any `StoreError`.
pub fn update(conn: &Connection, user: &User) -> Result<()> {
    conn.prepare_cached(UPDATE)?.execute(params![
        user.id,
        user.display_name,
        user.role,
        user.disabled,
        user.updated_at
    ])?;
    Ok(())
}

/// Deletes a user with its credentials, grants and spaces. Agents of other users that live in those spaces move to
/// their owners' default spaces.
///
/// # Errors
/// `Constraint` if the user owns agents.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    for sql in SEND_HOME {
        conn.prepare_cached(sql)?.execute([id])?;
    }
    conn.prepare_cached(DELETE)?.execute([id])?;
    Ok(())
}

/// Returns true if another user is an enabled admin.
///
/// # Errors
/// Any `StoreError`.
pub fn another_admin_than(conn: &Connection, id: &str) -> Result<bool> {
    let others: i64 = conn.prepare_cached(COUNT_OTHER_ADMINS)?.query_row([id], |row| row.get(0))?;
    Ok(others > 0)
}

/// Returns true if there are at least `count` users.
///
/// # Errors
/// Any `StoreError`.
pub fn are_at_least(conn: &Connection, count: u64) -> Result<bool> {
    Ok(conn.prepare_cached(ARE_AT_LEAST)?.query_row([count.saturating_sub(1)], |row| row.get(0))?)
}

/// Returns true if the user owns agents, archived ones included.
///
/// # Errors
/// Any `StoreError`.
pub fn owns_agents(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(OWNS_AGENTS)?.query_row([id], |row| row.get(0))?)
}
