//! The tokens of agents: one active, one in its grace, one that waits for its delivery.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Credential, CredentialState, MadeCredential};
use crate::secret::SecretHash;
use crate::store::Result;
use crate::time::Micros;

const REVOKE_AGENT_TOKENS: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND kind = 'agent_token' AND state IN ('pending', 'active', 'grace')";
const REVOKE_ALL_OF_AGENT: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND state NOT IN ('revoked', 'expired')";
const END_ALL_OF_AGENT: &str = "UPDATE credentials SET expires_at = min(coalesce(expires_at, ?2), ?2)
    WHERE agent_id = ?1 AND state NOT IN ('revoked', 'expired')";
const END_GRANTS_OF_AGENT: &str = "UPDATE oauth_grants SET ends_at = min(ends_at, ?2) WHERE credential_id IN
    (SELECT id FROM credentials WHERE agent_id = ?1 AND kind = 'oauth_grant' AND state NOT IN ('revoked', 'expired'))";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2 WHERE id = ?1";
const GIVE_GRACE: &str = "UPDATE credentials SET state = 'grace', expires_at = ?2 WHERE id = ?1";
const SELECT_PENDING: &str =
    "SELECT id, secret_hash FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'pending'";
const SELECT_ACTIVE_HASH: &str = "SELECT secret_hash FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token'
    AND state = 'active' AND (expires_at IS NULL OR expires_at > ?2)";
const REVOKED_SINCE: &str = "SELECT EXISTS (SELECT 1 FROM credentials
    WHERE agent_id = ?1 AND kind = 'agent_token' AND revoked_at >= ?2)";
const IS_PENDING: &str = "SELECT EXISTS (SELECT 1 FROM credentials WHERE id = ?1 AND state = 'pending')";
const ACTIVATE: &str = "UPDATE credentials SET state = 'active' WHERE id = ?1 AND state = 'pending'";
const DELETE: &str = "DELETE FROM credentials WHERE id = ?1";
const SET_AGENT_SCOPES: &str = "UPDATE credentials SET scopes = ?2
    WHERE agent_id = ?1 AND (kind = 'agent_token' OR (key_type = 'internal' AND issuer_id IS NULL)) AND state IN ('pending', 'active', 'grace')
        AND scopes <> ?2";
const SET_SCOPES: &str = "UPDATE credentials SET scopes = ?2 WHERE id = ?1";
const OTHERS_OF_AGENT: &str =
    "WHERE c.agent_id = ?1 AND c.kind <> 'agent_token' AND (c.state = 'active' OR c.state = 'grace')
        AND (c.expires_at IS NULL OR c.expires_at > ?2)
    ORDER BY c.issued_at, c.id LIMIT 200";

/// Returns an agent's token in a state: the active one, or the one in its grace.
///
/// # Errors
/// Any `StoreError`.
pub fn agent_token(conn: &Connection, agent_id: &str, state: CredentialState) -> Result<Option<Credential>> {
    Credential::one(conn, "WHERE agent_id = ?1 AND kind = 'agent_token' AND state = ?2", params![agent_id, state])
}

/// Revokes every token of an agent: active, in grace or being delivered. Returns how many there were.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke_agent_tokens(conn: &Connection, agent_id: &str, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(REVOKE_AGENT_TOKENS)?.execute(params![agent_id, now])?)
}

/// Revokes every credential of an agent, of any kind. Returns how many there were.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke_all_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(REVOKE_ALL_OF_AGENT)?.execute(params![agent_id, now])?)
}

/// Makes every credential of an agent, of any kind, end at `until` at the latest: no use of an OAuth grant makes it
/// longer again. Returns how many there are.
///
/// # Errors
/// Any `StoreError`.
pub fn end_all_of_agent(conn: &Connection, agent_id: &str, until: Micros) -> Result<usize> {
    conn.prepare_cached(END_GRANTS_OF_AGENT)?.execute(params![agent_id, until])?;
    Ok(conn.prepare_cached(END_ALL_OF_AGENT)?.execute(params![agent_id, until])?)
}

/// Ends an agent's tokens; the active one only after `grace` microseconds, unless that is 0. Returns the time until
/// which that one still works, if it has a grace. A token that waits for delivery stays.
///
/// # Errors
/// Any `StoreError`.
pub fn retire_agent_token(conn: &Connection, agent_id: &str, grace: i64, now: Micros) -> Result<Option<Micros>> {
    let mut until = None;
    // The token is found first and changed by its id: SQLite makes a separate table for changes by any other condition.
    // The token in its grace makes room for the next one.
    for state in [CredentialState::Grace, CredentialState::Active] {
        let Some(token) = agent_token(conn, agent_id, state)? else { continue };
        if state == CredentialState::Active && grace > 0 && token.expires_at.is_none_or(|at| at > now) {
            let end = token.expires_at.map_or(now.plus(grace), |at| at.min(now.plus(grace)));
            conn.prepare_cached(GIVE_GRACE)?.execute(params![token.id, end])?;
            until = Some(end);
        } else {
            conn.prepare_cached(REVOKE)?.execute(params![token.id, now])?;
        }
    }
    Ok(until)
}

/// Returns the id and hash of the agent's token that waits for delivery.
///
/// # Errors
/// Any `StoreError`.
pub fn pending(conn: &Connection, agent_id: &str) -> Result<Option<(String, SecretHash)>> {
    let found = conn
        .prepare_cached(SELECT_PENDING)?
        .query_row([agent_id], |row| Ok((row.get(0)?, SecretHash::from_stored(row.get(1)?))));
    Ok(found.optional()?)
}

/// Returns the hash of an agent's active token, if it has not expired.
///
/// # Errors
/// Any `StoreError`.
pub fn active_hash(conn: &Connection, agent_id: &str, now: Micros) -> Result<Option<SecretHash>> {
    let found = conn.prepare_cached(SELECT_ACTIVE_HASH)?.query_row(params![agent_id, now], |row| row.get(0));
    Ok(found.optional()?.map(SecretHash::from_stored))
}

/// True if a token of this agent's was revoked at or after `since`.
///
/// # Errors
/// Any `StoreError`.
pub fn revoked_since(conn: &Connection, agent_id: &str, since: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKED_SINCE)?.query_row(params![agent_id, since], |row| row.get(0))?)
}

/// True while the credential waits for its delivery.
///
/// # Errors
/// Any `StoreError`.
pub fn is_pending(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_PENDING)?.query_row([id], |row| row.get(0))?)
}

/// Makes a delivered token the active one. The previous one must be retired first.
///
/// # Errors
/// `StoreError::Exists` if there is an active one.
pub fn activate(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(ACTIVATE)?.execute([id])?;
    Ok(())
}

/// Deletes the tokens that wait for delivery to this agent.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_pending(conn: &Connection, agent_id: &str) -> Result<()> {
    while let Some((id, _)) = pending(conn, agent_id)? {
        conn.prepare_cached(DELETE)?.execute([id])?;
    }
    Ok(())
}

/// Sets the scopes of one credential, a JSON array.
///
/// # Errors
/// Any `StoreError`.
pub fn set_scopes(conn: &Connection, id: &str, scopes: &str) -> Result<()> {
    conn.prepare_cached(SET_SCOPES)?.execute([id, scopes])?;
    Ok(())
}

/// Lists an agent's credentials beside its token: personal access tokens and keys that are valid now, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn others_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<Vec<MadeCredential>> {
    let mut statement = conn.prepare_cached(&format!("{} {OTHERS_OF_AGENT}", MadeCredential::SELECT))?;
    let rows = statement.query_map(params![agent_id, now], MadeCredential::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Sets the scopes of an agent's live tokens, including one that is being delivered. Of its keys, only those of older
/// versions change: they kept the agent's scopes of that time, not their maker's. Returns how many had others.
///
/// # Errors
/// Any `StoreError`.
pub fn set_agent_scopes(conn: &Connection, agent_id: &str, scopes: &str) -> Result<usize> {
    Ok(conn.prepare_cached(SET_AGENT_SCOPES)?.execute([agent_id, scopes])?)
}
