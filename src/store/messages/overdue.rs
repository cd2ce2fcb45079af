//! Messages whose author waits for an overdue reply.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;
use crate::store::row::record;
use crate::time::Micros;

const NEXT: &str = "SELECT expects_reply_by FROM messages WHERE awaits_reply = 1 ORDER BY expects_reply_by LIMIT 1";
const OWNER: &str = "SELECT owner_user_id FROM agents WHERE id = ?1";

record! {
    /// A message that got no reply in time.
    pub struct Overdue from "messages m" {
        /// Its place in the order of all messages.
        pub place: i64 = "m.place",
        /// The id.
        pub id: String = "m.id",
        /// The space.
        pub space_id: String = "m.space_id",
        /// Its place in the space.
        pub seq: i64 = "m.seq",
        /// The author, who waits, `user:ID` or `agent:ID`.
        pub author: String = "m.author",
        /// The name of the author.
        pub author_name: String = "m.author_name",
        /// The first 200 characters of the text.
        pub beginning: String = "substr(m.content, 1, 200)",
        /// The time until which a reply was expected.
        pub expects_reply_by: Option<Micros> = "m.expects_reply_by",
    }
}

/// Returns when the next reply is due.
///
/// # Errors
/// Any `StoreError`.
pub fn next(conn: &Connection) -> Result<Option<Micros>> {
    Ok(conn.prepare_cached(NEXT)?.query_row([], |row| row.get(0)).optional()?)
}

/// Lists up to `limit` messages that are overdue now.
///
/// # Errors
/// Any `StoreError`.
pub fn due(conn: &Connection, now: Micros, limit: u64) -> Result<Vec<Overdue>> {
    Overdue::all(
        conn,
        "WHERE m.awaits_reply = 1 AND m.expects_reply_by <= ?1 ORDER BY m.expects_reply_by LIMIT ?2",
        params![now, limit],
    )
}

impl Overdue {
    /// Returns the id of the user to notify: the author, or the owner of the agent that is the author.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn user_id(&self, conn: &Connection) -> Result<Option<String>> {
        match self.author.split_once(':') {
            Some(("agent", id)) => Ok(conn.prepare_cached(OWNER)?.query_row([id], |row| row.get(0)).optional()?),
            Some((_, id)) => Ok(crate::store::users::by_id(conn, id)?.map(|user| user.id)),
            None => Ok(None),
        }
    }
}
