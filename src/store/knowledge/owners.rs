//! The owner of each source, and the size of its text.

use rusqlite::{Connection, OptionalExtension, params};

use super::NewDocument;
use crate::store::Result;
use crate::store::grants::Grantee;

const SELECT: &str = "SELECT owner_user_id, owner_agent_id FROM knowledge_sources WHERE source_id = ?1";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM knowledge_items WHERE source_id = ?1)";
const PUT: &str = "INSERT INTO knowledge_sources (source_id, owner_user_id, owner_agent_id, bytes)
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (source_id) DO UPDATE SET owner_user_id = excluded.owner_user_id,
    owner_agent_id = excluded.owner_agent_id, bytes = excluded.bytes WHERE bytes <> excluded.bytes
        OR owner_user_id IS NOT excluded.owner_user_id OR owner_agent_id IS NOT excluded.owner_agent_id";
const FORGET: &str = "DELETE FROM knowledge_sources WHERE source_id = ?1";
const HELD_BY_USER: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM knowledge_sources
    WHERE owner_user_id = ?1 AND source_id <> ?2";
const HELD_BY_AGENT: &str = "SELECT count(*), coalesce(sum(bytes), 0) FROM knowledge_sources
    WHERE owner_agent_id = ?1 AND source_id <> ?2";

/// The owner of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no such source.
    Nobody,
    /// It exists, but its maker is gone or was never noted: it belongs to the admins.
    Lost,
    /// A user or an agent.
    One(Grantee),
}

/// Returns the owner of a source.
///
/// # Errors
/// Any `StoreError`.
pub fn owner(conn: &Connection, source_id: &str) -> Result<Owner> {
    let found: Option<(Option<String>, Option<String>)> =
        conn.prepare_cached(SELECT)?.query_row([source_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(match found {
        Some((Some(user), _)) => Owner::One(Grantee::User(user)),
        Some((None, Some(agent))) => Owner::One(Grantee::Agent(agent)),
        Some((None, None)) => Owner::Lost,
        None if conn.prepare_cached(EXISTS)?.query_row([source_id], |row| row.get(0))? => Owner::Lost,
        None => Owner::Nobody,
    })
}

/// Notes the owner of a source and the bytes of its text. A source without documents has no owner.
///
/// # Errors
/// Any `StoreError`.
pub fn note(conn: &Connection, source_id: &str, owner: &Grantee, documents: &[NewDocument]) -> Result<()> {
    if documents.is_empty() {
        return forget(conn, source_id);
    }
    let (user, agent) = match owner {
        Grantee::User(id) => (Some(id), None),
        Grantee::Agent(id) => (None, Some(id)),
    };
    conn.prepare_cached(PUT)?.execute(params![source_id, user, agent, bytes(documents)])?;
    Ok(())
}

/// Forgets the owner of a source.
///
/// # Errors
/// Any `StoreError`.
pub fn forget(conn: &Connection, source_id: &str) -> Result<()> {
    conn.prepare_cached(FORGET)?.execute([source_id])?;
    Ok(())
}

/// Returns how many sources a principal owns beside `but`, and how many bytes of text are in them.
///
/// # Errors
/// Any `StoreError`.
pub fn held(conn: &Connection, owner: &Grantee, but: &str) -> Result<(u64, u64)> {
    let (sql, id) = match owner {
        Grantee::User(id) => (HELD_BY_USER, id),
        Grantee::Agent(id) => (HELD_BY_AGENT, id),
    };
    Ok(conn.prepare_cached(sql)?.query_row([id.as_str(), but], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Returns the bytes of text in these documents.
pub fn bytes(documents: &[NewDocument]) -> u64 {
    documents.iter().map(|one| (one.title.len() + one.summary.len() + one.content.len()) as u64).sum()
}
