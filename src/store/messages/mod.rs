//! Messages: writes, changes and deletes them, and keeps the data beside them: words, counts, receipts, and how far
//! each member has read.

pub mod find;
pub mod members;
pub mod overdue;
pub mod reading;
pub mod receipts;
pub mod retention;

mod bits;
#[cfg(test)]
mod plans;
mod words;

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::row::record;
use crate::time::Micros;

use words::Whose;
pub use words::{index, search, tidy};

const COUNT_UP: &str =
    "INSERT INTO message_counts (space_id, last_seq, messages, open, bytes) VALUES (?1, 1, 1, ?2, ?3)
    ON CONFLICT (space_id) DO UPDATE SET last_seq = last_seq + 1, messages = messages + 1, open = open + excluded.open,
        bytes = bytes + excluded.bytes
    RETURNING last_seq, messages, bytes";
const COUNT_DOWN: &str = "UPDATE message_counts SET messages = messages - ?2, open = open - ?3, bytes = bytes - ?4
    WHERE space_id = ?1";
const COUNT_BYTES: &str = "UPDATE message_counts SET bytes = bytes + ?2 WHERE space_id = ?1";
const INSERT: &str =
    "INSERT INTO messages (id, space_id, seq, channel, message_type, parent_id, conversation_id, author,
        author_name, addressee, content, mentions, attachments, metadata, bytes, task, expects_reply_by, awaits_reply,
        created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?19)";
const EDIT: &str = "UPDATE messages SET content = ?2, mentions = ?3, bytes = ?4, updated_at = ?5 WHERE place = ?1";
const PIN: &str = "UPDATE messages SET pinned = ?2 WHERE place = ?1";
const COUNT_PINNED: &str = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE space_id = ?1 AND pinned = 1 LIMIT ?2)";
const COUNT_OF_TASKS: &str =
    "SELECT count(*) FROM (SELECT 1 FROM messages WHERE space_id = ?1 AND task IS NOT NULL LIMIT ?2)";
const DELETE: &str = "DELETE FROM messages WHERE place = ?1";
const ANSWERED: &str = "UPDATE messages SET awaits_reply = 0 WHERE place = ?1 AND awaits_reply = 1";
const CLIENT_ID: &str = "SELECT message_id FROM message_client_ids WHERE author = ?1 AND client_id = ?2
    AND created_at > ?3";
const PUT_CLIENT_ID: &str = "INSERT INTO message_client_ids (author, client_id, message_id, created_at)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (author, client_id) DO UPDATE SET message_id = excluded.message_id, created_at = excluded.created_at";
const REACT: &str =
    "INSERT INTO message_reactions (place, principal, emoji) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const REACTED: &str = "SELECT count(*), coalesce(sum(emoji = ?3), 0) FROM message_reactions
    WHERE place = ?1 AND principal = ?2";
const PUT_REACTIONS: &str = "UPDATE messages SET reactions = ?2 WHERE place = ?1";
/// The bytes that a row counts beside its texts, roughly.
const ROW_BYTES: usize = 256;

record! {
    /// A message.
    pub struct Message from "messages m" {
        /// Its place in the order of all messages.
        pub place: i64 = "m.place",
        /// The id.
        pub id: String = "m.id",
        /// The space.
        pub space_id: String = "m.space_id",
        /// Its place in the space.
        pub seq: i64 = "m.seq",
        /// The channel.
        pub channel: String = "m.channel",
        /// The type, a slug.
        pub message_type: String = "m.message_type",
        /// The id of the message that it replies to.
        pub parent_id: Option<String> = "m.parent_id",
        /// The id of the first message of its thread.
        pub conversation_id: String = "m.conversation_id",
        /// Who wrote it, `user:ID` or `agent:ID`.
        pub author: String = "m.author",
        /// The author's name when it was written.
        pub author_name: String = "m.author_name",
        /// The addressee of a direct message, `user:ID` or `agent:ID`.
        pub addressee: Option<String> = "m.addressee",
        /// The text.
        pub content: String = "m.content",
        /// The mentioned members, a JSON list of `{principal, name}`.
        pub mentions: String = "m.mentions",
        /// The attachments, a JSON list.
        pub attachments: String = "m.attachments",
        /// The metadata, a JSON object.
        pub metadata: String = "m.metadata",
        /// How often each reaction was given, a JSON object.
        pub reactions: String = "m.reactions",
        /// The bytes that it counts for in the space.
        pub bytes: i64 = "m.bytes",
        /// Whether it is pinned: the sweep keeps it.
        pub pinned: bool = "m.pinned",
        /// The id of the task that its thread is about, as long as that task exists.
        pub task: Option<String> = "m.task",
        /// The time until which its author expects a reply.
        pub expects_reply_by: Option<Micros> = "m.expects_reply_by",
        /// When it was sent.
        pub created_at: Micros = "m.created_at",
        /// When its text was last changed.
        pub updated_at: Micros = "m.updated_at",
    }
}

impl Message {
    /// True if this member of its space may read it.
    pub fn is_for(&self, principal: &str) -> bool {
        self.addressee.as_deref().is_none_or(|to| to == principal || self.author == principal)
    }

    /// Returns the bytes that a row with these texts counts for.
    fn weight(content: &str, others: [&str; 3]) -> i64 {
        let bytes = content.len() + others.iter().map(|text| text.len()).sum::<usize>() + ROW_BYTES;
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// Returns the bytes that a message with these texts counts for.
    pub fn bytes_of(content: &str, mentions: &str, attachments: &str, metadata: &str) -> u64 {
        u64::try_from(Self::weight(content, [mentions, attachments, metadata])).unwrap_or(u64::MAX)
    }
}

/// A message to be stored.
#[derive(Debug)]
pub struct NewMessage<'a> {
    /// The id.
    pub id: &'a str,
    /// The space.
    pub space_id: &'a str,
    /// The channel.
    pub channel: &'a str,
    /// The type, a slug.
    pub message_type: &'a str,
    /// The id of the message that it replies to.
    pub parent_id: Option<&'a str>,
    /// The id of the first message of its thread.
    pub conversation_id: &'a str,
    /// Who writes it, `user:ID` or `agent:ID`.
    pub author: &'a str,
    /// The author's name.
    pub author_name: &'a str,
    /// The addressee of a direct message, `user:ID` or `agent:ID`.
    pub addressee: Option<&'a str>,
    /// The text.
    pub content: &'a str,
    /// The mentioned members, a JSON list of `{principal, name}`.
    pub mentions: &'a str,
    /// The attachments, a JSON list.
    pub attachments: &'a str,
    /// The metadata, a JSON object.
    pub metadata: &'a str,
    /// The id of the task that its thread is about.
    pub task: Option<&'a str>,
    /// The time until which a reply is expected.
    pub expects_reply_by: Option<Micros>,
    /// The time of sending.
    pub created_at: Micros,
}

impl NewMessage<'_> {
    /// Returns the message as it is read from where it was stored.
    pub fn at(&self, stored: &StoredMessage) -> Message {
        Message {
            place: stored.place,
            id: self.id.to_owned(),
            space_id: self.space_id.to_owned(),
            seq: stored.seq,
            channel: self.channel.to_owned(),
            message_type: self.message_type.to_owned(),
            parent_id: self.parent_id.map(str::to_owned),
            conversation_id: self.conversation_id.to_owned(),
            author: self.author.to_owned(),
            author_name: self.author_name.to_owned(),
            addressee: self.addressee.map(str::to_owned),
            content: self.content.to_owned(),
            mentions: self.mentions.to_owned(),
            attachments: self.attachments.to_owned(),
            metadata: self.metadata.to_owned(),
            reactions: "{}".to_owned(),
            bytes: self.weight(),
            pinned: false,
            task: self.task.map(str::to_owned),
            expects_reply_by: self.expects_reply_by,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }

    fn weight(&self) -> i64 {
        Message::weight(self.content, [self.mentions, self.attachments, self.metadata])
    }
}

/// The place of a stored message, and the totals of its space with it.
#[derive(Debug, Clone, Copy)]
pub struct StoredMessage {
    /// Its place in the order of all messages.
    pub place: i64,
    /// Its place in the space.
    pub seq: i64,
    /// The number of messages in the space.
    pub messages: u64,
    /// The bytes of those messages.
    pub bytes: u64,
}

/// Stores a message at the end of its space. A search finds it once [`index`] has added its words.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewMessage<'_>) -> Result<StoredMessage> {
    let bytes = new.weight();
    let is_open = new.addressee.is_none();
    let (seq, messages, total) = conn
        .prepare_cached(COUNT_UP)?
        .query_row(params![new.space_id, is_open, bytes], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.space_id,
        seq,
        new.channel,
        new.message_type,
        new.parent_id,
        new.conversation_id,
        new.author,
        new.author_name,
        new.addressee,
        new.content,
        new.mentions,
        new.attachments,
        new.metadata,
        bytes,
        new.task,
        new.expects_reply_by,
        new.expects_reply_by.is_some(),
        new.created_at
    ])?;
    let place = conn.last_insert_rowid();
    reading::wrote(conn, new.space_id, new.author, new.addressee)?;
    Ok(StoredMessage { place, seq, messages, bytes: total })
}

/// Changes the text and the mentions of a message.
///
/// # Errors
/// Any `StoreError`.
pub fn edit(conn: &Connection, message: &Message, content: &str, mentions: &str, now: Micros) -> Result<()> {
    let bytes = Message::weight(content, [mentions, &message.attachments, &message.metadata]);
    conn.prepare_cached(EDIT)?.execute(params![message.place, content, mentions, bytes, now])?;
    conn.prepare_cached(COUNT_BYTES)?.execute(params![message.space_id, bytes - message.bytes])?;
    let (space_id, author) = (&message.space_id, &message.author);
    let whose = Whose { space_id, author, addressee: message.addressee.as_deref() };
    words::replace(conn, message.place, &whose, content)
}

/// Pins a message, so that the sweep keeps it, or unpins it.
///
/// # Errors
/// Any `StoreError`.
pub fn pin(conn: &Connection, place: i64, pinned: bool) -> Result<()> {
    conn.prepare_cached(PIN)?.execute(params![place, pinned])?;
    Ok(())
}

/// Counts the pinned messages of a space, up to `most`.
///
/// # Errors
/// Any `StoreError`.
pub fn count_pinned(conn: &Connection, space_id: &str, most: u64) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_PINNED)?.query_row(params![space_id, most], |row| row.get(0))?)
}

/// Counts the messages of a space that are kept for the task of their thread, up to `most`.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_tasks(conn: &Connection, space_id: &str, most: u64) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_TASKS)?.query_row(params![space_id, most], |row| row.get(0))?)
}

/// The data of a message that is needed to subtract it from all counts.
#[derive(Debug, Clone)]
pub struct RemovedMessage {
    place: i64,
    seq: i64,
    author: String,
    addressee: Option<String>,
    bytes: i64,
}

/// Deletes messages of one space.
///
/// # Errors
/// Any `StoreError`.
pub fn remove(conn: &Connection, space_id: &str, gone: &[RemovedMessage]) -> Result<()> {
    for one in gone {
        words::remove(conn, one.place)?;
        conn.prepare_cached(DELETE)?.execute([one.place])?;
    }
    reading::removed(conn, space_id, gone)?;
    let open = gone.iter().filter(|one| one.addressee.is_none()).count();
    let bytes: i64 = gone.iter().map(|one| one.bytes).sum();
    conn.prepare_cached(COUNT_DOWN)?.execute(params![space_id, gone.len(), open, bytes])?;
    Ok(())
}

/// Deletes one message.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, message: &Message) -> Result<()> {
    let gone = RemovedMessage {
        place: message.place,
        seq: message.seq,
        author: message.author.clone(),
        addressee: message.addressee.clone(),
        bytes: message.bytes,
    };
    remove(conn, &message.space_id, &[gone])
}

/// Notes that nobody waits for a reply to this message any more.
///
/// # Errors
/// Any `StoreError`.
pub fn settle(conn: &Connection, place: i64) -> Result<()> {
    conn.prepare_cached(ANSWERED)?.execute([place])?;
    Ok(())
}

/// Returns the id of the message that this author sent with this client id after `since`.
///
/// # Errors
/// Any `StoreError`.
pub fn by_client_id(conn: &Connection, author: &str, client_id: &str, since: Micros) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached(CLIENT_ID)?;
    Ok(statement.query_row(params![author, client_id, since], |row| row.get(0)).optional()?)
}

/// Notes the id that a client gave its message.
///
/// # Errors
/// Any `StoreError`.
pub fn put_client_id(conn: &Connection, author: &str, client_id: &str, message_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(PUT_CLIENT_ID)?.execute(params![author, client_id, message_id, now])?;
    Ok(())
}

/// Returns how many reactions to a message a principal has, and whether `emoji` is among them.
///
/// # Errors
/// Any `StoreError`.
pub fn reactions_of(conn: &Connection, place: i64, principal: &str, emoji: &str) -> Result<(u64, bool)> {
    let mut statement = conn.prepare_cached(REACTED)?;
    Ok(statement.query_row(params![place, principal, emoji], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? > 0)))?)
}

/// Adds a reaction; `all` is a JSON object with how often each was given, including this one.
///
/// # Errors
/// Any `StoreError`.
pub fn react(conn: &Connection, place: i64, principal: &str, emoji: &str, all: &str) -> Result<()> {
    conn.prepare_cached(REACT)?.execute(params![place, principal, emoji])?;
    conn.prepare_cached(PUT_REACTIONS)?.execute(params![place, all])?;
    Ok(())
}
