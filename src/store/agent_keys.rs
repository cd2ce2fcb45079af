//! The keys of agents, for Agentex clients. An agent may have several, distinguished by name and type.

use rusqlite::{Connection, params};

use super::Result;
use super::credentials::{KeyType, Maker, Of, end_of_successor, forget_dead};
use super::page::{Numbered, Take, each};
use super::row::record;
use crate::secret::{Issued, Kind};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
    (id, kind, key_id, secret_hash, agent_id, scopes, label, key_type, state, issued_by, issued_at,
        issuer_id, made_by, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'active', ?9, ?10, ?11, ?12, ?13)";
const IS_LIVE: &str = "WHERE kind = 'agent_key' AND state = 'active'";
const COUNT: &str = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND kind = 'agent_key' AND state = 'active'";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE id = ?1 AND kind = 'agent_key' AND state = 'active'";

/// A key to be stored.
#[derive(Debug)]
pub struct NewAgentKey<'a> {
    /// The id.
    pub id: &'a str,
    /// The public name and the hash of the secret.
    pub issued: &'a Issued,
    /// The agent's id.
    pub agent_id: &'a str,
    /// The key's name.
    pub name: &'a str,
    /// The key's type: internal or external.
    pub key_type: KeyType,
    /// The key's scopes, as a JSON array.
    pub scopes: &'a str,
    /// Who issued it.
    pub maker: &'a Maker,
    /// When it was issued.
    pub issued_at: Micros,
}

record! {
    /// A live key as shown to clients, never with its hash.
    pub struct AgentKeyRecord from "credentials" {
        /// The id.
        pub id: String = "id",
        /// The agent's id.
        pub agent_id: String = "agent_id",
        /// The key's name.
        pub name: String = "label",
        /// The key's type: internal or external.
        pub key_type: KeyType = "key_type",
        /// When it was issued.
        pub issued_at: Micros = "issued_at",
    }
}

/// Stores a key, without an end unless its maker was told to end. Deletes old dead keys of the agent if there are too many.
///
/// # Errors
/// `StoreError::Exists` if the agent has a live key of this name and type.
pub fn insert(conn: &Connection, new: &NewAgentKey<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        Kind::AgentKey,
        new.issued.key_id,
        new.issued.hash.as_bytes(),
        new.agent_id,
        new.scopes,
        new.name,
        new.key_type,
        new.maker.actor,
        new.issued_at,
        new.maker.id,
        new.maker.credential,
        end_of_successor(conn, new.maker, new.agent_id, None)?
    ])?;
    forget_dead(conn, Of::Agent(new.agent_id), Kind::AgentKey)
}

/// Returns the live key with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<AgentKeyRecord>> {
    AgentKeyRecord::one(conn, &format!("{IS_LIVE} AND id = ?1"), [id])
}

/// Returns an agent's live key of this name and type.
///
/// # Errors
/// Any `StoreError`.
pub fn by_name(conn: &Connection, agent_id: &str, name: &str, key_type: KeyType) -> Result<Option<AgentKeyRecord>> {
    AgentKeyRecord::one(
        conn,
        &format!("{IS_LIVE} AND agent_id = ?1 AND label = ?2 AND key_type = ?3"),
        params![agent_id, name, key_type],
    )
}

/// Passes a page of an agent's live keys to `take`.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, agent_id: &str, page: &Numbered, take: Take<'_, AgentKeyRecord>) -> Result<()> {
    let columns = [("created_at", "issued_at"), ("name", "label"), ("id", "id")];
    let sql = format!(
        "{} {IS_LIVE} AND agent_id = ?3 {}",
        AgentKeyRecord::SELECT,
        page.clause(&columns, &["issued_at", "id"])
    );
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![page.limit, page.offset, agent_id], AgentKeyRecord::read, take)
}

/// Returns the number of live keys of an agent.
///
/// # Errors
/// Any `StoreError`.
pub fn count(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([agent_id], |row| row.get(0))?)
}

/// Revokes a live key at once.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(REVOKE)?.execute(params![id, now])?;
    Ok(())
}
