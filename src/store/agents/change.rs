//! Statements that change agents.

use rusqlite::{Connection, params};

use super::find::name_is_taken;
use super::{Agent, AgentStatus, TokenDelivery, Wake};
use crate::store::{Result, news};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO agents (id, slug, given_name, display_name, origin, owner_user_id, owner_space_id,
        space_id, created_by, host, qmd_index, color, emoji, can_read_user_memory, framework, model, fallback_models,
        target_worker, on_worker_failure, soul_md, agent_md, source_persona_id, memory_plugin, status, paused,
        container_name, container_runtime, scope, revision, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
        ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)";
const UPDATE: &str = "UPDATE agents SET display_name = ?2, host = ?3, qmd_index = ?4, color = ?5, emoji = ?6,
        can_read_user_memory = ?7, framework = ?8, model = ?9, soul_md = ?10, agent_md = ?11, source_persona_id = ?12,
        memory_plugin = ?13, paused = ?14, scope = ?15, revision = revision + 1, updated_at = ?16
    WHERE id = ?1 AND archived_at IS NULL";
const ARCHIVE: &str = "UPDATE agents SET archived_at = ?2, updated_at = ?2, revision = revision + 1,
        frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL, frozen_by_admin = 0, thawing = 0,
        status = CASE WHEN container_name IS NULL THEN 'registered' ELSE 'stopped' END, paused = 0, asleep_at = NULL
    WHERE id = ?1 AND archived_at IS NULL";
const RESTORE: &str = "UPDATE agents SET archived_at = NULL, slug = ?2,
        given_name = iif(?4, given_name, NULL), snapshot_name = NULL,
        token_delivery = NULL, token_delivery_at = NULL, token_delivery_error = NULL, token_delivery_boot = NULL,
        revision = revision + 1, updated_at = ?3
    WHERE id = ?1 AND archived_at IS NOT NULL";
const GIVEN_NAME: &str = "SELECT given_name FROM agents WHERE id = ?1";
const PLACE: &str = "UPDATE agents SET space_id = ?2, revision = revision + 1, updated_at = ?3
    WHERE id = ?1 AND archived_at IS NULL";
// If neither this token nor the one before is delivered anywhere, nothing changes: not even the row is written.
const SET_DELIVERY: &str = "UPDATE agents SET token_delivery = ?2, token_delivery_at = ?3, token_delivery_error = ?4,
    token_delivery_boot = ?5 WHERE id = ?1 AND NOT (?2 IS 'not_injected' AND token_delivery IS 'not_injected'
        AND token_delivery_error IS ?4 AND token_delivery_boot IS ?5)";
const SET_CONTAINER: &str = "UPDATE agents SET container_name = ?2, container_runtime = ?3, status = ?4,
    revision = revision + 1, updated_at = ?5 WHERE id = ?1";
const SET_STATUS: &str = "UPDATE agents SET status = ?2, paused = ?3, revision = revision + 1, updated_at = ?4
    WHERE id = ?1 AND (status <> ?2 OR paused <> ?3)";
const SET_WAKE: &str = "UPDATE agents SET wake = ?2, idle_stop_minutes = ?3, revision = revision + 1, updated_at = ?4
    WHERE id = ?1 AND archived_at IS NULL";
const SLEEPS_SINCE: &str = "UPDATE agents SET asleep_at = ?2 WHERE id = ?1 AND asleep_at IS NOT ?2";
const SET_SNAPSHOT: &str = "UPDATE agents SET snapshot_name = ?2 WHERE id = ?1";
const TOUCH: &str = "UPDATE agents SET revision = revision + 1, updated_at = ?2 WHERE id = ?1 AND archived_at IS NULL";
const RENAME: &str = "UPDATE agents SET slug = ?2, given_name = ?3, revision = revision + 1, updated_at = ?4
    WHERE id = ?1 AND archived_at IS NULL";
const PURGE: &str = "DELETE FROM agents WHERE id = ?1 AND archived_at IS NOT NULL";
const FORGET: &str = "DELETE FROM agents WHERE id = ?1 AND archived_at IS NULL";

/// Adds an agent.
///
/// # Errors
/// `StoreError::Exists` if the slug, the given name or the container is taken.
pub fn insert(conn: &Connection, a: &Agent) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        a.id,
        a.slug,
        a.given_name,
        a.display_name,
        a.origin,
        a.owner_user_id,
        a.owner_space_id,
        a.space_id,
        a.created_by,
        a.host,
        a.qmd_index,
        a.color,
        a.emoji,
        a.can_read_user_memory,
        a.framework,
        a.model,
        a.fallback_models,
        a.target_worker,
        a.on_worker_failure,
        a.soul_md,
        a.agent_md,
        a.source_persona_id,
        a.memory_plugin,
        a.status,
        a.paused,
        a.container_name,
        a.container_runtime,
        a.scope,
        a.revision,
        a.created_at,
        a.updated_at,
    ])?;
    Ok(())
}

/// Stores the settings of a live agent under the next revision.
///
/// # Errors
/// Any `StoreError`.
pub fn update(conn: &Connection, a: &Agent, now: Micros) -> Result<()> {
    conn.prepare_cached(UPDATE)?.execute(params![
        a.id,
        a.display_name,
        a.host,
        a.qmd_index,
        a.color,
        a.emoji,
        a.can_read_user_memory,
        a.framework,
        a.model,
        a.soul_md,
        a.agent_md,
        a.source_persona_id,
        a.memory_plugin,
        a.paused,
        a.scope,
        now,
    ])?;
    Ok(())
}

/// Increments the revision of a live agent because data outside its row has changed.
///
/// # Errors
/// Any `StoreError`.
pub fn touch(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(TOUCH)?.execute(params![id, now])?;
    Ok(())
}

/// Gives a live agent another slug and given name; its container keeps its name.
///
/// # Errors
/// `StoreError::Exists` if another live agent has the name.
pub fn rename(conn: &Connection, id: &str, slug: &str, given_name: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(RENAME)?.execute(params![id, slug, given_name, now])?;
    Ok(())
}

/// Puts a live agent into a space.
///
/// # Errors
/// Any `StoreError`.
pub fn place(conn: &Connection, id: &str, space_id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(PLACE)?.execute(params![id, space_id, now])?;
    Ok(())
}

/// The outcome of a delivery of a token.
#[derive(Debug, Default)]
pub struct Delivery<'a> {
    /// How the delivery ended; `None` if there is no token.
    pub state: Option<TokenDelivery>,
    /// Why the delivery failed.
    pub error: Option<&'a str>,
    /// The run of the container whose processes still have the old environment.
    pub boot: Option<&'a str>,
}

impl Delivery<'_> {
    /// Returns an outcome with this state and nothing else.
    pub fn state(state: TokenDelivery) -> Self {
        Self { state: Some(state), ..Self::default() }
    }
}

/// Records the outcome of the last delivery of a token.
///
/// # Errors
/// Any `StoreError`.
pub fn set_delivery(conn: &Connection, id: &str, delivery: &Delivery<'_>, now: Micros) -> Result<()> {
    let Delivery { state, error, boot } = delivery;
    conn.prepare_cached(SET_DELIVERY)?.execute(params![id, state, state.map(|_| now), error, boot])?;
    Ok(())
}

/// Records an agent's status and the name and runtime of its container; `None` if it has none any more.
///
/// # Errors
/// `StoreError::Exists` if another agent has this container.
pub fn set_container(
    conn: &Connection,
    id: &str,
    container: Option<(&str, &str)>,
    status: AgentStatus,
    now: Micros,
) -> Result<()> {
    let (name, runtime) = container.unzip();
    conn.prepare_cached(SET_CONTAINER)?.execute(params![id, name, runtime, status, now])?;
    Ok(())
}

/// Records an agent's status and whether it is paused. Returns true if this changed the row.
///
/// # Errors
/// Any `StoreError`.
pub fn set_status(conn: &Connection, id: &str, status: AgentStatus, paused: bool, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(SET_STATUS)?.execute(params![id, status, paused, now])? > 0)
}

/// Records how news wakes a live agent, and after how many idle minutes it is put to sleep; 0 means never.
///
/// # Errors
/// Any `StoreError`.
pub fn set_wake(conn: &Connection, id: &str, wake: Wake, idle_stop_minutes: i64, now: Micros) -> Result<()> {
    conn.prepare_cached(SET_WAKE)?.execute(params![id, wake, idle_stop_minutes, now])?;
    Ok(())
}

/// Records when the daemon put an agent to sleep; `None` if it did not, or the agent is awake again.
///
/// # Errors
/// Any `StoreError`.
pub fn sleeps_since(conn: &Connection, id: &str, since: Option<Micros>) -> Result<()> {
    conn.prepare_cached(SLEEPS_SINCE)?.execute(params![id, since])?;
    Ok(())
}

/// Records the container's snapshot made at archiving.
///
/// # Errors
/// Any `StoreError`.
pub fn set_snapshot(conn: &Connection, id: &str, snapshot: Option<&str>) -> Result<()> {
    conn.prepare_cached(SET_SNAPSHOT)?.execute(params![id, snapshot])?;
    Ok(())
}

/// Archives a live agent, which frees its slug. The caller must end its credentials and grants.
///
/// # Errors
/// Any `StoreError`.
pub fn archive(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(ARCHIVE)?.execute(params![id, now])?;
    // News that waits for the agent must not wake it after a restore.
    news::settle(conn, id)
}

/// Restores an archived agent under a free slug.
///
/// # Errors
/// `StoreError::Exists` if the slug is taken.
pub fn restore(conn: &Connection, id: &str, slug: &str, now: Micros) -> Result<()> {
    let given: Option<String> = conn.prepare_cached(GIVEN_NAME)?.query_row([id], |row| row.get(0))?;
    let keeps = match given {
        Some(name) => !name_is_taken(conn, &name.to_ascii_lowercase())?,
        None => false,
    };
    conn.prepare_cached(RESTORE)?.execute(params![id, slug, now, keeps])?;
    Ok(())
}

/// Deletes a live agent whose deployment was taken back, with its credentials and grants.
///
/// # Errors
/// Any `StoreError`.
pub fn forget(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(FORGET)?.execute([id])?;
    Ok(())
}

/// Deletes an archived agent with its credentials and grants.
///
/// # Errors
/// Any `StoreError`.
pub fn purge(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(PURGE)?.execute([id])?;
    Ok(())
}
