//! Web sessions: credentials in a cookie, which end with the token they were opened with.

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Page, Take, each};
use super::row::record;
use crate::secret::Issued;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
        (id, kind, key_id, secret_hash, user_id, scopes, parent_id, state, issued_by, issued_at, expires_at,
        issuer_id)
    SELECT ?1, 'session', ?2, ?3, p.user_id, p.scopes, p.id, 'active', ?5, ?6, min(coalesce(p.expires_at, ?7), ?7),
        'user:' || p.user_id
    FROM credentials p WHERE p.id = ?4 AND p.kind = 'user_token' AND p.state = 'active'
    RETURNING expires_at";
// Deletes a user's sessions beyond the first `?3`. Live ones come first, each group in the order of last use, newest
// first.
const SURPLUS: &str = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials
    WHERE user_id = ?1 AND kind = 'session'
    ORDER BY state = 'active' AND expires_at > ?2 DESC, coalesce(last_used_at, issued_at) DESC, id DESC
    LIMIT -1 OFFSET ?3)";
const LIST: &str = "WHERE s.user_id = ?1 AND s.kind = 'session' AND s.state = 'active' AND s.expires_at > ?2
        AND (s.issued_at, s.id) > (?3, ?4)
    ORDER BY s.issued_at, s.id LIMIT ?5";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?3
    WHERE id = ?1 AND user_id = ?2 AND kind = 'session' AND state = 'active'";

const REVOKE_ALL: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE user_id = ?1 AND kind = 'session' AND state = 'active'";

record! {
    /// A session as it is listed.
    pub struct WebSession from "credentials s JOIN credentials p ON p.id = s.parent_id AND p.state = 'active'" {
        /// The id.
        pub id: String = "s.id",
        /// When it was opened.
        pub created_at: Micros = "s.issued_at",
        /// When it ends.
        pub expires_at: Micros = "s.expires_at",
        /// When it was last used, to the minute.
        pub last_used_at: Option<Micros> = "s.last_used_at",
        /// The label of the token it was opened with.
        pub opened_with: String = "p.label",
    }
}

/// Opens a session of the user token `parent`, with its scopes, until `until` at the latest. Returns when it ends.
///
/// # Errors
/// `Other` if there is no such active token; else any `StoreError`.
pub fn insert(
    conn: &Connection,
    id: &str,
    issued: &Issued,
    parent: &str,
    actor: &str,
    now: Micros,
    until: Micros,
) -> Result<Micros> {
    let values = params![id, issued.key_id, issued.hash.as_bytes(), parent, actor, now, until];
    Ok(conn.prepare_cached(INSERT)?.query_row(values, |row| row.get(0))?)
}

/// Deletes a user's sessions beyond `kept` of them: dead ones first, then those that were idle for longest.
///
/// # Errors
/// Any `StoreError`.
pub fn make_room(conn: &Connection, user_id: &str, kept: u64, now: Micros) -> Result<()> {
    conn.prepare_cached(SURPLUS)?.execute(params![user_id, now, kept])?;
    Ok(())
}

/// Lists a user's live sessions, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn of_user(conn: &Connection, user_id: &str, now: Micros, page: &Page, take: Take<'_, WebSession>) -> Result<()> {
    let mut statement = conn.prepare_cached(&format!("{} {LIST}", WebSession::SELECT))?;
    let (at, id) = page.oldest_first();
    each(&mut statement, params![user_id, now, at, id, page.fetch()], WebSession::read, take)
}

/// Ends one session of a user. Returns false if the user has no such live session.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke(conn: &Connection, id: &str, user_id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE)?.execute(params![id, user_id, now])? > 0)
}

/// Ends every session of a user. Returns how many there were.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke_all(conn: &Connection, user_id: &str, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(REVOKE_ALL)?.execute(params![user_id, now])?)
}
