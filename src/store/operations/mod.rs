//! Operations: slow work, durable from the moment it is promised to its defined end (taOS contract, section 6).

mod list;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value, json};

use super::credentials::Maker;
use super::row::record;
use super::{Result, meta};
use crate::closed_set::closed_set;
use crate::limits::{OPERATIONS_KEPT, PURGE_BATCH};
use crate::time::Micros;

pub use list::{OperationFilter, list};

const INSERT: &str = "INSERT INTO operations (id, kind, status, agent_id, agent_name, parent_id, payload, actor,
    request_id, created_at, started_at, actor_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
// The finished operations of one principal beyond the limit, a batch at a time.
const FORGET_OLDEST: &str = "DELETE FROM operations WHERE id IN (SELECT id FROM operations
    WHERE actor_id = ?1 AND finished_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 200 OFFSET ?2)";
const OPEN_OF_AGENT: &str = "SELECT id FROM operations WHERE agent_id = ?1 AND status IN ('queued', 'running')";
const LAST_OF_AGENT: &str =
    "SELECT id, finished_at FROM operations WHERE agent_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1";
const HAS_WORKED_SINCE: &str = "SELECT EXISTS (SELECT 1 FROM operations
    WHERE agent_id = ?1 AND created_at > ?2 AND status = 'succeeded')";
const RESTORE_SLUGS: &str = "SELECT DISTINCT json_extract(payload, '$.slug') FROM (SELECT payload FROM operations
    WHERE agent_id = ?1 AND kind = 'restore' ORDER BY created_at DESC, id DESC LIMIT 32)";
const BEGIN: &str = "UPDATE operations SET status = 'running', started_at = ?2 WHERE id = ?1 AND status = 'queued'";
const STEP: &str = "UPDATE operations SET step = ?2, progress = ?3 WHERE id = ?1 AND status = 'running'";
const CANCEL: &str = "UPDATE operations SET cancelling = 1 WHERE id = ?1 AND status IN ('queued', 'running')";
const FINISH: &str = "UPDATE operations SET status = ?2, result = ?3, error = ?4, finished_at = ?5,
    progress = CASE ?2 WHEN 'succeeded' THEN 100 ELSE progress END WHERE id = ?1 AND status IN ('queued', 'running')";
const OPEN_CHILDREN: &str = "SELECT count(*) FROM operations WHERE parent_id = ?1 AND status IN ('queued', 'running')";
const SWEEP: &str = "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE finished_at < ?1 LIMIT ?2)";
const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM operations WHERE finished_at < ?1)";

const ADD_RESULTS: &str = "UPDATE operations SET payload = json_patch(payload, ?2) WHERE id = ?1";
const FORGET: &str = "UPDATE operations SET payload = json_remove(payload, '$.env')
    WHERE kind = 'deploy' AND json_extract(payload, '$.env') IS NOT NULL";
/// The key in `meta` that says that [`forget_environments`] has run.
const FORGOTTEN: &str = "deploy_environments_forgotten";

record! {
    /// An operation.
    pub struct Operation from "operations" {
        /// The id.
        pub id: String = "id",
        /// The kind of work.
        pub kind: OperationKind = "kind",
        /// The status.
        pub status: OperationStatus = "status",
        /// The id of the agent it is about.
        pub agent_id: Option<String> = "agent_id",
        /// The slug of that agent when the operation was asked for.
        pub agent_name: Option<String> = "agent_name",
        /// The id of the bulk operation it is part of.
        pub parent_id: Option<String> = "parent_id",
        /// The current step.
        pub step: String = "step",
        /// The progress in percent.
        pub progress: i64 = "progress",
        /// Whether someone asked the operation to stop.
        pub cancelling: bool = "cancelling",
        /// The data that the work needs, as JSON. Never a secret.
        pub payload: String = "payload",
        /// The result that the route returns, as JSON.
        pub result: Option<String> = "result",
        /// The error's envelope, as JSON.
        pub error: Option<String> = "error",
        /// The name of the one who asked for it, as in the audit.
        pub actor: String = "actor",
        /// The id of the one who asked for it, and so owns it.
        pub actor_id: Option<String> = "actor_id",
        /// The id of the request that asked for it.
        pub request_id: String = "request_id",
        /// When it was asked for.
        pub created_at: Micros = "created_at",
        /// When it began.
        pub started_at: Option<Micros> = "started_at",
        /// When it ended.
        pub finished_at: Option<Micros> = "finished_at",
    }
}

closed_set! {
    /// What an operation does.
    pub enum OperationKind {
        Start "start" "Starts an agent's container.";
        Stop "stop" "Stops an agent's container.";
        Restart "restart" "Stops an agent's container and starts it again.";
        Pause "pause" "Freezes an agent's container.";
        Resume "resume" "Thaws an agent's container.";
        Bulk "bulk" "One of the above for many agents, each a part of its own.";
        Deploy "deploy" "Makes an agent's container.";
        Archive "archive" "Stops an archived agent's container and puts it away.";
        Restore "restore" "Brings an archived agent back.";
        Purge "purge" "Removes an archived agent and its container.";
        Migrate "migrate" "Delivers the tokens that are missing at a start.";
        Backup "backup" "Backs the database up.";
        Wake "wake" "Starts or thaws the container of an agent that sleeps, because there is news for it.";
        Sleep "sleep" "Stops or freezes the container of an agent that nobody needed for some time.";
        Freeze "freeze" "Freezes the containers of frozen agents.";
        Thaw "thaw" "Unfreezes the containers of thawed agents.";
    }
}

closed_set! {
    /// The status of an operation.
    pub enum OperationStatus {
        Queued "queued" "It waits.";
        Running "running" "It is being carried out.";
        Succeeded "succeeded" "It is done.";
        Failed "failed" "It ended with an error.";
        Cancelled "cancelled" "It was stopped before its end.";
    }
}

impl Operation {
    /// Returns a new operation, queued.
    pub fn new(id: String, kind: OperationKind, asker: Maker, request_id: &str, now: Micros) -> Self {
        Self {
            id,
            kind,
            status: OperationStatus::Queued,
            agent_id: None,
            agent_name: None,
            parent_id: None,
            step: String::new(),
            progress: 0,
            cancelling: false,
            payload: "{}".into(),
            result: None,
            error: None,
            actor: asker.actor,
            actor_id: asker.id,
            request_id: request_id.to_owned(),
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }

    /// Returns the one who asked for it.
    pub fn asker(&self) -> Maker {
        Maker { actor: self.actor.clone(), id: self.actor_id.clone(), credential: None }
    }

    /// True once it has ended.
    pub fn is_finished(&self) -> bool {
        self.finished_at.is_some()
    }
}

/// Stores an operation, and deletes the oldest finished ones of its principal beyond the limit.
///
/// # Errors
/// `StoreError::Exists` if the agent has an open one.
pub fn insert(conn: &Connection, op: &Operation) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        op.id,
        op.kind,
        op.status,
        op.agent_id,
        op.agent_name,
        op.parent_id,
        op.payload,
        op.actor,
        op.request_id,
        op.created_at,
        op.started_at,
        op.actor_id
    ])?;
    // The parts of a bulk operation are deleted with it.
    if op.parent_id.is_none() {
        conn.prepare_cached(FORGET_OLDEST)?.execute(params![op.actor_id, OPERATIONS_KEPT])?;
    }
    Ok(())
}

/// Adds results, by name, to the payload of a bulk operation.
///
/// # Errors
/// Any `StoreError`.
pub fn add_results(conn: &Connection, id: &str, results: &Map<String, Value>) -> Result<()> {
    if !results.is_empty() {
        let patch = json!({"results": results}).to_string();
        conn.prepare_cached(ADD_RESULTS)?.execute(params![id, patch])?;
    }
    Ok(())
}

/// Returns the operation with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Operation>> {
    Operation::one(conn, "WHERE id = ?1", [id])
}

/// Returns the id of an agent's open operation.
///
/// # Errors
/// Any `StoreError`.
pub fn open_of_agent(conn: &Connection, agent_id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(OPEN_OF_AGENT)?.query_row([agent_id], |row| row.get(0)).optional()?)
}

/// Returns the id of an agent's newest operation and when it ended.
///
/// # Errors
/// Any `StoreError`.
pub fn last_of_agent(conn: &Connection, agent_id: &str) -> Result<Option<(String, Option<Micros>)>> {
    let read = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
    Ok(conn.prepare_cached(LAST_OF_AGENT)?.query_row([agent_id], read).optional()?)
}

/// Returns an agent's newest operation of a kind.
///
/// # Errors
/// Any `StoreError`.
pub fn newest_of_agent(conn: &Connection, agent_id: &str, kind: OperationKind) -> Result<Option<Operation>> {
    Operation::one(
        conn,
        "WHERE agent_id = ?1 AND kind = ?2 ORDER BY created_at DESC, id DESC LIMIT 1",
        params![agent_id, kind],
    )
}

/// Returns true if an operation on an agent that was requested after `since` has succeeded.
///
/// # Errors
/// Any `StoreError`.
pub fn has_worked_since(conn: &Connection, agent_id: &str, since: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(HAS_WORKED_SINCE)?.query_row(params![agent_id, since], |row| row.get(0))?)
}

/// Lists the slugs that the newest restores of an agent have chosen.
///
/// # Errors
/// Any `StoreError`.
pub fn restore_slugs(conn: &Connection, agent_id: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(RESTORE_SLUGS)?;
    let rows = statement.query_map([agent_id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lists every operation that has not ended, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn open(conn: &Connection) -> Result<Vec<Operation>> {
    Operation::all(conn, "WHERE status IN ('queued', 'running') ORDER BY created_at, id", [])
}

/// Lists the parts of a bulk operation.
///
/// # Errors
/// Any `StoreError`.
pub fn children(conn: &Connection, parent_id: &str) -> Result<Vec<Operation>> {
    Operation::all(conn, "WHERE parent_id = ?1 ORDER BY agent_name", [parent_id])
}

/// True while a bulk operation has parts that have not ended.
///
/// # Errors
/// Any `StoreError`.
pub fn has_open_children(conn: &Connection, parent_id: &str) -> Result<bool> {
    let count: i64 = conn.prepare_cached(OPEN_CHILDREN)?.query_row([parent_id], |row| row.get(0))?;
    Ok(count > 0)
}

/// Marks a queued operation as running. Returns false if it is not queued any more.
///
/// # Errors
/// Any `StoreError`.
pub fn begin(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(BEGIN)?.execute(params![id, now])? > 0)
}

/// Notes the current step and the progress of a running operation.
///
/// # Errors
/// Any `StoreError`.
pub fn step(conn: &Connection, id: &str, step: &str, percent: i64) -> Result<()> {
    conn.prepare_cached(STEP)?.execute(params![id, step, percent])?;
    Ok(())
}

/// Asks an open operation to stop.
///
/// # Errors
/// Any `StoreError`.
pub fn cancel(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(CANCEL)?.execute([id])?;
    Ok(())
}

/// Ends an open operation.
///
/// # Errors
/// Any `StoreError`.
pub fn finish(
    conn: &Connection,
    id: &str,
    status: OperationStatus,
    result: Option<&str>,
    error: Option<&str>,
    now: Micros,
) -> Result<()> {
    conn.prepare_cached(FINISH)?.execute(params![id, status, result, error, now])?;
    Ok(())
}

/// Deletes the environment of deployments, with its secrets, which older releases kept in the rows. Runs once for a
/// database, and overwrites the bytes in the file and in its WAL.
///
/// # Errors
/// Any `StoreError`.
pub fn forget_environments(conn: &Connection) -> Result<()> {
    if meta::get(conn, FORGOTTEN)?.is_some() {
        return Ok(());
    }
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    let tx = conn.unchecked_transaction()?;
    let count = tx.execute(FORGET, [])?;
    meta::set(&tx, FORGOTTEN, "1")?;
    tx.commit()?;
    conn.pragma_update_and_check(None, "secure_delete", false, |_| Ok(()))?;
    if count > 0 {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        log::info!("removed the environment of {count} deployments from the database");
    }
    Ok(())
}

/// True if [`sweep`] may find something.
///
/// # Errors
/// Any `StoreError`.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([before], |row| row.get(0))?)
}

/// Deletes some of the operations that ended before `before`. Returns how many.
///
/// # Errors
/// Any `StoreError`.
pub fn sweep(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![before, PURGE_BATCH])?)
}
