//! The sweep of messages. It deletes messages that are too old or too many, all messages of a deleted space, and the
//! records of how far deleted principals had read. It works in small batches.

use rusqlite::{Connection, OptionalExtension, params};

use super::{ROW_BYTES, RemovedMessage, remove};
use crate::store::Result;
use crate::time::Micros;

const SPACES: &str = "SELECT space_id FROM message_counts WHERE space_id > ?1 ORDER BY space_id LIMIT ?2";
const HELD: &str = "SELECT messages, bytes, EXISTS (SELECT 1 FROM spaces WHERE id = ?1) FROM message_counts
    WHERE space_id = ?1";
const OLDEST: &str = "SELECT place, seq, author, addressee, bytes, created_at FROM messages
    WHERE space_id = ?1 AND (pinned = 0 AND task IS NULL OR ?3) ORDER BY seq LIMIT ?2";
/// How many messages a space keeps in any case, and their bytes. `octet_length` reads no text, unlike the column `bytes`
/// behind the texts.
const KEPT: &str = "SELECT count(*), coalesce(sum(octet_length(content) + octet_length(mentions)
        + octet_length(attachments) + octet_length(metadata) + ?2), 0) FROM messages";
/// The index of pinned messages, and that of tasks' threads without pinned ones.
const KEPT_BY: &[&str] = &[
    "INDEXED BY messages_pinned WHERE space_id = ?1 AND pinned = 1",
    "INDEXED BY messages_of_tasks WHERE space_id = ?1 AND task IS NOT NULL
        AND place NOT IN (SELECT place FROM messages WHERE space_id = ?1 AND pinned = 1)",
];
const FORGET: &[&str] = &[
    "DELETE FROM message_counts WHERE space_id = ?1",
    "DELETE FROM message_readers WHERE space_id = ?1",
    "DELETE FROM message_read_bits WHERE space_id = ?1",
];
const READERS: &str = "SELECT space_id, principal, CASE WHEN principal GLOB 'agent:*'
        THEN EXISTS (SELECT 1 FROM agents WHERE id = substr(principal, 7))
        ELSE EXISTS (SELECT 1 FROM users WHERE id = substr(principal, 6)) END
    FROM message_readers WHERE (space_id, principal) > (?1, ?2) ORDER BY space_id, principal LIMIT ?3";
const FORGET_READER: &[&str] = &[
    "DELETE FROM message_readers WHERE space_id = ?1 AND principal = ?2",
    "DELETE FROM message_read_bits WHERE space_id = ?1 AND principal = ?2",
];
const OLD_CLIENT_IDS: &str = "DELETE FROM message_client_ids WHERE (author, client_id) IN
    (SELECT author, client_id FROM message_client_ids WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";
const CLIENT_IDS_ARE_DUE: &str = "SELECT EXISTS (SELECT 1 FROM message_client_ids WHERE created_at < ?1)";

/// The limits of what a space may keep.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// The most messages.
    pub messages: u64,
    /// The most bytes of messages.
    pub bytes: u64,
    /// Messages from before this time are deleted.
    pub since: Micros,
}

/// Lists up to `limit` spaces with messages, after this one, ordered by id.
///
/// # Errors
/// Any `StoreError`.
pub fn spaces_after(conn: &Connection, after: &str, limit: u64) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(SPACES)?;
    let rows = statement.query_map(params![after, limit], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns how many messages a space keeps because they are pinned or belong to a task's thread, and their bytes.
fn kept(conn: &Connection, space_id: &str) -> Result<(u64, u64)> {
    let (mut messages, mut bytes) = (0, 0);
    for by in KEPT_BY {
        let mut statement = conn.prepare_cached(&format!("{KEPT} {by}"))?;
        let (more, length): (u64, u64) =
            statement.query_row(params![space_id, ROW_BYTES], |row| Ok((row.get(0)?, row.get(1)?)))?;
        (messages, bytes) = (messages + more, bytes + length);
    }
    Ok((messages, bytes))
}

/// Returns how much must go of what a space holds. Whatever it keeps, half of the limit is for the other messages: or a
/// message would be deleted as soon as it is sent.
fn excess(held: u64, kept: u64, limit: u64) -> u64 {
    held.saturating_sub(limit).min(held.saturating_sub(kept).saturating_sub(limit / 2))
}

/// Returns up to `batch` messages of a space that may not stay; `None` if the space is gone and has no messages left.
fn surplus(conn: &Connection, space_id: &str, keep: Retention, batch: u64) -> Result<Option<Vec<RemovedMessage>>> {
    let held = conn
        .prepare_cached(HELD)?
        .query_row([space_id], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?, row.get::<_, bool>(2)?)));
    let Some((messages, bytes, exists)) = held.optional()? else { return Ok(Some(Vec::new())) };
    let is_over = exists && (messages > keep.messages || bytes > keep.bytes);
    let kept = if is_over { kept(conn, space_id)? } else { (0, 0) };
    let (mut too_many, mut too_much) = (excess(messages, kept.0, keep.messages), excess(bytes, kept.1, keep.bytes));
    let mut statement = conn.prepare_cached(OLDEST)?;
    let mut rows = statement.query(params![space_id, batch, !exists])?;
    let mut gone = Vec::new();
    while let Some(row) = rows.next()? {
        let one = RemovedMessage {
            place: row.get(0)?,
            seq: row.get(1)?,
            author: row.get(2)?,
            addressee: row.get(3)?,
            bytes: row.get(4)?,
        };
        if exists && too_many == 0 && too_much == 0 && row.get::<_, Micros>(5)? >= keep.since {
            break;
        }
        too_many = too_many.saturating_sub(1);
        too_much = too_much.saturating_sub(u64::try_from(one.bytes).unwrap_or(0));
        gone.push(one);
    }
    Ok(if gone.is_empty() && !exists { None } else { Some(gone) })
}

/// True if [`sweep`] would find something in a space.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, space_id: &str, keep: Retention) -> Result<bool> {
    Ok(surplus(conn, space_id, keep, 1)?.is_none_or(|gone| !gone.is_empty()))
}

/// Deletes up to `batch` messages of a space that may not stay. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, space_id: &str, keep: Retention, batch: u64) -> Result<usize> {
    match surplus(conn, space_id, keep, batch)? {
        Some(gone) => {
            remove(conn, space_id, &gone)?;
            Ok(gone.len())
        }
        None => {
            for sql in FORGET {
                conn.prepare_cached(sql)?.execute([space_id])?;
            }
            Ok(0)
        }
    }
}

/// A reader of a space: the id of the space, and the principal, `user:ID` or `agent:ID`.
pub type SpaceReader = (String, String);

/// Looks at up to `limit` readers after this one, in the order of their spaces. Returns the readers that do not exist
/// any more, and the last one that was looked at; `None` at the end of all readers.
///
/// # Errors
/// Any `StoreError`.
pub fn gone_readers(
    conn: &Connection,
    after: &SpaceReader,
    limit: u64,
) -> Result<(Vec<SpaceReader>, Option<SpaceReader>)> {
    let mut statement = conn.prepare_cached(READERS)?;
    let mut rows = statement.query(params![after.0, after.1, limit])?;
    let (mut gone, mut seen, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let reader: SpaceReader = (row.get(0)?, row.get(1)?);
        if !row.get::<_, bool>(2)? {
            gone.push(reader.clone());
        }
        (seen, last) = (seen + 1, Some(reader));
    }
    Ok((gone, last.filter(|_| seen == limit)))
}

/// Deletes the records of how far these readers have read.
///
/// # Errors
/// Any `StoreError`.
pub fn forget_readers(conn: &Connection, gone: &[SpaceReader]) -> Result<()> {
    for (space_id, principal) in gone {
        for sql in FORGET_READER {
            conn.prepare_cached(sql)?.execute([space_id, principal])?;
        }
    }
    Ok(())
}

/// True if [`sweep_client_ids`] would find something.
///
/// # Errors
/// Any `StoreError`.
pub fn client_ids_are_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(CLIENT_IDS_ARE_DUE)?.query_row([before], |row| row.get(0))?)
}

/// Deletes up to `batch` client ids from before this time. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep_client_ids(conn: &Connection, before: Micros, batch: u64) -> Result<usize> {
    Ok(conn.prepare_cached(OLD_CLIENT_IDS)?.execute(params![before, batch])?)
}

#[cfg(test)]
mod tests {
    use super::excess;

    #[test]
    fn half_of_a_limit_is_for_what_is_not_kept() {
        let cases = [
            ((90, 0, 100), 0),
            ((110, 0, 100), 10),
            ((110, 50, 100), 10),
            ((110, 60, 100), 0),
            ((170, 100, 100), 20),
            ((500, 500, 100), 0),
        ];
        for ((held, kept, limit), gone) in cases {
            assert_eq!(excess(held, kept, limit), gone, "{held} {kept} {limit}");
        }
    }
}
