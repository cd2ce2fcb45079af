//! Finding messages: one by its id, and parts of a space's order as one reader may see it.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::Message;
use super::reading::Read;
use crate::store::Result;

/// The rows that are looked at in one step to find unread messages, and the most steps.
const CHUNK: u64 = 500;
const CHUNKS: usize = 64;
const IS_BY: &str = "SELECT author = ?2 FROM messages WHERE place = ?1";

/// Returns the message with this id, whoever may read it.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Message>> {
    let mut statement = conn.prepare_cached(&format!("{} WHERE m.id = ?1", Message::SELECT))?;
    Ok(statement.query_row([id], Message::read).optional()?)
}

/// Returns the message at this place in the order of all messages.
///
/// # Errors
/// Any `StoreError`.
pub fn by_place(conn: &Connection, place: i64) -> Result<Option<Message>> {
    let mut statement = conn.prepare_cached(&format!("{} WHERE m.place = ?1", Message::SELECT))?;
    Ok(statement.query_row([place], Message::read).optional()?)
}

/// Returns the messages at these places while their sizes stay within `max_bytes`; at least one.
pub(super) fn by_places(
    conn: &Connection,
    places: impl Iterator<Item = rusqlite::Result<i64>>,
    max_bytes: usize,
) -> Result<Vec<Message>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for place in places {
        let Some(message) = by_place(conn, place?)? else { continue };
        bytes += usize::try_from(message.bytes).unwrap_or(usize::MAX);
        if bytes > max_bytes && !found.is_empty() {
            break;
        }
        found.push(message);
    }
    Ok(found)
}

/// The part of a space's order to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSpan {
    /// The messages before this place, newest first.
    Before(i64),
    /// The messages after this place, oldest first.
    After(i64),
}

/// Which messages to list.
#[derive(Debug, Clone)]
pub struct MessageFilter<'a> {
    /// The space.
    pub space_id: &'a str,
    /// The principal that reads, `user:ID` or `agent:ID`.
    pub reader: &'a str,
    /// Only messages of this channel.
    pub channel: Option<&'a str>,
    /// Only messages addressed to the reader: those that mention it, reply to it or are sent to it directly.
    pub addressed: bool,
    /// Only messages that the reader has not read.
    pub unread: Option<&'a Read>,
    /// The most messages.
    pub limit: u64,
    /// The most bytes of all messages together, roughly.
    pub max_bytes: usize,
}

/// The messages that were found, and whether there are more.
#[derive(Debug, Default)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there may be more in the same direction.
    pub more: bool,
}

/// Lists a part of a space's order, as its reader may see it.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, wanted: &MessageFilter<'_>, span: MessageSpan) -> Result<MessagePage> {
    let Some(read) = wanted.unread else {
        let places = places(conn, wanted, span, wanted.limit + 1)?;
        return page(conn, places.into_iter().map(|(place, _)| place).collect(), wanted.limit, wanted.max_bytes, false);
    };
    let (mut found, mut span) = (Vec::new(), span);
    let mut more = true;
    for _ in 0..CHUNKS {
        let chunk = places(conn, wanted, span, CHUNK)?;
        more = chunk.len() as u64 == CHUNK;
        for (place, _) in chunk.iter().filter(|(_, seq)| !read.contains(*seq)) {
            // The reader's own messages are not news to it.
            if !is_by(conn, *place, wanted.reader)? {
                found.push(*place);
            }
        }
        match chunk.last() {
            Some((_, seq)) if more && (found.len() as u64) < wanted.limit => span = span.from(*seq),
            _ => break,
        }
    }
    page(conn, found, wanted.limit, wanted.max_bytes, more)
}

/// Returns the first of these messages: at most `limit`, and of `max_bytes` together. `more` says whether there may be
/// others than these.
fn page(conn: &Connection, mut places: Vec<i64>, limit: u64, max_bytes: usize, more: bool) -> Result<MessagePage> {
    let all = places.len();
    places.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let messages = by_places(conn, places.into_iter().map(Ok), max_bytes)?;
    Ok(MessagePage { more: more || messages.len() < all, messages })
}

fn is_by(conn: &Connection, place: i64, author: &str) -> Result<bool> {
    let found = conn.prepare_cached(IS_BY)?.query_row(params![place, author], |row| row.get(0));
    // A message that is gone is left out as well.
    Ok(found.optional()?.unwrap_or(true))
}

impl MessageSpan {
    fn from(self, seq: i64) -> Self {
        match self {
            Self::Before(_) => Self::Before(seq),
            Self::After(_) => Self::After(seq),
        }
    }
}

/// Returns the places of messages, in the order of all and in the space. Each part of the union walks along one index
/// and ends at the limit.
fn places(conn: &Connection, wanted: &MessageFilter<'_>, span: MessageSpan, limit: u64) -> Result<Vec<(i64, i64)>> {
    let (compare, seq, order) = match span {
        MessageSpan::Before(seq) => ("<", seq, "DESC"),
        MessageSpan::After(seq) => (">", seq, "ASC"),
    };
    let walk = |from: &str| {
        format!(
            "SELECT * FROM (SELECT place, seq FROM {from} AND seq {compare} :seq ORDER BY seq {order} LIMIT :limit)"
        )
    };
    let parts: Vec<String> = match (wanted.addressed, wanted.channel) {
        (true, None) => vec![walk("message_receipts WHERE principal = :me AND space_id = :space")],
        (true, Some(_)) => vec![walk(
            "(SELECT r.place, r.seq FROM message_receipts r JOIN messages m ON m.place = r.place
                WHERE r.principal = :me AND r.space_id = :space AND m.channel = :channel) WHERE 1",
        )],
        (false, None) => vec![
            walk("messages WHERE space_id = :space AND addressee IS NULL"),
            walk("messages WHERE space_id = :space AND addressee = :me"),
            walk("messages WHERE space_id = :space AND author = :me AND addressee IS NOT NULL AND addressee <> :me"),
        ],
        (false, Some(_)) => vec![
            walk("messages WHERE space_id = :space AND channel = :channel AND addressee IS NULL"),
            walk("messages WHERE space_id = :space AND addressee = :me AND channel = :channel"),
            walk(
                "messages WHERE space_id = :space AND author = :me AND channel = :channel AND addressee IS NOT NULL
                    AND addressee <> :me",
            ),
        ],
    };
    let sql = format!("{} ORDER BY seq {order} LIMIT :limit", parts.join(" UNION ALL "));
    let mut statement = conn.prepare_cached(&sql)?;
    let all = named_params! {
        ":space": wanted.space_id, ":me": wanted.reader, ":channel": wanted.channel, ":seq": seq, ":limit": limit,
    };
    for (name, value) in all {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, row.get(1)?));
    }
    Ok(found)
}

/// Lists the places of the messages after `after` that a reader may see, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn after(conn: &Connection, space_id: &str, reader: &str, after: i64, limit: u64) -> Result<Vec<(i64, i64)>> {
    let wanted =
        MessageFilter { space_id, reader, channel: None, addressed: false, unread: None, limit, max_bytes: usize::MAX };
    places(conn, &wanted, MessageSpan::After(after), limit)
}

/// Returns the place in the space of the oldest of the newest `kept` messages that a reader may see; `None` unless more
/// than `kept` of them come after `after`.
///
/// # Errors
/// Any `StoreError`.
pub fn first_of_the_newest(
    conn: &Connection,
    space_id: &str,
    reader: &str,
    after: i64,
    kept: u64,
) -> Result<Option<i64>> {
    let wanted = MessageFilter {
        space_id,
        reader,
        channel: None,
        addressed: false,
        unread: None,
        limit: kept,
        max_bytes: usize::MAX,
    };
    let newest = places(conn, &wanted, MessageSpan::Before(i64::MAX), kept + 1)?;
    let beyond = newest.len() as u64 > kept && newest.last().is_some_and(|(_, seq)| *seq > after);
    let at = usize::try_from(kept).unwrap_or(usize::MAX).saturating_sub(1);
    Ok(newest.get(at).map(|(_, seq)| *seq).filter(|_| beyond))
}

/// Lists the replies to a message that a reader may see, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn replies(
    conn: &Connection,
    parent_id: &str,
    reader: &str,
    after_place: i64,
    limit: u64,
    max_bytes: usize,
) -> Result<MessagePage> {
    let sql = "SELECT place FROM messages WHERE parent_id = ?1 AND place > ?2
        AND (addressee IS NULL OR addressee = ?3 OR author = ?3) ORDER BY place LIMIT ?4";
    let mut statement = conn.prepare_cached(sql)?;
    let places = statement.query_map(params![parent_id, after_place, reader, limit + 1], |row| row.get(0))?;
    page(conn, places.collect::<rusqlite::Result<_>>()?, limit, max_bytes, false)
}
