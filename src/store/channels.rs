//! Channels, which deliver notifications to people, and the notifications that still wait for delivery.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::notifications::Level;
use super::row::record;
use crate::closed_set::closed_set;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO channels (id, user_id, configured, kind, url, secret, events, min_level, created_at,
    updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)";
const UPDATE: &str = "UPDATE channels SET url = ?2, secret = ?3, events = ?4, min_level = ?5, updated_at = ?6,
    failures = 0, last_error = NULL WHERE id = ?1";
const OF_USER: &str = "WHERE user_id = ?1 ORDER BY created_at, id";
const OF_ADMINS: &str = "WHERE user_id IS NULL
    AND EXISTS (SELECT 1 FROM users u WHERE u.id = ?1 AND u.role = 'admin') ORDER BY created_at, id";
const WAITING: &str = "WHERE EXISTS (SELECT 1 FROM channel_outbox o WHERE o.channel_id = channels.id)
    AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = channels.user_id AND u.disabled = 1)";
const HEAD: &str = "SELECT notification_id FROM channel_outbox WHERE channel_id = ?1 ORDER BY notification_id LIMIT 1";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM channel_outbox WHERE channel_id = ?1 LIMIT 1000)";
const DONE: &str = "DELETE FROM channel_outbox WHERE channel_id = ?1 AND notification_id = ?2";
const SUCCEEDED: &str =
    "UPDATE channels SET failures = 0, last_error = NULL, last_attempt_at = ?2, last_success_at = ?2
    WHERE id = ?1";
const FAILED: &str = "UPDATE channels SET failures = failures + 1, last_error = ?3, last_attempt_at = ?2 WHERE id = ?1";
const ARE_OLDER: &str = "SELECT EXISTS (SELECT 1 FROM channel_outbox WHERE queued_at < ?1)";
const EXPIRE: &str = "DELETE FROM channel_outbox WHERE queued_at < ?1";

closed_set! {
    /// The protocol of a channel.
    pub enum ChannelKind {
        Webhook "webhook" "A signed POST of the notification.";
        Ntfy "ntfy" "A topic of ntfy.";
        Gotify "gotify" "An application of Gotify.";
        Telegram "telegram" "A chat with a Telegram bot.";
    }
}

closed_set! {
    /// The events by which channels choose notifications.
    pub enum ChannelEvent {
        Request "request" "An agent asks for something.";
        Notification "notification" "What agents and users tell.";
        Freeze "freeze" "Agents were frozen or thawed.";
        Tripwire "tripwire" "A decoy credential was used.";
        System "system" "What the daemon has to say of itself and of credentials.";
    }
}

record! {
    /// A channel of one user or of all admins.
    pub struct Channel from "channels" {
        /// The id.
        pub id: String = "id",
        /// The owner's id. `None` for a channel of all admins, which gets what they are notified of, once.
        pub user_id: Option<String> = "user_id",
        /// Whether it is set in `taosd.toml`.
        pub configured: bool = "configured",
        /// The protocol.
        pub kind: ChannelKind = "kind",
        /// The events that are sent, as a JSON array; all if empty.
        pub events: String = "events",
        /// The lowest level that is sent.
        pub min_level: Level = "min_level",
        /// When it was made.
        pub created_at: Micros = "created_at",
        /// When it was last changed.
        pub updated_at: Micros = "updated_at",
        /// The number of failed attempts since the last success.
        pub failures: i64 = "failures",
        /// When the last attempt was.
        pub last_attempt_at: Option<Micros> = "last_attempt_at",
        /// When the last success was.
        pub last_success_at: Option<Micros> = "last_success_at",
        /// Why the last attempt failed.
        pub last_error: Option<String> = "last_error",
        /// The address that it sends to.
        pub url: String = "url",
        /// Its secret, sealed.
        pub secret: Option<Vec<u8>> = "secret",
    }
}

/// Stores a new channel.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, one: &Channel) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        one.id,
        one.user_id,
        one.configured,
        one.kind,
        one.url,
        one.secret,
        one.events,
        one.min_level,
        one.created_at
    ])?;
    Ok(())
}

/// Stores the settings of a channel and resets its failures.
///
/// # Errors
/// Any `StoreError`.
pub fn update(conn: &Connection, one: &Channel, now: Micros) -> Result<()> {
    conn.prepare_cached(UPDATE)?.execute(params![one.id, one.url, one.secret, one.events, one.min_level, now])?;
    Ok(())
}

/// Deletes a channel and what waits for it.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM channels WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Returns the channel with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Channel>> {
    Channel::one(conn, "WHERE id = ?1", [id])
}

/// Returns the channels of a user and, if the user is an admin, those for all admins. There are few.
///
/// # Errors
/// Any `StoreError`.
pub fn of_user(conn: &Connection, user_id: &str) -> Result<Vec<Channel>> {
    let mut all = list(conn, OF_USER, &[&user_id])?;
    all.extend(list(conn, OF_ADMINS, &[&user_id])?);
    Ok(all)
}

/// Returns the channels that have waiting notifications, without those of disabled users.
///
/// # Errors
/// Any `StoreError`.
pub fn waiting(conn: &Connection) -> Result<Vec<Channel>> {
    list(conn, WAITING, &[])
}

fn list(conn: &Connection, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Channel>> {
    let mut statement = conn.prepare_cached(&format!("{} {which}", Channel::SELECT))?;
    let rows = statement.query_map(values, Channel::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces the channels of `taosd.toml` with `all`. A channel whose id stays keeps what waits for it.
///
/// # Errors
/// Any `StoreError`.
pub fn configure(conn: &Connection, all: &[Channel]) -> Result<()> {
    for old in list(conn, "WHERE configured = 1", &[])? {
        if !all.iter().any(|one| one.id == old.id) {
            delete(conn, &old.id)?;
        }
    }
    for one in all {
        match by_id(conn, &one.id)? {
            Some(_) => update(conn, one, one.created_at)?,
            None => insert(conn, one)?,
        }
    }
    Ok(())
}

/// Returns the id of the oldest notification that waits for a channel.
///
/// # Errors
/// Any `StoreError`.
pub fn head(conn: &Connection, channel_id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(HEAD)?.query_row([channel_id], |row| row.get(0)).optional()?)
}

/// Returns the number of notifications that wait for a channel, up to 1000.
///
/// # Errors
/// Any `StoreError`.
pub fn count(conn: &Connection, channel_id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([channel_id], |row| row.get(0))?)
}

/// Ends a delivery, which succeeded if there is no `error`.
///
/// # Errors
/// Any `StoreError`.
pub fn done(
    conn: &Connection,
    channel_id: &str,
    notification_id: &str,
    error: Option<&str>,
    now: Micros,
) -> Result<()> {
    conn.prepare_cached(DONE)?.execute([channel_id, notification_id])?;
    match error {
        None => conn.prepare_cached(SUCCEEDED)?.execute(params![channel_id, now])?,
        Some(error) => conn.prepare_cached(FAILED)?.execute(params![channel_id, now, error])?,
    };
    Ok(())
}

/// Records a failed attempt. The notifications stay waiting.
///
/// # Errors
/// Any `StoreError`.
pub fn failed(conn: &Connection, channel_id: &str, error: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(FAILED)?.execute(params![channel_id, now, error])?;
    Ok(())
}

/// True if a notification was queued before `before`.
///
/// # Errors
/// Any `StoreError`.
pub fn are_older(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(ARE_OLDER)?.query_row([before], |row| row.get(0))?)
}

/// Gives up the notifications that were queued before `before`. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn expire(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(EXPIRE)?.execute([before])?)
}
