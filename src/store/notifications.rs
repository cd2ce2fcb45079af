//! Notifications: messages of agents and users to people. Their order is that of their commits, `seq`. Triggers keep
//! the counts, so that no query becomes slower as the table grows.

use rusqlite::{Connection, OptionalExtension, params};

use super::page::{Take, each};
use super::row::record;
use super::{Result, is_id};
use crate::closed_set::closed_set;
use crate::limits::{NOTIFICATION_ROWS, NOTIFICATION_ROWS_OF_AGENT};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO notifications
    (id, user_id, agent_id, source, app_origin, level, title, message, action_url, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const COUNTS: &str = "SELECT total, unread FROM notification_counts WHERE holder = ?1";
const POSITION: &str = "SELECT seq FROM notifications WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
const LAST: &str = "SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1";
const READ_SOME: &str = "UPDATE notifications SET read = 1 WHERE seq IN
    (SELECT seq FROM notifications WHERE user_id = ?1 AND read = 0 AND seq <= ?2 ORDER BY seq LIMIT ?3)";
const OLD: &str = "SELECT seq FROM notifications WHERE created_at < ?1 ORDER BY created_at LIMIT ?2";
const CROWDED_AGENT: &str = "SELECT substr(holder, 7), total - ?1 FROM notification_counts
    WHERE total > ?1 AND holder GLOB 'agent:*' LIMIT 1";
const CROWDED_USER: &str = "SELECT substr(holder, 6), total - ?1 FROM notification_counts
    WHERE total > ?1 AND holder GLOB 'user:*' LIMIT 1";
// The sender with the most notifications in this user's inbox, whoever owns that sender.
const LOUDEST_IN: &str = "SELECT sender FROM notification_senders WHERE user_id = ?1 ORDER BY total DESC LIMIT 1";
const OF_NO_AGENT: &str = "user_id = ?3 AND agent_id IS NULL AND source = ?1";
/// The order in which one sender's notifications are deleted: read ones, then unread ones that are not high, then
/// unread high ones; each group oldest first.
const WORTH: &str = "read = 0, read = 0 AND level = 'high', seq";

closed_set! {
    /// How urgent a notification is.
    pub enum Level {
        Low "low" "It can wait.";
        Normal "normal" "It is worth a look.";
        High "high" "It needs somebody now.";
    }
}

/// The holder whose notifications are read. A holder sees no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbox {
    /// The notifications sent to this user, by id.
    User(String),
    /// The notifications that this agent sent, by id.
    Agent(String),
}

impl Inbox {
    fn column(&self) -> &'static str {
        match self {
            Self::User(_) => "user_id",
            Self::Agent(_) => "agent_id",
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Agent(id) => id,
        }
    }

    fn key(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Agent(id) => format!("agent:{id}"),
        }
    }
}

/// A notification to be stored.
#[derive(Debug, Clone)]
pub struct NewNotification<'a> {
    /// The id.
    pub id: &'a str,
    /// The id of the user it is for.
    pub user_id: &'a str,
    /// The id of the agent that sends it; `None` if the sender is no agent.
    pub agent_id: Option<&'a str>,
    /// The sender: `agent:SLUG` or `user:NAME`, from the credential alone, or `taosd`.
    pub source: &'a str,
    /// The app that the sender names.
    pub app_origin: Option<&'a str>,
    /// How urgent it is.
    pub level: Level,
    /// The title: one line.
    pub title: &'a str,
    /// The text.
    pub message: &'a str,
    /// The URL that it links to.
    pub action_url: Option<&'a str>,
    /// When it is sent.
    pub created_at: Micros,
}

record! {
    /// A notification as stored.
    pub struct Notification from "notifications" {
        /// Its place in the order of all notifications.
        pub seq: i64 = "seq",
        /// The id.
        pub id: String = "id",
        /// The id of the agent that sent it.
        pub agent_id: Option<String> = "agent_id",
        /// The sender: `agent:SLUG`, `user:NAME` or `taosd`.
        pub source: String = "source",
        /// The app that the sender named.
        pub app_origin: Option<String> = "app_origin",
        /// How urgent it is.
        pub level: Level = "level",
        /// The title: one line.
        pub title: String = "title",
        /// The text.
        pub message: String = "message",
        /// The URL that it links to.
        pub action_url: Option<String> = "action_url",
        /// Whether the user has read it.
        pub read: bool = "read",
        /// When it was sent.
        pub created_at: Micros = "created_at",
    }
}

/// Stores a notification.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewNotification<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.user_id,
        new.agent_id,
        new.source,
        new.app_origin,
        new.level,
        new.title,
        new.message,
        new.action_url,
        new.created_at
    ])?;
    Ok(())
}

/// The part of the order to list, and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationSpan {
    /// Those before this place (`seq`), newest first.
    Before(i64),
    /// Those after this place (`seq`), oldest first.
    After(i64),
}

/// Lists at most `limit` notifications of a holder.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    holder: &Inbox,
    span: NotificationSpan,
    unread_only: bool,
    limit: u64,
    take: Take<'_, Notification>,
) -> Result<()> {
    let (compare, seq, order) = match span {
        NotificationSpan::Before(seq) => ("<", seq, "DESC"),
        NotificationSpan::After(seq) => (">", seq, "ASC"),
    };
    let unread = if unread_only { "AND read = 0" } else { "" };
    let sql = format!(
        "{} WHERE {} = ?1 AND seq {compare} ?2 {unread} ORDER BY seq {order} LIMIT ?3",
        Notification::SELECT,
        holder.column()
    );
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![holder.id(), seq, limit], Notification::read, take)
}

/// Returns the place of the newest notification of all holders; 0 if there is none.
///
/// # Errors
/// Any `StoreError`.
pub fn last(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached(LAST)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Returns the place of the notification with this id. If it was deleted, returns the place of the one before it, which
/// has the next smaller id (ids grow with time); 0 if there is none.
///
/// # Errors
/// Any `StoreError`.
pub fn position(conn: &Connection, id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(POSITION)?.query_row([id], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Returns how many notifications a holder has: all, and unread.
///
/// # Errors
/// Any `StoreError`.
pub fn counts(conn: &Connection, holder: &Inbox) -> Result<(i64, i64)> {
    let found = conn.prepare_cached(COUNTS)?.query_row([holder.key()], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or((0, 0)))
}

/// Returns the notification with this id, if it is the holder's.
///
/// # Errors
/// Any `StoreError`.
pub fn get(conn: &Connection, holder: &Inbox, id: &str) -> Result<Option<Notification>> {
    let sql = format!("{} WHERE id = ?1 AND {} = ?2", Notification::SELECT, holder.column());
    Ok(conn.prepare_cached(&sql)?.query_row([id, holder.id()], Notification::read).optional()?)
}

/// Returns the notification with this id, whoever holds it: for deliveries.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Notification>> {
    Notification::one(conn, "WHERE id = ?1", [id])
}

/// Marks one notification as read.
///
/// # Errors
/// Any `StoreError`.
pub fn mark_read(conn: &Connection, seq: i64) -> Result<()> {
    conn.prepare_cached("UPDATE notifications SET read = 1 WHERE seq = ?1 AND read = 0")?.execute([seq])?;
    Ok(())
}

/// Marks a user's oldest unread notifications as read, at most `most` and up to the place `last`. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn mark_some_read(conn: &Connection, user_id: &str, last: i64, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(READ_SOME)?.execute(params![user_id, last, most])?)
}

/// Deletes one notification.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, seq: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM notifications WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Returns the places of up to `batch` notifications to delete, from the first of these groups that has any:
///
/// - those older than `before`,
/// - those of an agent that has sent more than [`NOTIFICATION_ROWS_OF_AGENT`],
/// - those in the inbox of a user that holds more than [`NOTIFICATION_ROWS`], all of the sender with the most in it.
///
/// So no sender displaces another one's, whoever owns them.
///
/// # Errors
/// Any `StoreError`.
pub fn surplus(conn: &Connection, before: Micros, batch: u64) -> Result<Vec<i64>> {
    let old = seqs(conn, OLD, params![before, batch])?;
    if !old.is_empty() {
        return Ok(old);
    }
    let crowded = |sql: &str, most: u64| -> Result<Option<(String, u64)>> {
        Ok(conn.prepare_cached(sql)?.query_row([most], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    };
    if let Some((agent, count)) = crowded(CROWDED_AGENT, NOTIFICATION_ROWS_OF_AGENT)? {
        return seqs(conn, &worst("agent_id = ?1"), params![agent, count.min(batch)]);
    }
    let Some((user, count)) = crowded(CROWDED_USER, NOTIFICATION_ROWS)? else { return Ok(Vec::new()) };
    let loudest = conn.prepare_cached(LOUDEST_IN)?.query_row([&user], |row| row.get(0)).optional()?;
    let Some(sender): Option<String> = loudest else { return Ok(Vec::new()) };
    // A sender in the form of an id is an agent: the others are `user:NAME` or `taosd`.
    let whose = if is_id(&sender) { "agent_id = ?1 AND user_id = ?3" } else { OF_NO_AGENT };
    seqs(conn, &worst(whose), params![sender, count.min(batch), user])
}

fn worst(whose: &str) -> String {
    format!("SELECT seq FROM notifications WHERE {whose} ORDER BY {WORTH} LIMIT ?2")
}

fn seqs(conn: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes the notifications at these places. Returns how many there were.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_all(conn: &Connection, seqs: &[i64]) -> Result<usize> {
    let mut statement = conn.prepare_cached("DELETE FROM notifications WHERE seq = ?1")?;
    let mut removed = 0;
    for seq in seqs {
        removed += statement.execute([seq])?;
    }
    Ok(removed)
}
