//! Warnings before a credential expires: which are due, and which were given. A threshold does not apply to a
//! credential whose whole life fits into it: its maker knows that it is short.

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Page, Take, each};
use super::row::record;
use crate::secret::Kind;
use crate::time::Micros;

/// The days before a credential expires at which its owner is warned, once each.
const DAYS: [i64; 3] = [14, 3, 1];

/// The most warnings in one transaction: other writes run in between.
pub const BATCH: u64 = 100;

// The list of states is that of the index on the expiry. A token in its grace period gets no warning: it was replaced.
const DUE: &str = "SELECT c.id, c.kind, c.label, a.slug, coalesce(c.user_id, a.owner_user_id), c.expires_at
    FROM credentials c LEFT JOIN agents a ON a.id = c.agent_id
    WHERE c.expires_at > ?1 AND c.expires_at <= ?2 AND (c.state = 'active' OR c.state = 'grace' OR c.state = 'pending_enrollment')
        AND c.state = 'active' AND c.kind <> 'session' AND c.notices < ?3 AND c.expires_at - c.issued_at > ?4
    ORDER BY c.expires_at LIMIT ?5";
// The same list of states, for the same index.
const ENDING: &str = "INDEXED BY credentials_by_expiry
        LEFT JOIN agents a ON a.id = c.agent_id LEFT JOIN users u ON u.id = coalesce(c.user_id, a.owner_user_id)
    WHERE c.expires_at > ?1 AND c.expires_at <= ?2
        AND (c.state = 'active' OR c.state = 'grace' OR c.state = 'pending_enrollment')
        AND c.kind <> 'session' AND (c.expires_at, c.id) > (?3, ?4)
    ORDER BY c.expires_at, c.id LIMIT ?5";
const NEXT_END: &str = "SELECT min(
        coalesce((SELECT min(expires_at) FROM credentials
            WHERE expires_at > ?1 AND (state = 'active' OR state = 'grace' OR state = 'pending_enrollment')), ?2),
        coalesce((SELECT min(expires_at) FROM grants WHERE expires_at > ?1), ?2),
        coalesce((SELECT min(until) FROM requests WHERE until > ?1 AND state = 'approved' AND until IS NOT NULL), ?2),
        coalesce((SELECT min(expires_at) FROM requests WHERE expires_at > ?1 AND state = 'pending'), ?2))";
const MARK: &str = "UPDATE credentials SET notices = ?2 WHERE id = ?1";

/// A warning that a credential expires soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryNotice {
    /// The credential's id.
    pub credential_id: String,
    /// The kind of credential.
    pub kind: Kind,
    /// The label for people.
    pub label: String,
    /// The slug of the agent that it belongs to.
    pub agent: Option<String>,
    /// The id of the user to warn: its user, or its agent's owner.
    pub user_id: String,
    /// When it expires.
    pub expires_at: Micros,
    /// The threshold that it has passed: the days left at the most.
    pub days: i64,
}

record! {
    /// A credential that expires soon, as shown to clients.
    pub struct ExpiringCredential from "credentials c" {
        /// The id.
        pub id: String = "c.id",
        /// The kind of credential.
        pub kind: Kind = "c.kind",
        /// The public name of the secret.
        pub key_id: String = "c.key_id",
        /// The label for people.
        pub label: String = "c.label",
        /// The id of the agent that it belongs to.
        pub agent_id: Option<String> = "c.agent_id",
        /// That agent's slug.
        pub agent: Option<String> = "a.slug",
        /// The id of its user, or of its agent's owner.
        pub user_id: Option<String> = "u.id",
        /// That user's name.
        pub username: Option<String> = "u.username",
        /// When it expires.
        pub expires_at: Micros = "c.expires_at",
        /// When it was last used.
        pub last_used_at: Option<Micros> = "c.last_used_at",
    }
}

/// Passes the credentials that expire after `now` and up to `until` to `take`, the first to expire first. Sessions are
/// left out.
///
/// # Errors
/// Any `StoreError`.
pub fn ending(
    conn: &Connection,
    now: Micros,
    until: Micros,
    page: &Page,
    take: Take<'_, ExpiringCredential>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(&format!("{} {ENDING}", ExpiringCredential::SELECT))?;
    let (at, id) = page.oldest_first();
    each(&mut statement, params![now, until, at, id, page.fetch()], ExpiringCredential::read, take)
}

/// Returns when the next credential, grant or request ends: until then no right changes by itself.
///
/// # Errors
/// Any `StoreError`.
pub fn next_end(conn: &Connection, now: Micros) -> Result<Micros> {
    Ok(conn.prepare_cached(NEXT_END)?.query_row(params![now, i64::MAX], |row| row.get(0))?)
}

/// Returns true if [`take`] would find something.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, now: Micros) -> Result<bool> {
    for nth in 0..DAYS.len() {
        if !due(conn, now, nth, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the number of warnings that do not apply to a credential that ends after `life`, counted as given.
pub fn passed_over(life: i64) -> u64 {
    DAYS.iter().filter(|days| **days * Micros::DAY >= life).count() as u64
}

/// Returns at most [`BATCH`] due warnings and marks them as given: call it in the transaction that passes them on. If a
/// credential has passed several thresholds without a warning, only the nearest one counts.
///
/// # Errors
/// Any `StoreError`.
pub fn take(conn: &Connection, now: Micros) -> Result<Vec<ExpiryNotice>> {
    let mut taken = Vec::new();
    for nth in (0..DAYS.len()).rev() {
        let found = due(conn, now, nth, BATCH - taken.len() as u64)?;
        for notice in &found {
            conn.prepare_cached(MARK)?.execute(params![notice.credential_id, nth as u64 + 1])?;
        }
        taken.extend(found);
    }
    Ok(taken)
}

/// Returns warnings for the credentials that have passed this threshold and had no warning of it or of a nearer one.
fn due(conn: &Connection, now: Micros, nth: usize, limit: u64) -> Result<Vec<ExpiryNotice>> {
    let days = DAYS[nth];
    let left = days * Micros::DAY;
    let mut statement = conn.prepare_cached(DUE)?;
    let rows = statement.query_map(params![now, now.plus(left), nth as u64 + 1, left, limit], |row| {
        Ok(ExpiryNotice {
            credential_id: row.get(0)?,
            kind: row.get(1)?,
            label: row.get(2)?,
            agent: row.get(3)?,
            user_id: row.get(4)?,
            expires_at: row.get(5)?,
            days,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
