//! Freezing agents. A freeze only marks the agent's row, and every look-up of a credential checks the mark. No
//! credential changes, so thawing gives back exactly those that are still live.

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
    /// The fields of an agent that are needed to freeze or thaw it.
    pub struct Freezable from "agents a" {
        /// The position in the list of all agents; agents that are made later have a greater one.
        pub place: i64 = "a.rowid",
        /// The id.
        pub id: String = "a.id",
        /// The slug.
        pub slug: String = "a.slug",
        /// The user who owns it.
        pub owner_user_id: String = "a.owner_user_id",
        /// The container's name, if it has one.
        pub container: Option<String> = "a.container_name",
        /// When it was frozen, if it is.
        pub frozen_at: Option<Micros> = "a.frozen_at",
        /// Whether an admin froze it.
        pub by_admin: bool = "a.frozen_by_admin",
    }
}

/// Who freezes an agent, why and when.
#[derive(Debug, Clone)]
pub struct Freeze<'a> {
    /// Who: `user:NAME`, `agent:SLUG` or `taosd`.
    pub by: &'a str,
    /// Whether that is an admin who does not own the agent.
    pub by_admin: bool,
    /// The reason.
    pub reason: &'a str,
    /// The time of the freeze.
    pub at: Micros,
}

/// Freezes a live agent. Returns false if it was frozen already; with `by_admin`, that freeze then becomes an admin's.
///
/// # Errors
/// Any `StoreError`.
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

/// Thaws an agent. Returns false if it was not frozen. Its container, if it has one, must be unfrozen afterwards.
///
/// # Errors
/// Any `StoreError`.
pub fn thaw(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(THAW)?.execute(params![id, now])? > 0)
}

/// Clears the `thawing` mark of an agent: its container is unfrozen, or needs no unfreezing any more.
///
/// # Errors
/// Any `StoreError`.
pub fn settled(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(SETTLED)?.execute([id])?;
    Ok(())
}

/// Returns true while an agent is frozen.
///
/// # Errors
/// Any `StoreError`.
pub fn is_frozen(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_FROZEN)?.query_row([id], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Returns the next `limit` agents after the position `after`, of `owner` or of all users. The result includes archived
/// agents, so that the query does not have to skip them, however many there are.
///
/// # Errors
/// Any `StoreError`.
pub fn next_freezable(conn: &Connection, owner: Option<&str>, after: i64, limit: u64) -> Result<Vec<Freezable>> {
    let whose = if owner.is_some() { OF_OWNER } else { OF_ALL };
    Freezable::all(conn, &format!("{whose} AND a.rowid > ?2 ORDER BY a.rowid LIMIT ?3"), params![owner, after, limit])
}
