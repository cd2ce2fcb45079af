//! Freezing agents. The mark on the agent's row is all there is to it: every look-up of a credential sees it, so no
//! credential changes, and thawing gives back exactly those that still live.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

const FREEZE: &str = "UPDATE agents SET frozen_at = ?2, frozen_by = ?3, frozen_reason = ?4, frozen_by_admin = ?5,
        thawing = 0, revision = revision + 1, updated_at = ?2
    WHERE id = ?1 AND archived_at IS NULL AND frozen_at IS NULL";
const BY_ADMIN: &str = "UPDATE agents SET frozen_by_admin = 1 WHERE id = ?1 AND frozen_at IS NOT NULL";
const THAW: &str = "UPDATE agents SET frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL, frozen_by_admin = 0,
        thawing = container_name IS NOT NULL, revision = revision + 1, updated_at = ?2
    WHERE id = ?1 AND frozen_at IS NOT NULL";
const SETTLED: &str = "UPDATE agents SET thawing = 0 WHERE id = ?1 AND thawing = 1";
const IS_FROZEN: &str = "SELECT frozen_at IS NOT NULL FROM agents WHERE id = ?1";
const OF_OWNER: &str = "WHERE a.owner_user_id = ?1";
const OF_ALL: &str = "WHERE ?1 IS NULL";

record! {
    /// What is needed of an agent to freeze or thaw it.
    pub struct Freezable from "agents a" {
        /// Its place in a list of all: agents that are made later have a greater one.
        pub place: i64 = "a.rowid",
        /// The id.
        pub id: String = "a.id",
        /// The slug.
        pub slug: String = "a.slug",
        /// The user who owns it.
        pub owner_user_id: String = "a.owner_user_id",
        /// Its container.
        pub container: Option<String> = "a.container_name",
        /// When it was frozen, if it is.
        pub frozen_at: Option<Micros> = "a.frozen_at",
        /// Whether an admin froze it.
        pub by_admin: bool = "a.frozen_by_admin",
    }
}

/// Who freezes, why and when.
#[derive(Debug, Clone)]
pub struct Freeze<'a> {
    /// Who: `user:NAME`, `agent:SLUG` or `taosd`.
    pub by: &'a str,
    /// Whether that is an admin who does not own the agent.
    pub by_admin: bool,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Micros,
}

/// Freezes a live agent. False if it was frozen already; what an admin asks for then still becomes an admin's.
///
/// # Errors
/// The store's.
pub fn freeze(conn: &Connection, id: &str, freeze: &Freeze<'_>) -> Result<bool> {
    let Freeze { by, by_admin, reason, at } = freeze;
    if conn.prepare_cached(FREEZE)?.execute(params![id, at, by, reason, by_admin])? > 0 {
        return Ok(true);
    }
    if *by_admin {
        conn.prepare_cached(BY_ADMIN)?.execute([id])?;
    }
    Ok(false)
}

/// Thaws an agent. Its container, where it has one, is to be unfrozen afterwards. False if it was not frozen.
///
/// # Errors
/// The store's.
pub fn thaw(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(THAW)?.execute(params![id, now])? > 0)
}

/// Notes that the container of a thawed agent runs again, or is none of ours any more.
///
/// # Errors
/// The store's.
pub fn settled(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(SETTLED)?.execute([id])?;
    Ok(())
}

/// True while an agent is frozen.
///
/// # Errors
/// The store's.
pub fn is_frozen(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_FROZEN)?.query_row([id], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// The next `limit` agents of `owner`, or of all, after this place. Archived ones are among them: no work goes into looking
/// for others, however many there are.
///
/// # Errors
/// The store's.
pub fn next_freezable(conn: &Connection, owner: Option<&str>, after: i64, limit: u64) -> Result<Vec<Freezable>> {
    let whose = if owner.is_some() { OF_OWNER } else { OF_ALL };
    Freezable::all(conn, &format!("{whose} AND a.rowid > ?2 ORDER BY a.rowid LIMIT ?3"), params![owner, after, limit])
}
