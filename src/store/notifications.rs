//! Notifications: what agents and users have told people. Their order is that of their commits, `seq`; how many there
//! are is kept by triggers, so that no question costs more as they grow.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::page::{Take, each};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO notifications
    (id, user_id, agent_id, source, app_origin, level, title, message, action_url, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const COLUMNS: &str = "seq, id, agent_id, source, app_origin, level, title, message, action_url, read, created_at";
const COUNTS: &str = "SELECT total, unread FROM notification_counts WHERE holder = ?1";
const POSITION: &str = "SELECT seq FROM notifications WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
const LAST: &str = "SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1";
const READ_SOME: &str = "UPDATE notifications SET read = 1 WHERE seq IN
    (SELECT seq FROM notifications WHERE user_id = ?1 AND read = 0 AND seq <= ?2 ORDER BY seq LIMIT ?3)";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM notifications WHERE created_at < ?1)
    OR EXISTS (SELECT 1 FROM notification_counts WHERE total > ?2 AND holder GLOB 'user:*')";
const DELETE_OLD: &str = "DELETE FROM notifications WHERE seq IN
    (SELECT seq FROM notifications WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";
const CROWDED: &str = "SELECT substr(holder, 6), total FROM notification_counts
    WHERE total > ?1 AND holder GLOB 'user:*' LIMIT 1";
const DELETE_OLDEST: &str = "DELETE FROM notifications WHERE seq IN
    (SELECT seq FROM notifications WHERE user_id = ?1 ORDER BY seq LIMIT ?2)";

/// Whose notifications are looked at. Nobody sees any but these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Those a user was sent.
    User(String),
    /// Those an agent sent.
    Agent(String),
}

impl Holder {
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
    /// Whom it is for.
    pub user_id: &'a str,
    /// The agent that sends it.
    pub agent_id: Option<&'a str>,
    /// Who sends it: `agent:SLUG` or `user:NAME`, from the credential alone.
    pub source: &'a str,
    /// The app that the sender names.
    pub app_origin: Option<&'a str>,
    /// low, normal or high.
    pub level: &'a str,
    /// One line.
    pub title: &'a str,
    /// The text.
    pub message: &'a str,
    /// Where it leads.
    pub action_url: Option<&'a str>,
    /// When.
    pub created_at: Micros,
}

/// A notification as stored.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its place in the order of all.
    pub seq: i64,
    /// The id.
    pub id: String,
    /// The agent that sent it.
    pub agent_id: Option<String>,
    /// Who sent it.
    pub source: String,
    /// The app that the sender named.
    pub app_origin: Option<String>,
    /// low, normal or high.
    pub level: String,
    /// One line.
    pub title: String,
    /// The text.
    pub message: String,
    /// Where it leads.
    pub action_url: Option<String>,
    /// Whether its user has read it.
    pub read: bool,
    /// When it was sent.
    pub created_at: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Notification> {
    Ok(Notification {
        seq: row.get(0)?,
        id: row.get(1)?,
        agent_id: row.get(2)?,
        source: row.get(3)?,
        app_origin: row.get(4)?,
        level: row.get(5)?,
        title: row.get(6)?,
        message: row.get(7)?,
        action_url: row.get(8)?,
        read: row.get(9)?,
        created_at: row.get(10)?,
    })
}

/// Stores a notification.
///
/// # Errors
/// The store's.
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

/// Which part of the order to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Newest first, those before this place.
    Before(i64),
    /// Oldest first, those after this place.
    After(i64),
}

/// At most `limit` notifications of a holder.
///
/// # Errors
/// The store's.
pub fn list(
    conn: &Connection,
    holder: &Holder,
    span: Span,
    unread_only: bool,
    limit: u64,
    take: Take<'_, Notification>,
) -> Result<()> {
    let (compare, seq, order) = match span {
        Span::Before(seq) => ("<", seq, "DESC"),
        Span::After(seq) => (">", seq, "ASC"),
    };
    let unread = if unread_only { "AND read = 0" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM notifications WHERE {} = ?1 AND seq {compare} ?2 {unread} ORDER BY seq {order} LIMIT ?3",
        holder.column()
    );
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![holder.id(), seq, limit], read, take)
}

/// The place of the newest notification of all; 0 if there is none.
///
/// # Errors
/// The store's.
pub fn last(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached(LAST)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The place of the notification of this id. One that is gone had its place after those with a smaller id: ids grow
/// with time.
///
/// # Errors
/// The store's.
pub fn position(conn: &Connection, id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(POSITION)?.query_row([id], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// All and unread notifications of a holder.
///
/// # Errors
/// The store's.
pub fn counts(conn: &Connection, holder: &Holder) -> Result<(i64, i64)> {
    let found = conn.prepare_cached(COUNTS)?.query_row([holder.key()], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or((0, 0)))
}

/// The notification of this id, if it is the holder's.
///
/// # Errors
/// The store's.
pub fn get(conn: &Connection, holder: &Holder, id: &str) -> Result<Option<Notification>> {
    let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?1 AND {} = ?2", holder.column());
    Ok(conn.prepare_cached(&sql)?.query_row([id, holder.id()], read).optional()?)
}

/// The notification of this id, whosever it is: for deliveries.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Notification>> {
    let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([id], read).optional()?)
}

/// Marks one as read.
///
/// # Errors
/// The store's.
pub fn mark_read(conn: &Connection, seq: i64) -> Result<()> {
    conn.prepare_cached("UPDATE notifications SET read = 1 WHERE seq = ?1 AND read = 0")?.execute([seq])?;
    Ok(())
}

/// Marks the oldest of a user's as read that are not, up to the place `last` and `most` of them. How many.
///
/// # Errors
/// The store's.
pub fn mark_some_read(conn: &Connection, user_id: &str, last: i64, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(READ_SOME)?.execute(params![user_id, last, most])?)
}

/// Removes one.
///
/// # Errors
/// The store's.
pub fn delete(conn: &Connection, seq: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM notifications WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// True if [`sweep`] would find something.
///
/// # Errors
/// The store's.
pub fn is_due(conn: &Connection, before: Micros, most: u64) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row(params![before, most], |row| row.get(0))?)
}

/// Removes up to `batch` notifications that are older than `before` or more than `most` of one user. How many.
///
/// # Errors
/// The store's.
pub fn sweep(conn: &Connection, before: Micros, most: u64, batch: u64) -> Result<usize> {
    let old = conn.prepare_cached(DELETE_OLD)?.execute(params![before, batch])?;
    let crowded: Option<(String, u64)> =
        conn.prepare_cached(CROWDED)?.query_row([most], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((user, total)) = crowded else { return Ok(old) };
    let surplus = total.saturating_sub(most).min(batch);
    Ok(old + conn.prepare_cached(DELETE_OLDEST)?.execute(params![user, surplus])?)
}
