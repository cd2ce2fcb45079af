//! Grants: who may do what to which agent.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::page::{Page, Take, each};
use crate::time::Micros;

const SELECT: &str = "SELECT g.id, u.username, p.slug, g.agent_id, g.role, g.granted_by, g.granted_at
    FROM grants g
    LEFT JOIN users u ON u.id = g.principal_user_id
    LEFT JOIN agents p ON p.id = g.principal_agent_id";
const UPSERT_USER: &str = "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (principal_user_id, coalesce(agent_id, '*')) WHERE principal_user_id IS NOT NULL
    DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at
        WHERE role <> excluded.role";
const UPSERT_AGENT: &str = "INSERT INTO grants (id, principal_agent_id, agent_id, role, granted_by, granted_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (principal_agent_id, coalesce(agent_id, '*')) WHERE principal_agent_id IS NOT NULL
    DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at
        WHERE role <> excluded.role";
const ROLE_OF_USER: &str = "SELECT role FROM grants WHERE principal_user_id = ?1 AND coalesce(agent_id, '*') = ?2";
const ROLE_OF_AGENT: &str = "SELECT role FROM grants WHERE principal_agent_id = ?1 AND coalesce(agent_id, '*') = ?2";
const COUNT_ON_AGENT: &str = "SELECT count(*) FROM grants WHERE agent_id = ?1";
const DELETE: &str = "DELETE FROM grants WHERE id = ?1";
const DELETE_OF_AGENT: &str = "DELETE FROM grants WHERE agent_id = ?1 OR principal_agent_id = ?1";

/// Whom a grant is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A user, by id.
    User(String),
    /// An agent, by id.
    Agent(String),
}

/// A grant as told: principals by name.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The id.
    pub id: String,
    /// `user:NAME` or `agent:SLUG`.
    pub principal: String,
    /// The agent it is about; `None` for all.
    pub agent_id: Option<String>,
    /// The role's name.
    pub role: String,
    /// Who gave it.
    pub granted_by: String,
    /// When.
    pub granted_at: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let (user, agent): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
    Ok(Grant {
        id: row.get(0)?,
        principal: match (user, agent) {
            (Some(username), _) => format!("user:{username}"),
            (None, slug) => format!("agent:{}", slug.unwrap_or_default()),
        },
        agent_id: row.get(3)?,
        role: row.get(4)?,
        granted_by: row.get(5)?,
        granted_at: row.get(6)?,
    })
}

/// Gives a role, or changes the one given before. An equal grant is left as it is.
///
/// # Errors
/// The store's.
pub fn put(
    conn: &Connection,
    id: &str,
    grantee: &Grantee,
    agent_id: Option<&str>,
    role: &str,
    granted_by: &str,
    now: Micros,
) -> Result<()> {
    let (sql, principal) = match grantee {
        Grantee::User(principal) => (UPSERT_USER, principal),
        Grantee::Agent(principal) => (UPSERT_AGENT, principal),
    };
    conn.prepare_cached(sql)?.execute(params![id, principal, agent_id, role, granted_by, now])?;
    Ok(())
}

/// The role a principal was given on an agent, or on all (`None`).
///
/// # Errors
/// The store's.
pub fn role_of(conn: &Connection, grantee: &Grantee, agent_id: Option<&str>) -> Result<Option<String>> {
    let (sql, principal) = match grantee {
        Grantee::User(principal) => (ROLE_OF_USER, principal),
        Grantee::Agent(principal) => (ROLE_OF_AGENT, principal),
    };
    Ok(conn.prepare_cached(sql)?.query_row([principal, agent_id.unwrap_or("*")], |row| row.get(0)).optional()?)
}

/// The grant a principal holds on an agent, or on all (`None`).
///
/// # Errors
/// The store's.
pub fn of(conn: &Connection, grantee: &Grantee, agent_id: Option<&str>) -> Result<Option<Grant>> {
    let (column, principal) = match grantee {
        Grantee::User(principal) => ("g.principal_user_id", principal),
        Grantee::Agent(principal) => ("g.principal_agent_id", principal),
    };
    let sql = format!("{SELECT} WHERE {column} = ?1 AND coalesce(g.agent_id, '*') = ?2");
    Ok(conn.prepare_cached(&sql)?.query_row([principal, agent_id.unwrap_or("*")], read).optional()?)
}

/// How many grants there are on an agent.
///
/// # Errors
/// The store's.
pub fn count_on_agent(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_ON_AGENT)?.query_row([agent_id], |row| row.get(0))?)
}

/// The grant of this id.
///
/// # Errors
/// The store's.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Grant>> {
    let sql = format!("{SELECT} WHERE g.id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([id], read).optional()?)
}

/// Which grants to list.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only this principal's.
    pub grantee: Option<Grantee>,
    /// Only those on this agent (`Some(None)`: on all).
    pub agent_id: Option<Option<String>>,
    /// Only those on agents that this principal owns; `None`: every one.
    pub owned_by: Option<Grantee>,
}

/// Grants, oldest first.
///
/// # Errors
/// The store's.
pub fn list(conn: &Connection, filter: &GrantFilter, page: &Page, take: Take<'_, Grant>) -> Result<()> {
    let sql = format!(
        "{SELECT} WHERE (g.granted_at, g.id) > (?1, ?2)
            AND (?4 IS NULL OR g.principal_user_id = ?4)
            AND (?5 IS NULL OR g.principal_agent_id = ?5)
            AND (?6 IS NULL OR coalesce(g.agent_id, '*') = ?6)
            AND ((?7 IS NULL AND ?8 IS NULL) OR EXISTS (SELECT 1 FROM grants o WHERE o.agent_id = g.agent_id
                AND o.role = 'owner' AND (o.principal_user_id = ?7 OR o.principal_agent_id = ?8)))
            ORDER BY g.granted_at, g.id LIMIT ?3"
    );
    let ids = |grantee: &Option<Grantee>| match grantee {
        Some(Grantee::User(id)) => (Some(id.clone()), None),
        Some(Grantee::Agent(id)) => (None, Some(id.clone())),
        None => (None, None),
    };
    let (user, agent) = ids(&filter.grantee);
    let (owner_user, owner_agent) = ids(&filter.owned_by);
    let resource = filter.agent_id.as_ref().map(|id| id.as_deref().unwrap_or("*"));
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    let values = params![at, id, page.fetch(), user, agent, resource, owner_user, owner_agent];
    each(&mut statement, values, read, take)
}

/// Ends a grant.
///
/// # Errors
/// The store's.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([id])?;
    Ok(())
}

/// Ends every grant on an agent and every grant it holds.
///
/// # Errors
/// The store's.
pub fn delete_of_agent(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(DELETE_OF_AGENT)?.execute([agent_id])?;
    Ok(())
}
