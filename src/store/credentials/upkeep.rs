//! What is noted of credentials as time goes by: uses, fingerprints, their end and their removal.

use rusqlite::{Connection, OptionalExtension, params};

use crate::limits::{DEAD_CREDENTIALS, DEAD_CREDENTIALS_LEFT, SWEEP_BATCH};
use crate::secret::Kind;
use crate::store::Result;
use crate::time::Micros;

const TOUCH: &str = "UPDATE credentials SET last_used_at = ?2
    WHERE id = ?1 AND state IN ('active', 'grace') AND coalesce(last_used_at, 0) < ?2";
const SELECT_FINGERPRINTS: &str = "SELECT fingerprints FROM credentials WHERE id = ?1";
const SET_FINGERPRINTS: &str = "UPDATE credentials SET fingerprints = ?2 WHERE id = ?1";
/// Fingerprints kept of one credential.
const FINGERPRINTS: usize = 16;
const EXPIRE: &str = "UPDATE credentials SET state = 'expired' WHERE id IN (SELECT id FROM credentials
    WHERE expires_at < ?1 AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment') LIMIT ?2)";
const EXPIRE_ONE: &str = "UPDATE credentials SET state = 'expired'
    WHERE id = ?1 AND expires_at <= ?2 AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment')";
const SWEEP: &str = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials
    WHERE state IN ('revoked', 'expired') AND coalesce(revoked_at, expires_at) < ?1 LIMIT ?2)";
// The index has all of the condition: no row is read.
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
/// The store's.
pub fn is_due(conn: &Connection, now: Micros, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([now, before], |row| row.get(0))?)
}

/// Notes when live credentials were last used; a time never goes back and a dead row is never touched.
///
/// # Errors
/// The store's.
pub fn touch(conn: &Connection, used: &[(String, Micros)]) -> Result<()> {
    let mut statement = conn.prepare_cached(TOUCH)?;
    for (id, at) in used {
        statement.execute(params![id, at])?;
    }
    Ok(())
}

/// Adds fingerprints seen, up to as many as are kept.
///
/// # Errors
/// The store's.
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

/// Whose dead credentials are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// An agent's.
    Agent(&'a str),
    /// A user's own.
    User(&'a str),
}

/// Where there are more than [`DEAD_CREDENTIALS`] dead ones of one kind, removes some that are not among the
/// [`DEAD_CREDENTIALS_LEFT`] newest. Called whenever another is made, so that no rotation leaves rows without end.
///
/// # Errors
/// The store's.
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

/// Marks a credential as expired, if it is.
///
/// # Errors
/// The store's.
pub fn expire(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(EXPIRE_ONE)?.execute(params![id, now])?;
    Ok(())
}

/// Marks some of what has expired and removes some of the dead rows older than `before`. How many rows changed.
///
/// # Errors
/// The store's.
pub fn sweep(conn: &Connection, now: Micros, before: Micros) -> Result<usize> {
    let expired = conn.prepare_cached(EXPIRE)?.execute(params![now, SWEEP_BATCH])?;
    Ok(expired + conn.prepare_cached(SWEEP)?.execute(params![before, SWEEP_BATCH])?)
}
