//! The shared context of a space: values by key. A value expires, unless it is promoted.
//!
//! An expired value counts as missing, whether or not the sweep has deleted it yet.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::Result;
use super::page::{Take, each};
use super::row::record;
use super::usage::{self, UsageHolder};
use crate::time::Micros;

const UPSERT: &str = "INSERT INTO context
    (space_id, key, value, bytes, ttl, expires_at, created_by, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
    ON CONFLICT (space_id, key) DO UPDATE SET value = excluded.value, bytes = excluded.bytes, ttl = excluded.ttl,
        expires_at = excluded.expires_at, artifact_type = NULL, created_by = excluded.created_by,
        created_at = iif(expires_at <= excluded.created_at, excluded.created_at, created_at),
        updated_at = excluded.updated_at";
const PROMOTE: &str = "UPDATE context SET ttl = NULL, expires_at = NULL, artifact_type = ?3, updated_at = ?4
    WHERE space_id = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?4)";
const DELETE: &str =
    "DELETE FROM context WHERE space_id = ?1 AND key = ?2 RETURNING expires_at IS NULL OR expires_at > ?3";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM context WHERE expires_at <= ?1)";
const SWEEP: &str = "DELETE FROM context WHERE rowid IN (SELECT rowid FROM context WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
/// The sum with nothing keeps to the index by expiry: that of a space would read all of its values.
const SWEEP_SPACE: &str = "DELETE FROM context WHERE rowid IN
    (SELECT rowid FROM context WHERE expires_at <= ?1 AND +space_id = ?3 ORDER BY expires_at LIMIT ?2)";
const KEYS: &str =
    "SELECT key FROM context WHERE space_id = ?1 AND key > ?2 AND (expires_at IS NULL OR expires_at > ?3)
    ORDER BY key LIMIT ?4";
const KEYS_FROM: &str =
    "SELECT key FROM context WHERE space_id = ?1 AND key >= ?2 AND (expires_at IS NULL OR expires_at > ?3)
    ORDER BY key LIMIT ?4";
const BYTES_OF: &str = "SELECT bytes FROM context WHERE space_id = ?1 AND key = ?2";

record! {
    /// A value and its key.
    pub struct ContextEntry from "context" {
        /// The key.
        pub key: String = "key",
        /// The value.
        pub value: String = "value",
        /// The space's id.
        pub space_id: String = "space_id",
        /// The seconds that it was set for; `None` once promoted.
        pub ttl: Option<i64> = "ttl",
        /// When it expires; `None` once promoted.
        pub expires_at: Option<Micros> = "expires_at",
        /// The type that it was promoted as; `None` if it was not.
        pub artifact_type: Option<String> = "artifact_type",
        /// Who set it last, by name.
        pub created_by: String = "created_by",
        /// When it was first set.
        pub created_at: Micros = "created_at",
        /// When it was last set.
        pub updated_at: Micros = "updated_at",
    }
}

/// A value to set.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// The space's id.
    pub space_id: &'a str,
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: &'a str,
    /// The seconds until it expires.
    pub ttl: i64,
    /// Who sets it, by name.
    pub created_by: &'a str,
}

/// Returns the bytes that an entry counts as: those of its key and its value.
pub fn bytes_of(key: &str, value: &str) -> u64 {
    (key.len() + value.len()) as u64
}

/// Sets the value of a key and returns when it expires. Returns `None` and sets nothing if the space would hold more
/// than `most_keys` or `most_bytes`. Entries that have expired by `judged`, a time that is not in doubt, make room.
///
/// # Errors
/// Any `StoreError`.
pub fn set(
    conn: &Connection,
    entry: &NewEntry<'_>,
    most_keys: u64,
    most_bytes: u64,
    now: Micros,
    judged: Micros,
) -> Result<Option<Micros>> {
    if !fits(conn, entry, most_keys, most_bytes)? {
        // Expired entries of the space make room before a value is refused.
        let most = crate::limits::SWEEP_BATCH;
        conn.prepare_cached(SWEEP_SPACE)?.execute(params![judged, most, entry.space_id])?;
        if !fits(conn, entry, most_keys, most_bytes)? {
            return Ok(None);
        }
    }
    let expires_at = now.plus(entry.ttl.saturating_mul(Micros::SECOND));
    conn.prepare_cached(UPSERT)?.execute(params![
        entry.space_id,
        entry.key,
        entry.value,
        bytes_of(entry.key, entry.value),
        entry.ttl,
        expires_at,
        entry.created_by,
        now
    ])?;
    Ok(Some(expires_at))
}

fn fits(conn: &Connection, entry: &NewEntry<'_>, most_keys: u64, most_bytes: u64) -> Result<bool> {
    let mut statement = conn.prepare_cached(BYTES_OF)?;
    let there: Option<u64> = statement.query_row(params![entry.space_id, entry.key], |row| row.get(0)).optional()?;
    let held = usage::of(conn, UsageHolder::Space(entry.space_id))?;
    let bytes = held.context_bytes.saturating_sub(there.unwrap_or(0)) + bytes_of(entry.key, entry.value);
    let keys = held.context_keys + u64::from(there.is_none());
    // A value that does not grow is accepted even if a setting was lowered below what the space holds.
    let shrinks = there.is_some_and(|old| bytes_of(entry.key, entry.value) <= old);
    Ok(shrinks || (keys <= most_keys && bytes <= most_bytes))
}

/// Returns the live value under a key.
///
/// # Errors
/// Any `StoreError`.
pub fn get(conn: &Connection, space_id: &str, key: &str, now: Micros) -> Result<Option<ContextEntry>> {
    ContextEntry::one(
        conn,
        "WHERE space_id = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        params![space_id, key, now],
    )
}

/// A part of a space's live entries, in the order of their keys.
#[derive(Debug, Clone, Copy)]
pub struct ContextRange<'a> {
    /// The prefix of the keys.
    pub prefix: &'a str,
    /// The last key of the previous part.
    pub after: Option<&'a str>,
}

/// Passes the live entries of a part to `take`, until it wants no more.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    space_id: &str,
    part: ContextRange<'_>,
    now: Micros,
    take: Take<'_, ContextEntry>,
) -> Result<()> {
    let from = part.after.unwrap_or(part.prefix);
    let (compare, end) = (if part.after.is_some() { ">" } else { ">=" }, successor(part.prefix));
    let below = if end.is_some() { "AND key < ?3" } else { "AND ?3 IS NULL" };
    let sql = format!(
        "{} WHERE space_id = ?1 AND key {compare} ?2 {below} AND (expires_at IS NULL OR expires_at > ?4) ORDER BY key",
        ContextEntry::SELECT
    );
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![space_id, from, end, now], ContextEntry::read, take)
}

/// Returns at most `most` keys of a space's live entries after the key `after`, in order.
///
/// # Errors
/// Any `StoreError`.
pub fn keys(conn: &Connection, space_id: &str, after: &str, most: u64, now: Micros) -> Result<Vec<String>> {
    some_keys(conn, KEYS, params![space_id, after, now, most])
}

/// Returns at most `most` keys of a space's live entries from the key `from` on, in order.
///
/// # Errors
/// Any `StoreError`.
pub fn keys_from(conn: &Connection, space_id: &str, from: &str, most: u64, now: Micros) -> Result<Vec<String>> {
    some_keys(conn, KEYS_FROM, params![space_id, from, now, most])
}

fn some_keys(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(sql)?;
    let keys = statement.query_map(values, |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Returns the smallest text that is greater than every text with this prefix; `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are not characters, so U+E000 follows U+D7FF.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Keeps a live value permanently. Returns false if the key has none.
///
/// # Errors
/// Any `StoreError`.
pub fn promote(conn: &Connection, space_id: &str, key: &str, artifact_type: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(PROMOTE)?.execute(params![space_id, key, artifact_type, now])? > 0)
}

/// Deletes a key. Returns false if it had no live value.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, space_id: &str, key: &str, now: Micros) -> Result<bool> {
    let mut statement = conn.prepare_cached(DELETE)?;
    Ok(statement.query_row(params![space_id, key, now], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Returns true if an expired entry is still stored.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([now], |row| row.get(0))?)
}

/// Deletes at most `most` expired entries. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, now: Micros, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![now, most])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans;
    use proptest::prelude::*;

    #[test]
    fn what_has_expired_makes_room_in_its_own_space_and_only_by_a_time_that_is_sure() {
        plans::of(|conn| {
            let other = "INSERT INTO spaces (id, slug, name, visibility, owner_user_id, created_at)
                VALUES ('t', 't', 't', 'private', 'u', 0)";
            conn.execute(other, []).unwrap();
            let put = |space_id, key, now, judged| {
                let entry = NewEntry { space_id, key, value: "v", ttl: 1, created_by: "a" };
                set(conn, &entry, 1, 100, Micros(now), Micros(judged)).unwrap().is_some()
            };
            assert!(put("s", "a", 0, 0) && put("t", "a", 0, 0));
            let later = 10 * Micros::SECOND;
            assert!(!put("s", "b", later, i64::MIN), "the clock is in doubt");
            assert!(put("s", "b", later, later));
            let sql = "SELECT group_concat(space_id || key) FROM (SELECT * FROM context ORDER BY space_id)";
            assert_eq!(conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), "sb,ta");
        });
    }

    proptest! {
        #[test]
        fn a_successor_is_greater_than_all_with_the_prefix_and_no_greater_than_others(
            prefix in any::<String>(), rest in any::<String>(), other in any::<String>(),
        ) {
            let end = successor(&prefix);
            let inside = |text: &str| text >= prefix.as_str() && end.as_deref().is_none_or(|end| text < end);
            let longer = prefix.clone() + &rest;
            prop_assert!(inside(&longer));
            prop_assert_eq!(inside(&other), other.starts_with(&prefix));
        }
    }
}
