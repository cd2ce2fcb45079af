//! Joins that a person has decided (requests contract, section 4). A row has what the daemon knows of the join by then.
//! The caller of an approved join fetches its key once. Undecided joins are only in memory.

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Page, Take, each};
use super::requests::RequestState;
use super::row::record;
use crate::limits::{JOIN_LIFE, JOINS_KEPT, REQUEST_DECIDERS};
use crate::secret::SecretHash;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO joins (id, device_hash, state, name, code, peer, reason, description, origin_hint,
        agent_id, is_same, scopes, made_by, decider_id, decided_by, note, created_at, expires_at, decided_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT (id) DO NOTHING";
/// Deletes at most eight of a decider's joins that are older than the `?2` newest.
const FORGET: &str = "DELETE FROM joins WHERE id IN (SELECT id FROM joins
    WHERE decider_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 8 OFFSET ?2)";
/// Works once: for a second caller the key is already fetched.
const FETCH: &str = "UPDATE joins SET fetched_at = ?2
    WHERE id = ?1 AND state = 'approved' AND fetched_at IS NULL AND expires_at > ?2";
const END_OF_AGENT: &str = "UPDATE joins SET fetched_at = ?2
    WHERE agent_id = ?1 AND state = 'approved' AND fetched_at IS NULL";
/// A key is fetched within minutes, so only the newest joins are looked at.
const HANG_ON: &str = "UPDATE joins SET made_by = ?2
    WHERE made_by = ?1 AND created_at > ?3 AND state = 'approved' AND fetched_at IS NULL";
const END_ALL: &str = "UPDATE joins SET fetched_at = ?1 WHERE state = 'approved' AND fetched_at IS NULL";
/// The users who may make agents: the admins, and those with a grant of the role `creator`.
const CREATORS: &str = "SELECT u.id, u.username FROM users u WHERE u.role = 'admin' AND u.disabled = 0
    UNION ALL SELECT u.id, u.username FROM grants g JOIN users u ON u.id = g.principal_user_id
        WHERE g.agent_id IS NULL AND g.space_id IS NULL AND g.role = 'creator' AND u.role <> 'admin' AND u.disabled = 0
            AND (g.expires_at IS NULL OR g.expires_at > ?1)
    LIMIT ?2";

record! {
    /// A decided join.
    pub struct Join from "joins j LEFT JOIN agents a ON a.id = j.agent_id" {
        /// The id.
        pub id: String = "j.id",
        /// `approved` or `denied`.
        pub state: RequestState = "j.state",
        /// The name that its caller asked for.
        pub name: String = "j.name",
        /// The code that both sides saw.
        pub code: String = "j.code",
        /// The peer that it came from.
        pub peer: String = "j.peer",
        /// The caller's reason.
        pub reason: String = "j.reason",
        /// The caller's description of itself.
        pub description: Option<String> = "j.description",
        /// Where the caller says that it is.
        pub origin_hint: Option<String> = "j.origin_hint",
        /// The id of the agent that the caller became.
        pub agent_id: Option<String> = "j.agent_id",
        /// That agent's slug.
        pub agent: Option<String> = "a.slug",
        /// Whether that agent existed before.
        pub is_same: bool = "j.is_same",
        /// The scopes of the key, as a JSON array.
        pub scopes: Option<String> = "j.scopes",
        /// The credential that the key is made with.
        pub made_by: Option<String> = "j.made_by",
        /// The id of the user who decided.
        pub decider_id: String = "j.decider_id",
        /// That user's name at the time.
        pub decided_by: String = "j.decided_by",
        /// The decider's note.
        pub note: Option<String> = "j.note",
        /// When the caller asked.
        pub created_at: Micros = "j.created_at",
        /// Until when the key can be fetched.
        pub expires_at: Micros = "j.expires_at",
        /// When it was decided.
        pub decided_at: Micros = "j.decided_at",
        /// When the key was fetched.
        pub fetched_at: Option<Micros> = "j.fetched_at",
    }
}

/// Stores a decided join, and deletes the decider's oldest. Returns false if the join is stored already.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, join: &Join, device: &SecretHash) -> Result<bool> {
    let added = conn.prepare_cached(INSERT)?.execute(params![
        join.id,
        device.as_bytes(),
        join.state,
        join.name,
        join.code,
        join.peer,
        join.reason,
        join.description,
        join.origin_hint,
        join.agent_id,
        join.is_same,
        join.scopes,
        join.made_by,
        join.decider_id,
        join.decided_by,
        join.note,
        join.created_at,
        join.expires_at,
        join.decided_at
    ])?;
    conn.prepare_cached(FORGET)?.execute(params![join.decider_id, JOINS_KEPT])?;
    Ok(added > 0)
}

/// Returns the decided join with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Join>> {
    Join::one(conn, "WHERE j.id = ?1", [id])
}

/// Returns the decided join with this device code.
///
/// # Errors
/// Any `StoreError`.
pub fn by_device(conn: &Connection, device: &SecretHash) -> Result<Option<Join>> {
    Join::one(conn, "WHERE j.device_hash = ?1", [device.as_bytes()])
}

/// Marks the key of an approved join as fetched. Returns false if it was fetched before, or its time is over.
///
/// # Errors
/// Any `StoreError`.
pub fn fetch(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(FETCH)?.execute(params![id, now])? > 0)
}

/// Ends the approved joins of an agent whose key was not fetched, with the agent's credentials.
///
/// # Errors
/// Any `StoreError`.
pub fn end_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(END_OF_AGENT)?.execute(params![agent_id, now])?;
    Ok(())
}

/// Replaces a credential as the maker of keys that were not fetched: by its successor, or by its own maker.
///
/// # Errors
/// Any `StoreError`.
pub fn hang_on(conn: &Connection, from: &str, to: Option<&str>, now: Micros) -> Result<()> {
    let life = i64::try_from(JOIN_LIFE.as_micros()).unwrap_or(i64::MAX);
    conn.prepare_cached(HANG_ON)?.execute(params![from, to, now.plus(-life)])?;
    Ok(())
}

/// Ends the approved joins whose key was not fetched. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn end_all(conn: &Connection, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(END_ALL)?.execute([now])?)
}

/// Passes decided joins to `take`, newest first. With `decider`, only those that this user has decided.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, decider: Option<&str>, page: &Page, take: Take<'_, Join>) -> Result<()> {
    let whose = if decider.is_some() { "j.decider_id = ?3" } else { "?3 IS NULL" };
    let sql = format!(
        "{} WHERE (j.created_at, j.id) < (?1, ?2) AND {whose} ORDER BY j.created_at DESC, j.id DESC LIMIT ?4",
        Join::SELECT
    );
    let (at, after) = page.newest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![at, after, decider, page.fetch()], Join::read, take)
}

/// Returns the id and name of the users who may let a new agent in, at most [`REQUEST_DECIDERS`].
///
/// # Errors
/// Any `StoreError`.
pub fn deciders(conn: &Connection, now: Micros) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare_cached(CREATORS)?;
    let rows = statement.query_map(params![now, REQUEST_DECIDERS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
