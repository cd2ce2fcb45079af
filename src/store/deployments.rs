//! Deployments: records of where an agent was put, at most one of them in production.

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Numbered, Take};
use super::row::record;
use crate::closed_set::closed_set;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO deployments (agent_id, id, docker_image, status, is_production, metadata, acp_url,
        by_user, sgp_deploy_id, helm_release_name, created_at)
    VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)";
const COUNT: &str = "SELECT count(*) FROM deployments WHERE agent_id = ?1";
const COUNT_BY_AGENT: &str =
    "SELECT count(*) FROM deployments WHERE agent_id = ?1 AND by_user = 0 AND status = 'Ready'";
const REGISTER: &str = "UPDATE deployments SET status = 'Ready', metadata = ?3, acp_url = ?4, by_user = ?5
    WHERE agent_id = ?1 AND id = ?2 AND expires_at IS NULL
        AND seq > (SELECT deployments_ended FROM agents WHERE id = ?1)";
const DEMOTE: &str = "UPDATE deployments SET is_production = 0 WHERE agent_id = ?1 AND is_production = 1";
const PROMOTE: &str = "UPDATE deployments SET is_production = 1, promoted_at = ?3
    WHERE agent_id = ?1 AND id = ?2 AND expires_at IS NULL
        AND seq > (SELECT deployments_ended FROM agents WHERE id = ?1)";
const EXPIRE: &str = "UPDATE deployments SET is_production = 0, expires_at = ?3
    WHERE agent_id = ?1 AND id = ?2 AND expires_at IS NULL";
const END_ALL: &str =
    "UPDATE agents SET deployments_ended = coalesce((SELECT max(seq) FROM deployments), 0) WHERE id = ?1";
const DELETE_SOME: &str =
    "DELETE FROM deployments WHERE seq IN (SELECT seq FROM deployments WHERE agent_id = ?1 LIMIT ?2)";

record! {
    /// A deployment as stored.
    pub struct Deployment from "deployments d JOIN agents a ON a.id = d.agent_id" {
        /// The agent's id.
        pub agent_id: String = "d.agent_id",
        /// The id, unique among the agent's deployments.
        pub id: String = "d.id",
        /// The Docker image.
        pub docker_image: String = "d.docker_image",
        /// The status.
        pub status: DeploymentStatus = "d.status",
        /// Whether it is the one in production.
        pub is_production: bool = "d.is_production",
        /// The metadata that it gave, as a JSON object.
        pub metadata: Option<String> = "d.metadata",
        /// The address (ACP) that it answers at.
        pub acp_url: Option<String> = "d.acp_url",
        /// Whether a user named that address.
        pub by_user: bool = "d.by_user",
        /// Stored unchanged for the client.
        pub sgp_deploy_id: Option<String> = "d.sgp_deploy_id",
        /// Stored unchanged for the client.
        pub helm_release_name: Option<String> = "d.helm_release_name",
        /// When it was recorded.
        pub created_at: Micros = "d.created_at",
        /// When it was last promoted to production.
        pub promoted_at: Option<Micros> = "d.promoted_at",
        /// When it was deleted.
        pub expires_at: Option<Micros> = "CASE WHEN d.expires_at IS NULL AND d.seq <= a.deployments_ended THEN a.updated_at
            ELSE d.expires_at END",
    }
}

closed_set! {
    /// The status of a deployment.
    pub enum DeploymentStatus {
        Pending "Pending" "It has not registered.";
        Ready "Ready" "It has registered.";
        Failed "Failed" "It failed.";
    }
}

/// Records a deployment that is not in production.
///
/// # Errors
/// `StoreError::Exists` if the agent has or had a deployment with this id.
pub fn insert(conn: &Connection, d: &Deployment) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        d.agent_id,
        d.id,
        d.docker_image,
        d.status,
        d.metadata,
        d.acp_url,
        d.by_user,
        d.sgp_deploy_id,
        d.helm_release_name,
        d.created_at
    ])?;
    Ok(())
}

/// Returns an agent's deployment with this id, deleted or not.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, agent_id: &str, id: &str) -> Result<Option<Deployment>> {
    Deployment::one(conn, "WHERE d.agent_id = ?1 AND d.id = ?2", [agent_id, id])
}

/// Returns an agent's deployment in production.
///
/// # Errors
/// Any `StoreError`.
pub fn production(conn: &Connection, agent_id: &str) -> Result<Option<Deployment>> {
    Deployment::one(conn, "WHERE d.agent_id = ?1 AND d.is_production = 1", [agent_id])
}

/// Passes a page of an agent's deployments to `take`, without deleted ones. They are sorted without their metadata,
/// which may be long.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, agent_id: &str, page: &Numbered, take: Take<'_, Deployment>) -> Result<()> {
    let columns = [("created_at", "created_at"), ("promoted_at", "promoted_at"), ("id", "id")];
    let order = page.clause(&columns, &["created_at", "id"]);
    let sql = format!(
        "SELECT id FROM deployments WHERE agent_id = ?3 AND expires_at IS NULL
            AND seq > (SELECT deployments_ended FROM agents WHERE id = ?3) {order}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let ids = statement.query_map(params![page.limit, page.offset, agent_id], |row| row.get(0))?;
    let ids = ids.collect::<rusqlite::Result<Vec<String>>>()?;
    for id in ids {
        if by_id(conn, agent_id, &id)?.is_some_and(|deployment| !take(deployment)) {
            break;
        }
    }
    Ok(())
}

/// Returns the number of an agent's deployments, including deleted ones.
///
/// # Errors
/// Any `StoreError`.
pub fn count(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([agent_id], |row| row.get(0))?)
}

/// Returns the number of an agent's deployments that it registered last itself, including deleted ones.
///
/// # Errors
/// Any `StoreError`.
pub fn count_by_agent(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_BY_AGENT)?.query_row([agent_id], |row| row.get(0))?)
}

/// Marks a deployment as ready, at this address. Returns false if it is missing or deleted.
///
/// # Errors
/// Any `StoreError`.
pub fn register(
    conn: &Connection,
    agent_id: &str,
    id: &str,
    metadata: Option<&str>,
    acp_url: &str,
    by_user: bool,
) -> Result<bool> {
    Ok(conn.prepare_cached(REGISTER)?.execute(params![agent_id, id, metadata, acp_url, by_user])? > 0)
}

/// Takes an agent's deployment out of production. Returns false if none was in production.
///
/// # Errors
/// Any `StoreError`.
pub fn demote(conn: &Connection, agent_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(DEMOTE)?.execute([agent_id])? > 0)
}

/// Puts a deployment into production. The previous one must be demoted first.
///
/// # Errors
/// `StoreError::Exists` if another deployment is in production.
pub fn promote(conn: &Connection, agent_id: &str, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(PROMOTE)?.execute(params![agent_id, id, now])?;
    Ok(())
}

/// Marks a deployment as deleted. Its id cannot be used again.
///
/// # Errors
/// Any `StoreError`.
pub fn expire(conn: &Connection, agent_id: &str, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(EXPIRE)?.execute(params![agent_id, id, now])?;
    Ok(())
}

/// Marks all deployments of an agent as deleted; their ids cannot be used again. Writes only the row in production.
///
/// # Errors
/// Any `StoreError`.
pub fn expire_all(conn: &Connection, agent_id: &str) -> Result<()> {
    demote(conn, agent_id)?;
    conn.prepare_cached(END_ALL)?.execute([agent_id])?;
    Ok(())
}

/// Deletes at most `most` rows of an agent's deployments, before the agent's own row is deleted. Returns their number.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_some(conn: &Connection, agent_id: &str, most: u64) -> Result<usize> {
    Ok(conn.prepare_cached(DELETE_SOME)?.execute(params![agent_id, most])?)
}
