//! Descent: which credential was made with which, what dies with it, and what else still lives (DESIGN D21).
//!
//! A user's own tokens and keys, and its open enrollments, live by the credential they were made with. An agent's
//! credentials only remember it.

use rusqlite::{Connection, OptionalExtension, params};

use super::KeyAudience;
use crate::secret::Kind;
use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

/// Credentials told in one list: more than a principal can have.
const LISTED: usize = 200;
const TERMS: &str = "WHERE id = ?1 AND state = 'active' AND (expires_at IS NULL OR expires_at > ?2)";
const SCOPES: &str = "SELECT scopes FROM credentials WHERE id = ?1";
const MADE_BY: &str = "SELECT made_by FROM credentials WHERE id = ?1";
const REPARENT: &str = "UPDATE credentials SET made_by = ?2 WHERE made_by = ?1";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE id = ?1 AND state <> 'revoked' AND state <> 'expired'";
const ABOVE: &str = "WITH RECURSIVE above (id) AS (
        SELECT made_by FROM credentials WHERE id = ?1
        UNION SELECT c.made_by FROM credentials c JOIN above ON c.id = above.id WHERE c.made_by IS NOT NULL)
    SELECT EXISTS (SELECT 1 FROM above WHERE id = ?2)";
/// A credential and all that lives by it.
const BELOW: &str = "WITH RECURSIVE below (id) AS (
        VALUES (?1)
        UNION SELECT c.id FROM credentials c JOIN below ON c.made_by = below.id WHERE c.user_id IS NOT NULL)";
const MADE: &str = "JOIN below ON c.made_by = below.id
    WHERE c.state <> 'revoked' AND c.state <> 'expired' AND (c.expires_at IS NULL OR c.expires_at > ?2)";

record! {
    /// A credential that another was used to make.
    #[derive(PartialEq, Eq)]
    pub struct MadeCredential from "credentials c" {
        /// The id.
        pub id: String = "c.id",
        /// What it is.
        pub kind: Kind = "c.kind",
        /// What people call it.
        pub label: String = "c.label",
        /// The agent it is.
        pub agent_id: Option<String> = "c.agent_id",
    }
}

record! {
    /// What bounds that which is made with a credential.
    pub struct MakerTerms from "credentials" {
        /// What a key may be exchanged for.
        pub audience: Option<KeyAudience> = "audience",
        /// Until when it is good.
        pub expires_at: Option<Micros> = "expires_at",
    }
}

/// The terms of a live credential; `None` if it is no more.
///
/// # Errors
/// The store's.
pub fn terms_of(conn: &Connection, id: &str, now: Micros) -> Result<Option<MakerTerms>> {
    MakerTerms::one(conn, TERMS, params![id, now])
}

/// A credential's scopes as a JSON array, in whatever state it is.
///
/// # Errors
/// The store's.
pub fn scopes_of(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(SCOPES)?.query_row([id], |row| row.get(0)).optional()?)
}

/// What a credential was made with.
///
/// # Errors
/// The store's.
pub fn made_by(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(MADE_BY)?.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// True if `id` was made with `other`, or with something that was.
///
/// # Errors
/// The store's.
pub fn is_below(conn: &Connection, id: &str, other: &str) -> Result<bool> {
    Ok(conn.prepare_cached(ABOVE)?.query_row([id, other], |row| row.get(0))?)
}

/// What lives by a credential, at any depth: it is to die with it.
///
/// # Errors
/// The store's.
pub fn living_below(conn: &Connection, id: &str, now: Micros) -> Result<Vec<MadeCredential>> {
    list(conn, "c.user_id IS NOT NULL", id, now)
}

/// The credentials of agents that were made with a credential, or with what lives by it: they live on.
///
/// # Errors
/// The store's.
pub fn kept_below(conn: &Connection, id: &str, now: Micros) -> Result<Vec<MadeCredential>> {
    list(conn, "c.user_id IS NULL", id, now)
}

fn list(conn: &Connection, which: &str, id: &str, now: Micros) -> Result<Vec<MadeCredential>> {
    let sql =
        format!("{BELOW} {} {MADE} AND {which} ORDER BY c.issued_at, c.id LIMIT {LISTED}", MadeCredential::SELECT);
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![id, now], MadeCredential::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Revokes one credential, whatever its kind. False if it was dead.
///
/// # Errors
/// The store's.
pub fn revoke(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE)?.execute(params![id, now])? > 0)
}

/// Hangs what was made with one credential on another: on its successor, or on what it was made with itself.
///
/// # Errors
/// The store's.
pub fn reparent(conn: &Connection, from: &str, to: Option<&str>) -> Result<()> {
    conn.prepare_cached(REPARENT)?.execute(params![from, to])?;
    Ok(())
}
