//! The deployment history: the commits that an agent was registered with.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::page::{Numbered, Take, each};
use crate::time::Micros;

const SELECT: &str = "SELECT id, agent_id, author_name, author_email, branch_name, commit_hash, built_at, deployed_at
    FROM deployment_history";
const INSERT: &str = "INSERT INTO deployment_history
        (id, agent_id, author_name, author_email, branch_name, commit_hash, built_at, deployed_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const NEWEST_COMMIT: &str = "SELECT commit_hash FROM deployment_history WHERE agent_id = ?1
    ORDER BY deployed_at DESC, id DESC LIMIT 1";
const FORGET_OLDEST: &str = "DELETE FROM deployment_history WHERE id IN (SELECT id FROM deployment_history
    WHERE agent_id = ?1 ORDER BY deployed_at DESC, id DESC LIMIT -1 OFFSET ?2)";
pub use crate::limits::DEPLOYMENT_HISTORY as KEPT;

/// An item of an agent's deployment history.
#[derive(Debug, Clone)]
pub struct HistoryItem {
    /// The id.
    pub id: String,
    /// The agent's id.
    pub agent_id: String,
    /// The name of the commit's author.
    pub author_name: String,
    /// The author's e-mail address.
    pub author_email: String,
    /// The branch.
    pub branch_name: String,
    /// The commit's hash.
    pub commit_hash: String,
    /// When it was built, as the client said.
    pub built_at: Micros,
    /// When the agent first registered with it.
    pub deployed_at: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<HistoryItem> {
    Ok(HistoryItem {
        id: row.get(0)?,
        agent_id: row.get(1)?,
        author_name: row.get(2)?,
        author_email: row.get(3)?,
        branch_name: row.get(4)?,
        commit_hash: row.get(5)?,
        built_at: row.get(6)?,
        deployed_at: row.get(7)?,
    })
}

/// Adds an item, and deletes the agent's oldest ones beyond [`KEPT`].
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, item: &HistoryItem) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        item.id,
        item.agent_id,
        item.author_name,
        item.author_email,
        item.branch_name,
        item.commit_hash,
        item.built_at,
        item.deployed_at
    ])?;
    conn.prepare_cached(FORGET_OLDEST)?.execute(params![item.agent_id, KEPT])?;
    Ok(())
}

/// Returns the commit hash of an agent's newest item.
///
/// # Errors
/// Any `StoreError`.
pub fn newest_commit(conn: &Connection, agent_id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(NEWEST_COMMIT)?.query_row([agent_id], |row| row.get(0)).optional()?)
}

/// Returns the item with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<HistoryItem>> {
    Ok(conn.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], read).optional()?)
}

/// Passes a page of an agent's items to `take`.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, agent_id: &str, page: &Numbered, take: Take<'_, HistoryItem>) -> Result<()> {
    let columns = [("deployment_timestamp", "deployed_at"), ("id", "id")];
    let sql = format!("{SELECT} WHERE agent_id = ?3 {}", page.clause(&columns, &["deployed_at", "id"]));
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![page.limit, page.offset, agent_id], read, take)
}
