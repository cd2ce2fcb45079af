//! The steps of a request. Each step is one statement that changes nothing unless the request is in the state that the
//! step begins with. So two deciders never both win.

use rusqlite::{Connection, params};

use super::{Request, RequestKind, RequestState};
use crate::limits::REQUESTS_KEPT;
use crate::store::Result;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO requests (id, kind, state, agent_id, created_at, expires_at, duration_seconds,
        target_agent_id, target_space_id, message_id, same, reason, asked)
    VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
/// An agent's oldest requests beyond the limit that are neither pending nor in force; the newest are kept.
const FORGET: &str = "DELETE FROM requests WHERE id IN (SELECT id FROM requests
    WHERE agent_id = ?1 AND state <> 'pending' AND (state <> 'approved' OR kind = 'confirm') AND untold = 0
    ORDER BY created_at DESC, id DESC LIMIT 8 OFFSET ?2)";
const DECIDE: &str = "UPDATE requests SET state = ?2, decided_at = ?3, decider_id = ?4, decided_by = ?5, note = ?6,
        granted = ?7, until = ?8, answer = ?9, target_agent_id = coalesce(?10, target_agent_id),
        target_space_id = coalesce(?11, target_space_id)
    WHERE id = ?1 AND state = 'pending' AND expires_at > ?3";
const WITHDRAW: &str =
    "UPDATE requests SET state = 'withdrawn' WHERE id = ?1 AND state = 'pending' AND expires_at > ?2";
const REVOKE: &str = "UPDATE requests SET state = 'revoked'
    WHERE id = ?1 AND state = 'approved' AND kind <> 'confirm' AND (until IS NULL OR until > ?2)";
const END: &str = "UPDATE requests SET state = 'ended', untold = 1
    WHERE id = ?1 AND state = 'approved' AND until IS NOT NULL";
const EXPIRE: &str = "UPDATE requests SET state = 'expired', untold = 1 WHERE id = ?1 AND state = 'pending'";
const UNTOLD: &str = "SELECT r.id, r.agent_id, r.state FROM requests r WHERE r.untold = 1 LIMIT ?1";
const TOLD: &str = "UPDATE requests SET untold = 0 WHERE id = ?1 AND untold = 1";

/// A request to be stored.
#[derive(Debug)]
pub struct NewRequest<'a> {
    /// The id.
    pub id: &'a str,
    /// The kind of request.
    pub kind: RequestKind,
    /// The id of the agent that asks.
    pub agent_id: &'a str,
    /// When the agent asked.
    pub created_at: Micros,
    /// The time until which it can be decided.
    pub expires_at: Micros,
    /// The requested duration in seconds; `None`: until it is revoked.
    pub duration_seconds: Option<i64>,
    /// The id of the agent that a grant is about, if any.
    pub target_agent_id: Option<&'a str>,
    /// The id of the space that a grant is about, if any.
    pub target_space_id: Option<&'a str>,
    /// The id of the message that asks the question.
    pub message_id: Option<&'a str>,
    /// The hash of what is asked, to recognise the same request.
    pub same: &'a [u8; 32],
    /// The reason.
    pub reason: &'a str,
    /// The content of the request, a JSON object.
    pub asked: &'a str,
}

/// Stores a request, and deletes the agent's oldest closed ones beyond the limit.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewRequest<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.kind,
        new.agent_id,
        new.created_at,
        new.expires_at,
        new.duration_seconds,
        new.target_agent_id,
        new.target_space_id,
        new.message_id,
        new.same.as_slice(),
        new.reason,
        new.asked
    ])?;
    conn.prepare_cached(FORGET)?.execute(params![new.agent_id, REQUESTS_KEPT])?;
    Ok(())
}

/// A decision on a request.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The new state: `approved` or `denied`.
    pub state: RequestState,
    /// The decider: the user's id, if it was a user, and the name.
    pub decider: (Option<&'a str>, &'a str),
    /// The decider's note.
    pub note: Option<&'a str>,
    /// What was granted, a JSON object.
    pub granted: Option<String>,
    /// The end of what was granted, if it has one.
    pub until: Option<Micros>,
    /// The answer, a JSON object.
    pub answer: Option<String>,
    /// The id of the agent that a grant turned out to be about.
    pub target_agent_id: Option<&'a str>,
    /// The id of the space that a grant turned out to be about.
    pub target_space_id: Option<&'a str>,
}

/// Stores a decision. Returns false if the request is not pending any more.
///
/// # Errors
/// Any `StoreError`.
pub fn decide(conn: &Connection, id: &str, decision: &Decision<'_>, now: Micros) -> Result<bool> {
    let changed = conn.prepare_cached(DECIDE)?.execute(params![
        id,
        decision.state,
        now,
        decision.decider.0,
        decision.decider.1,
        decision.note,
        decision.granted,
        decision.until,
        decision.answer,
        decision.target_agent_id,
        decision.target_space_id
    ])?;
    Ok(changed > 0)
}

/// Answers a question, by its owner's reply or without a user. Returns false if it is not open any more.
///
/// # Errors
/// Any `StoreError`.
pub fn answer(
    conn: &Connection,
    request: &Request,
    answer: String,
    by: (Option<&str>, &str),
    now: Micros,
) -> Result<bool> {
    let decision = Decision {
        state: RequestState::Approved,
        decider: by,
        note: None,
        granted: None,
        until: None,
        answer: Some(answer),
        target_agent_id: None,
        target_space_id: None,
    };
    decide(conn, &request.id, &decision, now)
}

/// Withdraws a request. Returns false if it is not pending any more.
///
/// # Errors
/// Any `StoreError`.
pub fn withdraw(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(WITHDRAW)?.execute(params![id, now])? > 0)
}

/// Revokes what was granted. Returns false if it does not count any more.
///
/// # Errors
/// Any `StoreError`.
pub fn revoke(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE)?.execute(params![id, now])? > 0)
}

/// Records that the time of an approved request is over, so that no clock revives it; false if it was not in force.
///
/// # Errors
/// Any `StoreError`.
pub fn end(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(END)?.execute([id])? > 0)
}

/// Records that nobody has decided in time. Returns false if the request is not pending any more.
///
/// # Errors
/// Any `StoreError`.
pub fn expire(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(EXPIRE)?.execute([id])? > 0)
}

/// An end that is not recorded and reported yet.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The id of the request.
    pub id: String,
    /// The id of the agent that asked.
    pub agent_id: String,
    /// How it ended.
    pub state: RequestState,
}

/// Lists at most `most` ends that are not recorded and reported yet.
///
/// # Errors
/// Any `StoreError`.
pub fn untold(conn: &Connection, most: u64) -> Result<Vec<Untold>> {
    let mut statement = conn.prepare_cached(UNTOLD)?;
    let rows =
        statement.query_map([most], |row| Ok(Untold { id: row.get(0)?, agent_id: row.get(1)?, state: row.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that an end was recorded. Returns false if that was noted before.
///
/// # Errors
/// Any `StoreError`.
pub fn told(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(TOLD)?.execute([id])? > 0)
}
