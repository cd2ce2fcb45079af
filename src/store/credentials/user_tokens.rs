//! The tokens of people and scripts.

use rusqlite::{Connection, params};

use super::{COLUMNS, Credential, read};
use crate::store::Result;
use crate::store::page::{Page, Take, each};
use crate::time::Micros;

const REVOKE_USER_TOKEN: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?3
    WHERE id = ?1 AND user_id = ?2 AND kind = 'user_token' AND state = 'active'";
const REVOKE_LABELLED: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?3
    WHERE user_id = ?1 AND kind = 'user_token' AND label = ?2 AND state = 'active'";

/// A user's live tokens, oldest first.
///
/// # Errors
/// The store's.
pub fn user_tokens(conn: &Connection, user_id: &str, page: &Page, take: Take<'_, Credential>) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM credentials WHERE user_id = ?1 AND kind = 'user_token' AND state = 'active'
            AND (issued_at, id) > (?2, ?3) ORDER BY issued_at, id LIMIT ?4"
    );
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![user_id, at, id, page.fetch()], read, take)
}

/// Revokes one token of a user. False if it has no such live token.
///
/// # Errors
/// The store's.
pub fn revoke_user_token(conn: &Connection, id: &str, user_id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE_USER_TOKEN)?.execute(params![id, user_id, now])? > 0)
}

/// Revokes a user's tokens of this label.
///
/// # Errors
/// The store's.
pub fn revoke_labelled(conn: &Connection, user_id: &str, label: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(REVOKE_LABELLED)?.execute(params![user_id, label, now])?;
    Ok(())
}
