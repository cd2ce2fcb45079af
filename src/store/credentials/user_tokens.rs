//! The tokens of people and scripts.

use rusqlite::{Connection, params};

use super::Credential;
use crate::store::Result;
use crate::store::page::{Page, Take, each};
use crate::time::Micros;

const COUNT: &str = "SELECT count(*) FROM credentials
    WHERE user_id = ?1 AND kind = 'user_token' AND state = 'active' AND (expires_at IS NULL OR expires_at > ?2)";
const IS_TOKEN: &str = "SELECT EXISTS (SELECT 1 FROM credentials
    WHERE id = ?1 AND user_id = ?2 AND kind = 'user_token' AND state = 'active')";
const LABELLED: &str = "SELECT id FROM credentials
    WHERE user_id = ?1 AND kind = 'user_token' AND label = ?2 AND state = 'active'";

/// Lists a user's live tokens, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn user_tokens(conn: &Connection, user_id: &str, page: &Page, take: Take<'_, Credential>) -> Result<()> {
    let sql = format!(
        "{} WHERE user_id = ?1 AND kind = 'user_token' AND state = 'active'
            AND (issued_at, id) > (?2, ?3) ORDER BY issued_at, id LIMIT ?4",
        Credential::SELECT
    );
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![user_id, at, id, page.fetch()], Credential::read, take)
}

/// Counts the live tokens of a user.
///
/// # Errors
/// Any `StoreError`.
pub fn count_user_tokens(conn: &Connection, user_id: &str, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row(params![user_id, now], |row| row.get(0))?)
}

/// True if a user has this live token.
///
/// # Errors
/// Any `StoreError`.
pub fn user_token(conn: &Connection, id: &str, user_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_TOKEN)?.query_row([id, user_id], |row| row.get(0))?)
}

/// Lists the ids of a user's live tokens with this label.
///
/// # Errors
/// Any `StoreError`.
pub fn labelled(conn: &Connection, user_id: &str, label: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(LABELLED)?;
    let rows = statement.query_map([user_id, label], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
