//! Channels: where people are told, and which notifications are still on their way there.

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
const WAITING: &str = "WHERE EXISTS (SELECT 1 FROM channel_outbox o WHERE o.channel_id = channels.id)";
const HEAD: &str = "SELECT notification_id FROM channel_outbox WHERE channel_id = ?1 ORDER BY notification_id LIMIT 1";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM channel_outbox WHERE channel_id = ?1 LIMIT 1000)";
const DONE: &str = "DELETE FROM channel_outbox WHERE channel_id = ?1 AND notification_id = ?2";
const SUCCEEDED: &str =
    "UPDATE channels SET failures = 0, last_error = NULL, last_attempt_at = ?2, last_success_at = ?2
    WHERE id = ?1";
const FAILED: &str = "UPDATE channels SET failures = failures + 1, last_error = ?3, last_attempt_at = ?2 WHERE id = ?1";
const EXPIRE: &str = "DELETE FROM channel_outbox WHERE queued_at < ?1";

closed_set! {
    /// What a channel speaks.
    pub enum ChannelKind {
        Webhook "webhook" "A signed POST of the notification.";
        Ntfy "ntfy" "A topic of ntfy.";
        Gotify "gotify" "An application of Gotify.";
        Telegram "telegram" "A chat with a Telegram bot.";
    }
}

closed_set! {
    /// What a notification is about, as channels choose.
    pub enum ChannelEvent {
        Request "request" "An agent asks for something.";
        Notification "notification" "What agents and users tell.";
        Freeze "freeze" "Agents were frozen or thawed.";
        Tripwire "tripwire" "A decoy credential was used.";
        System "system" "What the daemon has to say of itself and of credentials.";
    }
}

record! {
    /// A channel.
    pub struct Channel from "channels" {
        /// The id.
        pub id: String = "id",
        /// Whose; `None`: what the admins are notified of goes there, once.
        pub user_id: Option<String> = "user_id",
        /// Whether it stands in taosd.toml.
        pub configured: bool = "configured",
        /// What it speaks.
        pub kind: ChannelKind = "kind",
        /// What it is told of, as a JSON array; empty for everything.
        pub events: String = "events",
        /// The least urgent that it is told of.
        pub min_level: Level = "min_level",
        /// When it was made.
        pub created_at: Micros = "created_at",
        /// When it was last changed.
        pub updated_at: Micros = "updated_at",
        /// Attempts that failed since the last that did not.
        pub failures: i64 = "failures",
        /// When it was last tried.
        pub last_attempt_at: Option<Micros> = "last_attempt_at",
        /// When it last took something.
        pub last_success_at: Option<Micros> = "last_success_at",
        /// Why the last attempt failed.
        pub last_error: Option<String> = "last_error",
        /// Where it is.
        pub url: String = "url",
        /// Its secret, sealed.
        pub secret: Option<Vec<u8>> = "secret",
    }
}

/// Stores a new channel.
///
/// # Errors
/// The store's.
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

/// Stores what a channel is now.
///
/// # Errors
/// The store's.
pub fn update(conn: &Connection, one: &Channel, now: Micros) -> Result<()> {
    conn.prepare_cached(UPDATE)?.execute(params![one.id, one.url, one.secret, one.events, one.min_level, now])?;
    Ok(())
}

/// Removes a channel, and what waits for it.
///
/// # Errors
/// The store's.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM channels WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// The channel of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Channel>> {
    Channel::one(conn, "WHERE id = ?1", [id])
}

/// The channels of a user, and of an admin those for all admins; there are few.
///
/// # Errors
/// The store's.
pub fn of_user(conn: &Connection, user_id: &str) -> Result<Vec<Channel>> {
    let mut all = list(conn, OF_USER, &[&user_id])?;
    all.extend(list(conn, OF_ADMINS, &[&user_id])?);
    Ok(all)
}

/// The channels that something waits for.
///
/// # Errors
/// The store's.
pub fn waiting(conn: &Connection) -> Result<Vec<Channel>> {
    list(conn, WAITING, &[])
}

fn list(conn: &Connection, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Channel>> {
    let mut statement = conn.prepare_cached(&format!("{} {which}", Channel::SELECT))?;
    let rows = statement.query_map(values, Channel::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes the channels of taosd.toml these.
///
/// # Errors
/// The store's.
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

/// The oldest notification that waits for a channel.
///
/// # Errors
/// The store's.
pub fn head(conn: &Connection, channel_id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(HEAD)?.query_row([channel_id], |row| row.get(0)).optional()?)
}

/// How many wait for a channel, up to a thousand.
///
/// # Errors
/// The store's.
pub fn count(conn: &Connection, channel_id: &str) -> Result<i64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([channel_id], |row| row.get(0))?)
}

/// Ends a delivery; without an error it was taken.
///
/// # Errors
/// The store's.
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

/// Notes a failed attempt; what waits for the channel waits on.
///
/// # Errors
/// The store's.
pub fn failed(conn: &Connection, channel_id: &str, error: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(FAILED)?.execute(params![channel_id, now, error])?;
    Ok(())
}

/// Gives up what came in before a time. How many.
///
/// # Errors
/// The store's.
pub fn expire(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(EXPIRE)?.execute([before])?)
}
