//! How far the members of a space have read. Unread is the number of messages minus the seen ones: no rows are counted.

use rusqlite::{Connection, OptionalExtension, params};

use super::bits::MOST;
pub use super::bits::Read;
use super::{Message, RemovedMessage, receipts};
use crate::store::Result;
use crate::time::Micros;

const WROTE: &str = "INSERT INTO message_readers (space_id, principal, seen) VALUES (?1, ?2, 1)
    ON CONFLICT (space_id, principal) DO UPDATE SET seen = seen + 1";
const IS_FOR: &str = "INSERT INTO message_readers (space_id, principal, direct_unread) VALUES (?1, ?2, 1)
    ON CONFLICT (space_id, principal) DO UPDATE SET direct_unread = direct_unread + 1";
const READER: &str = "SELECT r.watermark, r.seen, r.direct_unread, r.all_read_at, b.bits
    FROM message_readers r LEFT JOIN message_read_bits b ON b.space_id = r.space_id AND b.principal = r.principal
    WHERE r.space_id = ?1 AND r.principal = ?2";
const READERS: &str = "SELECT principal FROM message_readers WHERE space_id = ?1";
const PUT: &str = "INSERT INTO message_readers (space_id, principal, watermark, seen, direct_unread, all_read_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (space_id, principal) DO UPDATE SET watermark = excluded.watermark, seen = excluded.seen,
        direct_unread = excluded.direct_unread, all_read_at = excluded.all_read_at";
const PUT_BITS: &str = "INSERT INTO message_read_bits (space_id, principal, bits) VALUES (?1, ?2, ?3)
    ON CONFLICT (space_id, principal) DO UPDATE SET bits = excluded.bits WHERE bits <> excluded.bits";
const DROP_BITS: &str = "DELETE FROM message_read_bits WHERE space_id = ?1 AND principal = ?2";
const ADJUST: &str = "UPDATE message_readers SET seen = seen - ?3, direct_unread = direct_unread - ?4
    WHERE space_id = ?1 AND principal = ?2";
const COUNTS: &str = "SELECT last_seq, open FROM message_counts WHERE space_id = ?1";
const HELD: &str = "SELECT messages, bytes FROM message_counts WHERE space_id = ?1";
const FIRST: &str = "SELECT seq FROM messages WHERE space_id = ?1 ORDER BY seq LIMIT 1";
const OPEN_BETWEEN: &str = "SELECT seq, author FROM messages WHERE space_id = ?1 AND addressee IS NULL
    AND seq > ?2 AND seq <= ?3 ORDER BY seq";

/// How far one reader of a space has read.
#[derive(Debug, Clone, Default)]
pub struct ReaderState {
    /// The messages that it has read.
    pub read: Read,
    seen: i64,
    direct_unread: i64,
    /// When it last marked all as read.
    pub all_read_at: Option<Micros>,
}

/// Returns the state of a reader of a space. A reader without a row has read nothing.
///
/// # Errors
/// Any `StoreError`.
pub fn reader(conn: &Connection, space_id: &str, principal: &str) -> Result<ReaderState> {
    let mut statement = conn.prepare_cached(READER)?;
    let found = statement.query_row([space_id, principal], |row| {
        Ok(ReaderState {
            read: Read::new(row.get(0)?, row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default()),
            seen: row.get(1)?,
            direct_unread: row.get(2)?,
            all_read_at: row.get(3)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Returns the last place that was given in a space, and the number of messages that all members may read.
///
/// # Errors
/// Any `StoreError`.
pub fn counts(conn: &Connection, space_id: &str) -> Result<(i64, i64)> {
    let found = conn.prepare_cached(COUNTS)?.query_row([space_id], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or((0, 0)))
}

/// Returns the number of messages in a space, and their bytes.
///
/// # Errors
/// Any `StoreError`.
pub fn held(conn: &Connection, space_id: &str) -> Result<(u64, u64)> {
    let found = conn.prepare_cached(HELD)?.query_row([space_id], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or((0, 0)))
}

impl ReaderState {
    /// Counts the messages of the space that it has neither read nor written.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn unread(&self, conn: &Connection, space_id: &str) -> Result<i64> {
        let (_, open) = counts(conn, space_id)?;
        Ok((open - self.seen).max(0) + self.direct_unread.max(0))
    }
}

/// Counts a new message: its author has seen it, its addressee has not.
pub(super) fn wrote(conn: &Connection, space_id: &str, author: &str, addressee: Option<&str>) -> Result<()> {
    match addressee {
        None => conn.prepare_cached(WROTE)?.execute([space_id, author])?,
        Some(to) if to == author => 0,
        Some(to) => conn.prepare_cached(IS_FOR)?.execute([space_id, to])?,
    };
    Ok(())
}

/// Marks these messages of a space as read; the reader may read all of them. `whole` is the span of the space in which
/// they are all the messages for this reader. Returns how many were unread.
///
/// # Errors
/// Any `StoreError`.
pub fn mark(
    conn: &Connection,
    space_id: &str,
    principal: &str,
    messages: &[Message],
    whole: Option<(i64, i64)>,
    now: Micros,
) -> Result<u64> {
    let mut reader = reader(conn, space_id, principal)?;
    let before = reader.clone();
    let highest = messages.iter().map(|message| message.seq).chain(whole.map(|(_, to)| to)).max().unwrap_or(0);
    forget_the_oldest(conn, space_id, principal, &mut reader, highest)?;
    let mut marked = 0;
    for message in messages.iter().filter(|message| !before.read.contains(message.seq)) {
        let first_time = !reader.read.contains(message.seq) && message.author != principal;
        reader.read.insert(message.seq);
        if !first_time {
            continue;
        }
        marked += 1;
        if message.addressee.is_none() {
            reader.seen += 1;
        } else {
            reader.direct_unread -= 1;
        }
        receipts::advance(conn, message.place, principal, receipts::ReceiptState::Read, now)?;
    }
    if let Some((from, to)) = whole {
        (from.max(reader.read.watermark + 1)..=to).for_each(|seq| reader.read.insert(seq));
    }
    reader.read.settle();
    if reader.read != before.read || marked > 0 {
        put(conn, space_id, principal, &reader)?;
    }
    Ok(marked)
}

/// Raises the watermark over places whose messages are gone, and over places too far back to have a bit.
fn forget_the_oldest(
    conn: &Connection,
    space_id: &str,
    principal: &str,
    reader: &mut ReaderState,
    highest: i64,
) -> Result<()> {
    let first: i64 = conn.prepare_cached(FIRST)?.query_row([space_id], |row| row.get(0)).optional()?.unwrap_or(1);
    reader.read.raise(first - 1);
    let floor = highest - MOST;
    if floor > reader.read.watermark {
        let mut statement = conn.prepare_cached(OPEN_BETWEEN)?;
        let mut rows = statement.query(params![space_id, reader.read.watermark, floor])?;
        while let Some(row) = rows.next()? {
            let (seq, author): (i64, String) = (row.get(0)?, row.get(1)?);
            if !reader.read.contains(seq) && author != principal {
                reader.seen += 1;
            }
        }
        reader.read.raise(floor);
    }
    Ok(())
}

fn put(conn: &Connection, space_id: &str, principal: &str, reader: &ReaderState) -> Result<()> {
    let ReaderState { read, seen, direct_unread, all_read_at } = reader;
    conn.prepare_cached(PUT)?.execute(params![
        space_id,
        principal,
        read.watermark,
        seen,
        direct_unread,
        all_read_at
    ])?;
    if read.bits().is_empty() {
        conn.prepare_cached(DROP_BITS)?.execute([space_id, principal])?;
    } else {
        conn.prepare_cached(PUT_BITS)?.execute(params![space_id, principal, read.bits()])?;
    }
    Ok(())
}

/// Marks all messages of a space as read. Returns how many were unread.
///
/// # Errors
/// Any `StoreError`.
pub fn mark_all(conn: &Connection, space_id: &str, principal: &str, now: Micros) -> Result<i64> {
    let before = reader(conn, space_id, principal)?;
    let unread = before.unread(conn, space_id)?;
    let (last_seq, open) = counts(conn, space_id)?;
    if unread == 0 && before.read.watermark == last_seq {
        return Ok(0);
    }
    let read = Read::new(last_seq, Vec::new());
    put(conn, space_id, principal, &ReaderState { read, seen: open, direct_unread: 0, all_read_at: Some(now) })?;
    Ok(unread)
}

/// Subtracts removed messages from the counts of the space's readers, of seen and of unread messages.
pub(super) fn removed(conn: &Connection, space_id: &str, gone: &[RemovedMessage]) -> Result<()> {
    let mut statement = conn.prepare_cached(READERS)?;
    let principals: Vec<String> =
        statement.query_map([space_id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for principal in principals {
        let reader = reader(conn, space_id, &principal)?;
        let (mut seen, mut direct) = (0, 0);
        for one in gone {
            let was_read = reader.read.contains(one.seq);
            match &one.addressee {
                None if was_read || one.author == principal => seen += 1,
                Some(to) if *to == principal && one.author != principal && !was_read => direct += 1,
                _ => {}
            }
        }
        if seen > 0 || direct > 0 {
            conn.prepare_cached(ADJUST)?.execute(params![space_id, principal, seen, direct])?;
        }
    }
    Ok(())
}
