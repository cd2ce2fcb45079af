//! Tripwires: decoy credentials in agents' containers. The database has only their hashes.

use rusqlite::{Connection, params};

use super::Result;
use super::row::record;
use crate::secret::{Kind, SecretHash};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO tripwires (id, agent_id, kind, secret_hash, path, freeze, created_by, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const OF_AGENT: &str = "WHERE agent_id = ?1 ORDER BY path";
const TOUCH: &str = "UPDATE tripwires SET touches = touches + ?2, touched_at = ?3, touched_by = ?4 WHERE id = ?1";
const DELETE_INTERRUPTED: &str = "DELETE FROM tripwires WHERE agent_id = ?1 AND path = ?2 AND planted = 0";

record! {
    /// A tripwire.
    pub struct Tripwire from "tripwires" {
        /// The id.
        pub id: String = "id",
        /// The id of the agent in whose container it is.
        pub agent_id: String = "agent_id",
        /// The kind of credential that it looks like.
        pub kind: Kind = "kind",
        /// Its path in the container.
        pub path: String = "path",
        /// Whether its use freezes the agent.
        pub freeze: bool = "freeze",
        /// Whether it has arrived in the container.
        pub planted: bool = "planted",
        /// Who planted it.
        pub created_by: String = "created_by",
        /// When it was made.
        pub created_at: Micros = "created_at",
        /// How many times it was used.
        pub touches: i64 = "touches",
        /// When it was last used.
        pub touched_at: Option<Micros> = "touched_at",
        /// Where the last use came from.
        pub touched_by: Option<String> = "touched_by",
    }
}

/// Stores a tripwire that is about to be planted.
///
/// # Errors
/// `Exists` if the agent has a tripwire at this path already.
pub fn insert(conn: &Connection, wire: &Tripwire, hash: &SecretHash) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        wire.id,
        wire.agent_id,
        wire.kind,
        hash.as_bytes(),
        wire.path,
        wire.freeze,
        wire.created_by,
        wire.created_at
    ])?;
    Ok(())
}

/// Notes that a tripwire has arrived in the container. False if it was removed meanwhile.
///
/// # Errors
/// Any `StoreError`.
pub fn planted(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached("UPDATE tripwires SET planted = 1 WHERE id = ?1")?.execute([id])? > 0)
}

/// Deletes the agent's tripwire at this path if its planting was interrupted.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_interrupted(conn: &Connection, agent_id: &str, path: &str) -> Result<()> {
    conn.prepare_cached(DELETE_INTERRUPTED)?.execute([agent_id, path])?;
    Ok(())
}

/// Returns the tripwires of an agent, by path; there are few.
///
/// # Errors
/// Any `StoreError`.
pub fn of_agent(conn: &Connection, agent_id: &str) -> Result<Vec<Tripwire>> {
    let mut statement = conn.prepare_cached(&format!("{} {OF_AGENT}", Tripwire::SELECT))?;
    let rows = statement.query_map([agent_id], Tripwire::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the agent's tripwire with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn get(conn: &Connection, agent_id: &str, id: &str) -> Result<Option<Tripwire>> {
    Tripwire::one(conn, "WHERE id = ?1 AND agent_id = ?2", [id, agent_id])
}

/// Returns the tripwire with this hash, by one indexed look-up.
///
/// # Errors
/// Any `StoreError`.
pub fn by_hash(conn: &Connection, hash: &SecretHash) -> Result<Option<Tripwire>> {
    Tripwire::one(conn, "WHERE secret_hash = ?1", [hash.as_bytes().as_slice()])
}

/// Adds `times` uses to a tripwire, the last at `now` and from `by`.
///
/// # Errors
/// Any `StoreError`.
pub fn touch(conn: &Connection, id: &str, times: u64, now: Micros, by: &str) -> Result<()> {
    conn.prepare_cached(TOUCH)?.execute(params![id, times, now, by])?;
    Ok(())
}

/// Deletes a tripwire.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM tripwires WHERE id = ?1")?.execute([id])?;
    Ok(())
}
