//! Credentials: every secret the box has issued, as a hash with its binding, scopes and state.

mod agent_tokens;
mod holder;
mod upkeep;
mod user_tokens;

use rusqlite::{Connection, Row, params};

pub use agent_tokens::{
    activate, active_hash, agent_token, delete_pending, is_pending, pending, retire_agent_token, revoke_agent_tokens,
    revoke_all_of_agent, revoked_since, set_agent_scopes,
};
pub use holder::{Holder, Holding, find, find_by_id, find_exchangeable, find_session};
pub use upkeep::{Of, add_fingerprints, expire, forget_dead, is_due, sweep, touch};
pub use user_tokens::{count_user_tokens, revoke_labelled, revoke_user_token, user_tokens};

use super::Result;
use crate::secret::{Issued, Kind};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
    (id, kind, key_id, secret_hash, user_id, agent_id, scopes, label, state, issued_by, issued_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12, ?9, ?10, ?11)";
const COLUMNS: &str = "id, key_id, scopes, label, state, issued_by, issued_at, expires_at, last_used_at";

/// A credential to be stored.
#[derive(Debug)]
pub struct NewCredential<'a> {
    /// The id.
    pub id: &'a str,
    /// The kind.
    pub kind: Kind,
    /// Key id and hash.
    pub issued: &'a Issued,
    /// The user it acts for.
    pub user_id: Option<&'a str>,
    /// The agent it is.
    pub agent_id: Option<&'a str>,
    /// Its scopes as a JSON array.
    pub scopes: &'a str,
    /// What people call it.
    pub label: &'a str,
    /// `active`, or `pending` until it is delivered.
    pub state: &'static str,
    /// Who issued it: `user:NAME`, `agent:ID` or `system`.
    pub issued_by: &'a str,
    /// When.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
}

/// What is told about a credential: never its hash.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The id.
    pub id: String,
    /// The public name of the secret.
    pub key_id: String,
    /// Its scopes as a JSON array.
    pub scopes: String,
    /// What people call it.
    pub label: String,
    /// Its state's name.
    pub state: String,
    /// Who issued it.
    pub issued_by: String,
    /// When.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        id: row.get(0)?,
        key_id: row.get(1)?,
        scopes: row.get(2)?,
        label: row.get(3)?,
        state: row.get(4)?,
        issued_by: row.get(5)?,
        issued_at: row.get(6)?,
        expires_at: row.get(7)?,
        last_used_at: row.get(8)?,
    })
}

/// Stores a new credential; the oldest dead ones of its holder and kind make room.
///
/// # Errors
/// `Exists` for a second active token of an agent.
pub fn insert(conn: &Connection, new: &NewCredential<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.kind.as_str(),
        new.issued.key_id,
        new.issued.hash.as_bytes(),
        new.user_id,
        new.agent_id,
        new.scopes,
        new.label,
        new.issued_by,
        new.issued_at,
        new.expires_at,
        new.state
    ])?;
    match (new.agent_id, new.user_id) {
        (Some(id), _) => forget_dead(conn, Of::Agent(id), new.kind),
        (None, Some(id)) => forget_dead(conn, Of::User(id), new.kind),
        (None, None) => Ok(()),
    }
}
