//! Descent: which credential was made with which, what ends with it, and what else still lives (DESIGN D21).
//!
//! A user's own tokens, keys and open enrollments end with the credential that they were made with. An agent's
//! credentials only record it.

use rusqlite::{Connection, OptionalExtension, params};

use super::{KeyAudience, Maker};
use crate::secret::Kind;
use crate::store::row::record;
use crate::store::{Result, joins};
use crate::time::Micros;

/// The most credentials that one call lists.
pub const LISTED: usize = 200;
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
/// The end of what a credential makes for its agent, if it or one that it was made with was told to end, because the
/// agent came back with a new one (a join as the same agent). A rotation may have ended that one sooner.
const TOLD_TO_END: &str = "WITH RECURSIVE above (id) AS (
        VALUES (?1)
        UNION SELECT c.made_by FROM credentials c JOIN above ON c.id = above.id WHERE c.made_by IS NOT NULL)
    SELECT iif(count(*) > 0,
            coalesce((SELECT expires_at FROM credentials WHERE id = ?1 AND agent_id = ?2), max(c.expires_at)), NULL)
        FROM above JOIN credentials c ON c.id = above.id
    WHERE c.agent_id = ?2 AND EXISTS (SELECT 1 FROM joins j
        WHERE j.agent_id = ?2 AND j.is_same = 1 AND j.decided_at >= c.issued_at)";
/// A credential and all that end with it, at any depth.
const BELOW: &str = "WITH RECURSIVE below (id) AS (
        VALUES (?1)
        UNION SELECT c.id FROM credentials c JOIN below ON c.made_by = below.id WHERE c.user_id IS NOT NULL)";
const MADE: &str = "JOIN below ON c.made_by = below.id
    WHERE c.state <> 'revoked' AND c.state <> 'expired' AND (c.expires_at IS NULL OR c.expires_at > ?2)";

record! {
    /// A credential that was made with another one.
    #[derive(PartialEq, Eq)]
    pub struct MadeCredential from "credentials c" {
        /// The id.
        pub id: String = "c.id",
        /// The kind.
        pub kind: Kind = "c.kind",
        /// The label.
        pub label: String = "c.label",
        /// The id of the agent that it stands for, if any.
        pub agent_id: Option<String> = "c.agent_id",
        /// When it was made.
        pub issued_at: Micros = "c.issued_at",
    }
}

record! {
    /// The limits that a credential sets for those made with it.
    pub struct MakerTerms from "credentials" {
        /// What a key may be exchanged for.
        pub audience: Option<KeyAudience> = "audience",
        /// The time of its expiry, if it has one.
        pub expires_at: Option<Micros> = "expires_at",
    }
}

/// Returns the terms of a live credential; `None` if it is not live any more.
///
/// # Errors
/// Any `StoreError`.
pub fn terms_of(conn: &Connection, id: &str, now: Micros) -> Result<Option<MakerTerms>> {
    MakerTerms::one(conn, TERMS, params![id, now])
}

/// Returns a credential's scopes as a JSON array, whatever its state.
///
/// # Errors
/// Any `StoreError`.
pub fn scopes_of(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(SCOPES)?.query_row([id], |row| row.get(0)).optional()?)
}

/// Returns the id of the credential that this one was made with.
///
/// # Errors
/// Any `StoreError`.
pub fn made_by(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(MADE_BY)?.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// True if `id` was made with `other`, directly or through other credentials.
///
/// # Errors
/// Any `StoreError`.
pub fn is_below(conn: &Connection, id: &str, other: &str) -> Result<bool> {
    Ok(conn.prepare_cached(ABOVE)?.query_row([id, other], |row| row.get(0))?)
}

/// Returns when a new credential of an agent ends: as wished, but not after the agent's old credential that it was made
/// with, if that was told to end when the agent came back.
///
/// # Errors
/// Any `StoreError`.
pub fn end_of_successor(
    conn: &Connection,
    maker: &Maker,
    agent_id: &str,
    wished: Option<Micros>,
) -> Result<Option<Micros>> {
    let Some(id) = &maker.credential else { return Ok(wished) };
    let told: Option<Micros> = conn.prepare_cached(TOLD_TO_END)?.query_row([id, agent_id], |row| row.get(0))?;
    Ok(wished.into_iter().chain(told).min())
}

/// Lists the credentials that are to end with a credential, at any depth: the oldest [`LISTED`].
///
/// # Errors
/// Any `StoreError`.
pub fn living_below(conn: &Connection, id: &str, now: Micros) -> Result<Vec<MadeCredential>> {
    list(conn, "c.user_id IS NOT NULL", id, None, now)
}

/// Lists the agents' credentials that were made with a credential, or with one that ends with it. They live on. The list
/// has the oldest [`LISTED`] after the one given as `after`.
///
/// # Errors
/// Any `StoreError`.
pub fn kept_below(
    conn: &Connection,
    id: &str,
    after: Option<&MadeCredential>,
    now: Micros,
) -> Result<Vec<MadeCredential>> {
    list(conn, "c.user_id IS NULL", id, after, now)
}

fn list(
    conn: &Connection,
    which: &str,
    id: &str,
    after: Option<&MadeCredential>,
    now: Micros,
) -> Result<Vec<MadeCredential>> {
    let sql = format!(
        "{BELOW} {} {MADE} AND {which} AND (c.issued_at, c.id) > (?3, ?4) ORDER BY c.issued_at, c.id LIMIT {LISTED}",
        MadeCredential::SELECT
    );
    let (at, last) = after.map_or((Micros(i64::MIN), ""), |after| (after.issued_at, after.id.as_str()));
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![id, now, at, last], MadeCredential::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Revokes one credential of any kind. Returns false if it had already ended.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE)?.execute(params![id, now])? > 0)
}

/// Replaces a credential as the maker of others, and of the keys of joins that were not fetched: by its successor, or by
/// the one that it was made with itself.
///
/// # Errors
/// Any `StoreError`.
pub fn reparent(conn: &Connection, from: &str, to: Option<&str>, now: Micros) -> Result<()> {
    conn.prepare_cached(REPARENT)?.execute(params![from, to])?;
    joins::hang_on(conn, from, to, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::AgentKey;
    use crate::store::agent_keys::{self, NewAgentKey};
    use crate::store::credentials::KeyType;
    use crate::store::plans;

    #[test]
    fn what_was_told_to_end_makes_nothing_for_its_agent_that_lives_longer() {
        plans::of(|conn| {
            conn.execute_batch(
                "PRAGMA foreign_keys = OFF;
                INSERT INTO joins (id, device_hash, state, name, code, peer, reason, agent_id, is_same, scopes,
                    decider_id, decided_by, created_at, expires_at, decided_at)
                    VALUES ('j', zeroblob(32), 'approved', 'a', 'c', 'p', 'r', 'a', 1, '[]', 'u', 'ann', 1, 99, 10);",
            )
            .unwrap();
            let add = |id: &str, agent: &str, made_by: Option<&str>, issued: i64, end: Option<i64>| {
                let sql = "INSERT INTO credentials (id, kind, key_id, secret_hash, agent_id, made_by, scopes, state,
                    issued_by, issued_at, expires_at, key_type, label)
                    VALUES (?1, 'agent_key', substr(?1 || '0000000000', 1, 10), CAST(substr(?1 || printf('%032d', 0), 1, 32)
                        AS BLOB), ?2, ?3, '[]', 'active', 'u', ?4, ?5, 'external', ?1)";
                conn.execute(sql, params![id, agent, made_by, issued, end]).unwrap();
            };
            add("old", "a", None, 5, Some(20));
            add("next", "a", Some("old"), 12, Some(18));
            add("other", "b", Some("old"), 12, None);
            add("new", "a", Some("users"), 12, Some(30));
            let end = |credential: &str, agent: &str, wished: Option<i64>| {
                let maker = Maker { credential: Some(credential.to_owned()), ..Maker::system() };
                end_of_successor(conn, &maker, agent, wished.map(Micros)).unwrap().map(|at| at.0)
            };
            assert_eq!(
                (end("old", "a", None), end("old", "a", Some(50)), end("old", "a", Some(15))),
                (Some(20), Some(20), Some(15))
            );
            assert_eq!((end("next", "a", None), end("other", "a", None)), (Some(18), Some(20)), "at any depth");
            assert_eq!((end("old", "b", None), end("new", "a", Some(50))), (None, Some(50)), "nothing else is bound");
            assert_eq!(end_of_successor(conn, &Maker::system(), "a", None).unwrap(), None);
            let new = NewAgentKey {
                id: "key",
                issued: &AgentKey::generate(),
                agent_id: "a",
                name: "k",
                key_type: KeyType::External,
                scopes: "[]",
                maker: &Maker { credential: Some("old".into()), ..Maker::system() },
                issued_at: Micros(13),
            };
            agent_keys::insert(conn, &new).unwrap();
            let ends = "SELECT expires_at FROM credentials WHERE id = 'key'";
            assert_eq!(conn.query_row(ends, [], |row| row.get::<_, i64>(0)).unwrap(), 20);
        });
    }
}
