//! The upkeep of credentials: notes uses and fingerprints, marks expired ones and deletes old ones.

use rusqlite::{Connection, OptionalExtension, params};

use crate::limits::{DEAD_CREDENTIALS, DEAD_CREDENTIALS_LEFT, SWEEP_BATCH};
use crate::secret::Kind;
use crate::store::Result;
use crate::time::Micros;

const TOUCH: &str = "UPDATE credentials SET last_used_at = ?2
    WHERE id = ?1 AND state IN ('active', 'grace') AND coalesce(last_used_at, 0) < ?2";
const SELECT_FINGERPRINTS: &str = "SELECT fingerprints FROM credentials WHERE id = ?1";
const SET_FINGERPRINTS: &str = "UPDATE credentials SET fingerprints = ?2 WHERE id = ?1";
/// The most fingerprints kept of one credential.
const FINGERPRINTS: usize = 16;
const EXPIRE: &str = "UPDATE credentials SET state = 'expired' WHERE id IN (SELECT id FROM credentials
    WHERE expires_at < ?1 AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment') LIMIT ?2)";
const EXPIRE_ONE: &str = "UPDATE credentials SET state = 'expired'
    WHERE id = ?1 AND expires_at <= ?2 AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment')";
const SWEEP: &str = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials
    WHERE state IN ('revoked', 'expired') AND coalesce(revoked_at, expires_at) < ?1 LIMIT ?2)";
// The index contains the whole condition, so no row is read.
const TOO_MANY_DEAD_OF_AGENT: &str = "SELECT EXISTS (SELECT 1 FROM credentials
    WHERE agent_id = ?1 AND kind = ?2 AND (state = 'revoked' OR state = 'expired') LIMIT 1 OFFSET ?3)";
const TOO_MANY_DEAD_OF_USER: &str = "SELECT EXISTS (SELECT 1 FROM credentials
    WHERE user_id = ?1 AND kind = ?2 AND (state = 'revoked' OR state = 'expired') LIMIT 1 OFFSET ?3)";
const FORGET_DEAD_OF_AGENT: &str = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials
    WHERE agent_id = ?1 AND kind = ?2 AND (state = 'revoked' OR state = 'expired')
    ORDER BY coalesce(revoked_at, expires_at) DESC, id DESC LIMIT ?4 OFFSET ?3)";
const FORGET_DEAD_OF_USER: &str = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials
    WHERE user_id = ?1 AND kind = ?2 AND (state = 'revoked' OR state = 'expired')
    ORDER BY coalesce(revoked_at, expires_at) DESC, id DESC LIMIT ?4 OFFSET ?3)";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM credentials WHERE expires_at < ?1
        AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment'))
    OR EXISTS (SELECT 1 FROM credentials WHERE state IN ('revoked', 'expired') AND coalesce(revoked_at, expires_at) < ?2)";

/// True if [`sweep`] may find something.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, now: Micros, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([now, before], |row| row.get(0))?)
}

/// Notes when live credentials were last used. A time never goes back, and a dead row is never changed.
///
/// # Errors
/// Any `StoreError`.
pub fn touch(conn: &Connection, used: &[(String, Micros)]) -> Result<()> {
    let mut statement = conn.prepare_cached(TOUCH)?;
    for (id, at) in used {
        statement.execute(params![id, at])?;
    }
    Ok(())
}

/// Adds the fingerprints that were seen, up to as many as are kept.
///
/// # Errors
/// Any `StoreError`.
pub fn add_fingerprints(conn: &Connection, seen: &[(String, Vec<String>)]) -> Result<()> {
    for (id, new) in seen {
        let stored: Option<String> =
            conn.prepare_cached(SELECT_FINGERPRINTS)?.query_row([id], |row| row.get(0)).optional()?;
        let Some(stored) = stored else { continue };
        let mut all: Vec<String> = serde_json::from_str(&stored).unwrap_or_default();
        all.extend(new.iter().cloned());
        all.truncate(FINGERPRINTS);
        let json = serde_json::Value::from(all).to_string();
        conn.prepare_cached(SET_FINGERPRINTS)?.execute([id, &json])?;
    }
    Ok(())
}

/// The holder whose dead credentials are counted.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// An agent, by id.
    Agent(&'a str),
    /// A user, by id, for the user's own credentials.
    User(&'a str),
}

/// If a holder has more than [`DEAD_CREDENTIALS`] dead credentials of one kind, deletes some that are not among the
/// [`DEAD_CREDENTIALS_LEFT`] newest. Runs whenever one is made, so that rotation does not add rows without end.
///
/// # Errors
/// Any `StoreError`.
pub fn forget_dead(conn: &Connection, of: Of<'_>, kind: Kind) -> Result<()> {
    let (too_many, forget, id) = match of {
        Of::Agent(id) => (TOO_MANY_DEAD_OF_AGENT, FORGET_DEAD_OF_AGENT, id),
        Of::User(id) => (TOO_MANY_DEAD_OF_USER, FORGET_DEAD_OF_USER, id),
    };
    if conn.prepare_cached(too_many)?.query_row(params![id, kind, DEAD_CREDENTIALS], |row| row.get(0))? {
        conn.prepare_cached(forget)?.execute(params![id, kind, DEAD_CREDENTIALS_LEFT, SWEEP_BATCH])?;
    }
    Ok(())
}

/// Marks a credential as expired if its time is over.
///
/// # Errors
/// Any `StoreError`.
pub fn expire(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(EXPIRE_ONE)?.execute(params![id, now])?;
    Ok(())
}

/// Marks some expired credentials, and deletes some dead rows older than `before`. Returns how many rows changed.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, now: Micros, before: Micros) -> Result<usize> {
    let expired = conn.prepare_cached(EXPIRE)?.execute(params![now, SWEEP_BATCH])?;
    Ok(expired + conn.prepare_cached(SWEEP)?.execute(params![before, SWEEP_BATCH])?)
}
