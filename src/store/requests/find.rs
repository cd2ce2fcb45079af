//! Finding requests: one, an agent's, and those that a user may decide or has decided.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Request, RequestKind, RequestState};
use crate::store::Result;
use crate::store::page::{Page, Take, each};
use crate::time::Micros;

/// The requests that a user may decide or has decided: as the owner of the agent or of what a grant is about, or as the
/// decider. `?1` is the user, `?2` the time.
const IS_HIS: &str = "(a.owner_user_id = ?1 OR r.decider_id = ?1
    OR EXISTS (SELECT 1 FROM spaces s WHERE s.id = r.target_space_id AND s.owner_user_id = ?1)
    OR EXISTS (SELECT 1 FROM grants g WHERE g.principal_user_id = ?1 AND g.role = 'owner'
        AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = coalesce(r.target_agent_id, 'space:' || r.target_space_id)
        AND (g.expires_at IS NULL OR g.expires_at > ?2)))";
const COUNT_PENDING: &str = "SELECT count(*) FROM requests
    WHERE agent_id = ?1 AND state = 'pending' AND expires_at > ?2 AND (kind = 'confirm') = ?3";
const COUNT_SINCE: &str = "SELECT count(*), min(created_at) FROM (SELECT created_at FROM requests
    WHERE agent_id = ?1 AND created_at > ?2 ORDER BY created_at DESC LIMIT ?3)";
const DECIDERS: &str = "SELECT u.id, u.username FROM users u WHERE u.id = ?1 AND u.disabled = 0
    UNION ALL SELECT u.id, u.username FROM users u JOIN spaces s ON s.owner_user_id = u.id WHERE s.id = ?3 AND u.disabled = 0
    UNION ALL SELECT u.id, u.username FROM grants g JOIN users u ON u.id = g.principal_user_id
        WHERE g.agent_id = ?2 AND g.role = 'owner' AND u.disabled = 0 AND (g.expires_at IS NULL OR g.expires_at > ?4)
    UNION ALL SELECT u.id, u.username FROM grants g JOIN users u ON u.id = g.principal_user_id
        WHERE g.space_id = ?3 AND g.role = 'owner' AND u.disabled = 0 AND (g.expires_at IS NULL OR g.expires_at > ?4)
    UNION ALL SELECT u.id, u.username FROM users u WHERE u.role = 'admin' AND u.disabled = 0
    LIMIT ?5";

/// The principal that looks at requests.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// An agent sees its own.
    Agent(String),
    /// A user sees those that he may decide or has decided.
    User(String),
    /// An admin sees all.
    Admin,
}

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only requests in this state now.
    pub state: Option<RequestState>,
    /// Only requests of this kind.
    pub kind: Option<RequestKind>,
    /// Only requests of the agent with this slug.
    pub agent: Option<String>,
}

/// Returns the request with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Request>> {
    Request::one(conn, "WHERE r.id = ?1", [id])
}

/// Returns the request with this id, if the viewer may see it.
///
/// # Errors
/// Any `StoreError`.
pub fn visible(conn: &Connection, viewer: &Viewer, id: &str, now: Micros) -> Result<Option<Request>> {
    match viewer {
        Viewer::Admin => by_id(conn, id),
        Viewer::Agent(agent) => Ok(by_id(conn, id)?.filter(|request| request.agent_id == *agent)),
        Viewer::User(user) => Request::one(conn, &format!("WHERE r.id = ?3 AND {IS_HIS}"), params![user, now, id]),
    }
}

/// Returns the request whose question is in this message.
///
/// # Errors
/// Any `StoreError`.
pub fn of_message(conn: &Connection, message_id: &str) -> Result<Option<Request>> {
    Request::one(conn, "WHERE r.message_id = ?1", [message_id])
}

/// Returns the pending request of an agent for the same thing.
///
/// # Errors
/// Any `StoreError`.
pub fn pending_like(conn: &Connection, agent_id: &str, same: &[u8; 32], now: Micros) -> Result<Option<Request>> {
    let sql = format!(
        "{} WHERE r.agent_id = ?1 AND r.same = ?2 AND r.state = 'pending' AND r.expires_at > ?3
            ORDER BY r.created_at DESC LIMIT 1",
        Request::SELECT
    );
    let values = params![agent_id, same.as_slice(), now];
    Ok(conn.prepare_cached(&sql)?.query_row(values, Request::read).optional()?)
}

/// Returns the last request of an agent for the same thing, if it was denied after `since`.
///
/// # Errors
/// Any `StoreError`.
pub fn denied_since(conn: &Connection, agent_id: &str, same: &[u8; 32], since: Micros) -> Result<Option<Request>> {
    let sql = format!("{} WHERE r.agent_id = ?1 AND r.same = ?2 ORDER BY r.created_at DESC LIMIT 1", Request::SELECT);
    let found = conn.prepare_cached(&sql)?.query_row(params![agent_id, same.as_slice()], Request::read).optional()?;
    let is_denied =
        |last: &Request| last.state == RequestState::Denied && last.decided_at.is_some_and(|decided| decided > since);
    Ok(found.filter(is_denied))
}

/// Counts the pending requests of an agent: its questions, or all others.
///
/// # Errors
/// Any `StoreError`.
pub fn count_pending(conn: &Connection, agent_id: &str, questions: bool, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_PENDING)?.query_row(params![agent_id, now, questions], |row| row.get(0))?)
}

/// Counts the requests of an agent since a time, up to `most`, and returns when the oldest of them was made.
///
/// # Errors
/// Any `StoreError`.
pub fn count_since(conn: &Connection, agent_id: &str, since: Micros, most: u64) -> Result<(u64, Option<Micros>)> {
    let values = params![agent_id, since, most];
    Ok(conn.prepare_cached(COUNT_SINCE)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Lists who may decide a request, by id and name: the agent's owner, the owners of what it is about, and the admins.
///
/// # Errors
/// Any `StoreError`.
pub fn deciders(
    conn: &Connection,
    owner_id: &str,
    on: (Option<&str>, Option<&str>),
    now: Micros,
    most: u64,
) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare_cached(DECIDERS)?;
    let rows = statement.query_map(params![owner_id, on.0, on.1, now, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lists the requests that a viewer sees, newest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    viewer: &Viewer,
    filter: &Filter,
    page: &Page,
    now: Micros,
    take: Take<'_, Request>,
) -> Result<()> {
    let (whose, id) = match viewer {
        Viewer::Admin => ("?1 = ''", ""),
        Viewer::Agent(id) => ("r.agent_id = ?1", id.as_str()),
        Viewer::User(id) => (IS_HIS, id.as_str()),
    };
    // The state at this time: the end of a request need not be recorded yet.
    let sql = format!(
        "{} WHERE (r.created_at, r.id) < (?3, ?4) AND {whose}
            AND (?6 IS NULL OR r.kind = ?6)
            AND (?7 IS NULL OR a.slug = ?7)
            AND (?8 IS NULL OR ?8 = CASE
                WHEN r.state = 'pending' AND r.expires_at <= ?2 THEN 'expired'
                WHEN r.state = 'approved' AND r.until <= ?2 THEN 'ended'
                ELSE r.state END)
            ORDER BY r.created_at DESC, r.id DESC LIMIT ?5",
        Request::SELECT
    );
    let (at, after) = page.newest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    let values = params![id, now, at, after, page.fetch(), filter.kind, filter.agent, filter.state];
    each(&mut statement, values, Request::read, take)
}
