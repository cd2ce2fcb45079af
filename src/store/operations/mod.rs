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
// Finished ones of the same principal beyond so many, a batch at a time.
const FORGET_OLDEST: &str = "DELETE FROM operations WHERE id IN (SELECT id FROM operations
    WHERE actor_id = ?1 AND finished_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 200 OFFSET ?2)";
const OPEN_OF_AGENT: &str = "SELECT id FROM operations WHERE agent_id = ?1 AND status IN ('queued', 'running')";
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
/// The key in `meta` that says that [`forget_environments`] has been here.
const FORGOTTEN: &str = "deploy_environments_forgotten";

record! {
    /// An operation.
    pub struct Operation from "operations" {
        /// The id.
        pub id: String = "id",
        /// What it does.
        pub kind: OperationKind = "kind",
        /// Where it stands.
        pub status: OperationStatus = "status",
        /// The agent it is about.
        pub agent_id: Option<String> = "agent_id",
        /// That agent's slug when it was asked for.
        pub agent_name: Option<String> = "agent_name",
        /// The bulk operation it is part of.
        pub parent_id: Option<String> = "parent_id",
        /// What it is at.
        pub step: String = "step",
        /// Percent.
        pub progress: i64 = "progress",
        /// Whether someone asked it to stop.
        pub cancelling: bool = "cancelling",
        /// What it needs to know, as JSON. Never a secret.
        pub payload: String = "payload",
        /// What the route answers, as JSON.
        pub result: Option<String> = "result",
        /// The error's envelope, as JSON.
        pub error: Option<String> = "error",
        /// Who asked for it, as the audit names it.
        pub actor: String = "actor",
        /// Who asked for it, by id: whose it is.
        pub actor_id: Option<String> = "actor_id",
        /// In which request.
        pub request_id: String = "request_id",
        /// When.
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
    /// Where an operation stands.
    pub enum OperationStatus {
        Queued "queued" "It waits.";
        Running "running" "It is being carried out.";
        Succeeded "succeeded" "It is done.";
        Failed "failed" "It ended with an error.";
        Cancelled "cancelled" "It was stopped before its end.";
    }
}

impl Operation {
    /// A new one, queued.
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

    /// Who asked for it.
    pub fn asker(&self) -> Maker {
        Maker { actor: self.actor.clone(), id: self.actor_id.clone(), credential: None }
    }

    /// True once it has ended.
    pub fn is_finished(&self) -> bool {
        self.finished_at.is_some()
    }
}

/// Adds an operation.
///
/// # Errors
/// `Exists` if the agent has an open one.
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
    // The parts of a bulk go with it.
    if op.parent_id.is_none() {
        conn.prepare_cached(FORGET_OLDEST)?.execute(params![op.actor_id, OPERATIONS_KEPT])?;
    }
    Ok(())
}

/// Adds results by name to the payload of a bulk operation.
///
/// # Errors
/// The store's.
pub fn add_results(conn: &Connection, id: &str, results: &Map<String, Value>) -> Result<()> {
    if !results.is_empty() {
        let patch = json!({"results": results}).to_string();
        conn.prepare_cached(ADD_RESULTS)?.execute(params![id, patch])?;
    }
    Ok(())
}

/// The operation of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Operation>> {
    Operation::one(conn, "WHERE id = ?1", [id])
}

/// The id of an agent's open operation.
///
/// # Errors
/// The store's.
pub fn open_of_agent(conn: &Connection, agent_id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(OPEN_OF_AGENT)?.query_row([agent_id], |row| row.get(0)).optional()?)
}

/// An agent's newest operation of a kind.
///
/// # Errors
/// The store's.
pub fn newest_of_agent(conn: &Connection, agent_id: &str, kind: OperationKind) -> Result<Option<Operation>> {
    Operation::one(
        conn,
        "WHERE agent_id = ?1 AND kind = ?2 ORDER BY created_at DESC, id DESC LIMIT 1",
        params![agent_id, kind],
    )
}

/// Every operation that has not ended, oldest first.
///
/// # Errors
/// The store's.
pub fn open(conn: &Connection) -> Result<Vec<Operation>> {
    Operation::all(conn, "WHERE status IN ('queued', 'running') ORDER BY created_at, id", [])
}

/// The parts of a bulk operation.
///
/// # Errors
/// The store's.
pub fn children(conn: &Connection, parent_id: &str) -> Result<Vec<Operation>> {
    Operation::all(conn, "WHERE parent_id = ?1 ORDER BY agent_name", [parent_id])
}

/// True while a bulk operation has parts that have not ended.
///
/// # Errors
/// The store's.
pub fn has_open_children(conn: &Connection, parent_id: &str) -> Result<bool> {
    let count: i64 = conn.prepare_cached(OPEN_CHILDREN)?.query_row([parent_id], |row| row.get(0))?;
    Ok(count > 0)
}

/// Marks a queued operation as running. False if it is not queued any more.
///
/// # Errors
/// The store's.
pub fn begin(conn: &Connection, id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(BEGIN)?.execute(params![id, now])? > 0)
}

/// Notes what a running operation is at.
///
/// # Errors
/// The store's.
pub fn step(conn: &Connection, id: &str, step: &str, percent: i64) -> Result<()> {
    conn.prepare_cached(STEP)?.execute(params![id, step, percent])?;
    Ok(())
}

/// Asks an open operation to stop.
///
/// # Errors
/// The store's.
pub fn cancel(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(CANCEL)?.execute([id])?;
    Ok(())
}

/// Ends an open operation.
///
/// # Errors
/// The store's.
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

/// Takes out of the rows what older releases kept in them: the environment of deployments, with its secrets. Once for a
/// database; the bytes are overwritten in the file and in its WAL.
///
/// # Errors
/// The store's.
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
/// The store's.
pub fn is_due(conn: &Connection, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([before], |row| row.get(0))?)
}

/// Removes some of the operations that ended before `before`. How many.
///
/// # Errors
/// The store's.
pub fn sweep(conn: &Connection, before: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(SWEEP)?.execute(params![before, PURGE_BATCH])?)
}
