//! Agents' keys: credentials of Agentex clients, several an agent, told apart by name and type.

use rusqlite::{Connection, params};

use super::Result;
use super::credentials::{KeyType, Maker, Of, forget_dead};
use super::page::{Numbered, Take, each};
use super::row::record;
use crate::secret::{Issued, Kind};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
    (id, kind, key_id, secret_hash, agent_id, scopes, label, key_type, state, issued_by, issued_at,
        issuer_id, made_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'active', ?9, ?10, ?11, ?12)";
const IS_LIVE: &str = "WHERE kind = 'agent_key' AND state = 'active'";
const COUNT: &str = "SELECT count(*) FROM credentials WHERE agent_id = ?1 AND kind = 'agent_key' AND state = 'active'";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE id = ?1 AND kind = 'agent_key' AND state = 'active'";

/// A key to be stored.
#[derive(Debug)]
pub struct NewAgentKey<'a> {
    /// The id.
    pub id: &'a str,
    /// AgentKeyRecord id and hash.
    pub issued: &'a Issued,
    /// The agent.
    pub agent_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub key_type: KeyType,
    /// Its scopes as a JSON array.
    pub scopes: &'a str,
    /// Who issued it.
    pub maker: &'a Maker,
    /// When.
    pub issued_at: Micros,
}

record! {
    /// A live key as told; never its hash.
    pub struct AgentKeyRecord from "credentials" {
        /// The id.
        pub id: String = "id",
        /// The agent.
        pub agent_id: String = "agent_id",
        /// Its name.
        pub name: String = "label",
        /// What it is for.
        pub key_type: KeyType = "key_type",
        /// When it was issued.
        pub issued_at: Micros = "issued_at",
    }
}

/// Stores a key.
///
/// # Errors
/// `Exists` if the agent has a live one of this name and type.
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
        new.maker.credential
    ])?;
    forget_dead(conn, Of::Agent(new.agent_id), Kind::AgentKey)
}

/// The live key of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<AgentKeyRecord>> {
    AgentKeyRecord::one(conn, &format!("{IS_LIVE} AND id = ?1"), [id])
}

/// An agent's live key of this name and type.
///
/// # Errors
/// The store's.
pub fn by_name(conn: &Connection, agent_id: &str, name: &str, key_type: KeyType) -> Result<Option<AgentKeyRecord>> {
    AgentKeyRecord::one(
        conn,
        &format!("{IS_LIVE} AND agent_id = ?1 AND label = ?2 AND key_type = ?3"),
        params![agent_id, name, key_type],
    )
}

/// A page of an agent's live keys.
///
/// # Errors
/// The store's.
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

/// How many live keys an agent has.
///
/// # Errors
/// The store's.
pub fn count(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([agent_id], |row| row.get(0))?)
}

/// Ends a key at once.
///
/// # Errors
/// The store's.
pub fn revoke(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(REVOKE)?.execute(params![id, now])?;
    Ok(())
}
