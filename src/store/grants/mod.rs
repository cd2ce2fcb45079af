//! Grants: who may do what to which agent, and who is a member of which space (DESIGN D9).

mod list;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use crate::closed_set::closed_set;
use crate::time::Micros;

pub use list::{GrantFilter, list};

const SELECT: &str = "SELECT g.id, u.username, p.slug, g.agent_id, g.space_id, g.role, g.granted_by, g.granted_at,
        g.expires_at
    FROM grants g
    LEFT JOIN users u ON u.id = g.principal_user_id
    LEFT JOIN agents p ON p.id = g.principal_agent_id";
const UPSERT_USER: &str =
    "INSERT INTO grants (id, principal_user_id, agent_id, space_id, role, granted_by, granted_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (principal_user_id, coalesce(agent_id, 'space:' || space_id, '*')) WHERE principal_user_id IS NOT NULL
    DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at,
        expires_at = excluded.expires_at";
const UPSERT_AGENT: &str =
    "INSERT INTO grants (id, principal_agent_id, agent_id, space_id, role, granted_by, granted_at, expires_at, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (principal_agent_id, coalesce(agent_id, 'space:' || space_id, '*'), coalesce(request_id, ''))
    WHERE principal_agent_id IS NOT NULL
    DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at,
        expires_at = excluded.expires_at";
/// The highest of the roles; SQLite takes the word from the row that has it.
const ROLE_OF_USER: &str = "SELECT role, max(CASE role WHEN 'owner' THEN 3 WHEN 'editor' THEN 2 ELSE 1 END) FROM grants
    WHERE principal_user_id = ?1 AND coalesce(agent_id, 'space:' || space_id, '*') = ?2
        AND (expires_at IS NULL OR expires_at > ?3)";
const ROLE_OF_AGENT: &str =
    "SELECT role, max(CASE role WHEN 'owner' THEN 3 WHEN 'editor' THEN 2 ELSE 1 END) FROM grants
    WHERE principal_agent_id = ?1 AND coalesce(agent_id, 'space:' || space_id, '*') = ?2
        AND (expires_at IS NULL OR expires_at > ?3)";
const HELD_BY_USER: &str = "SELECT EXISTS (SELECT 1 FROM grants WHERE principal_user_id = ?1 LIMIT 1 OFFSET ?2)";
const HELD_BY_AGENT: &str = "SELECT EXISTS (SELECT 1 FROM grants WHERE principal_agent_id = ?1 LIMIT 1 OFFSET ?2)";
const COUNT_ON_AGENT: &str = "SELECT count(*) FROM grants WHERE agent_id = ?1";
const DELETE: &str = "DELETE FROM grants WHERE id = ?1";
const DELETE_OF_AGENT: &str = "DELETE FROM grants WHERE agent_id = ?1 OR principal_agent_id = ?1";
const DELETE_MEMBER: &str = "DELETE FROM grants
    WHERE space_id = ?1 AND (principal_user_id = ?2 OR principal_agent_id = ?2)";
/// Counts up to a bound, so that the work is bounded too.
const COUNT_ON_SPACE: &str = "SELECT count(*) FROM (SELECT 1 FROM grants WHERE space_id = ?1 LIMIT ?2)";

/// The principal that a grant is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A user, by id.
    User(String),
    /// An agent, by id.
    Agent(String),
}

impl Grantee {
    /// Returns the principal's id.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Agent(id) => id,
        }
    }
}

/// The object of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// All agents.
    AllAgents,
    /// One agent, by id.
    Agent(String),
    /// One space, by id.
    Space(String),
}

impl On {
    /// Returns the object for one agent.
    pub fn agent(id: &str) -> Self {
        Self::Agent(id.to_owned())
    }

    /// Returns the object for one space.
    pub fn space(id: &str) -> Self {
        Self::Space(id.to_owned())
    }

    /// Returns the object as the indexes have it.
    fn selector(&self) -> String {
        match self {
            Self::AllAgents => "*".to_owned(),
            Self::Agent(id) => id.clone(),
            Self::Space(id) => format!("space:{id}"),
        }
    }

    fn agent_id(&self) -> Option<&str> {
        if let Self::Agent(id) = self { Some(id) } else { None }
    }

    fn space_id(&self) -> Option<&str> {
        if let Self::Space(id) = self { Some(id) } else { None }
    }
}

impl std::fmt::Display for On {
    /// Writes the object as replies and the audit have it: `agent:*`, `agent:ID` or `space:ID`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllAgents => f.write_str("agent:*"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Space(id) => write!(f, "space:{id}"),
        }
    }
}

closed_set! {
    /// The role that a grant gives. Each includes those before it, except `Creator`, which is about no single agent.
    pub enum GrantRole {
        Creator "creator" "May make agents; on agent:* alone.";
        Viewer "viewer" "Reads.";
        Editor "editor" "Also changes.";
        Owner "owner" "Also shares and archives.";
    }
}

/// A grant, with its principal by name.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The id.
    pub id: String,
    /// The principal, `user:NAME` or `agent:SLUG`.
    pub principal: String,
    /// The object.
    pub on: On,
    /// The role.
    pub role: GrantRole,
    /// Who gave it.
    pub granted_by: String,
    /// When it was given.
    pub granted_at: Micros,
    /// When it ends; `None` if it has no end.
    pub expires_at: Option<Micros>,
}

impl Grant {
    /// True if the grant has not ended.
    pub fn is_live(&self, now: Micros) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let (user, agent): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
    let (agent_id, space_id): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(Grant {
        id: row.get(0)?,
        principal: match (user, agent) {
            (Some(username), _) => format!("user:{username}"),
            (None, slug) => format!("agent:{}", slug.unwrap_or_default()),
        },
        on: match (agent_id, space_id) {
            (Some(id), _) => On::Agent(id),
            (None, Some(id)) => On::Space(id),
            (None, None) => On::AllAgents,
        },
        role: row.get(5)?,
        granted_by: row.get(6)?,
        granted_at: row.get(7)?,
        expires_at: row.get(8)?,
    })
}

/// A role to give.
#[derive(Debug)]
pub struct RoleGrant<'a> {
    /// The principal that gets it.
    pub grantee: &'a Grantee,
    /// The object.
    pub on: &'a On,
    /// The role.
    pub role: GrantRole,
    /// Who gives it.
    pub granted_by: &'a str,
    /// When it ends; `None` if it has no end.
    pub expires_at: Option<Micros>,
}

/// Gives a role without an end, or changes the one given before.
///
/// # Errors
/// Any `StoreError`.
pub fn put(
    conn: &Connection,
    id: &str,
    grantee: &Grantee,
    on: &On,
    role: GrantRole,
    granted_by: &str,
    now: Micros,
) -> Result<()> {
    give(conn, id, &RoleGrant { grantee, on, role, granted_by, expires_at: None }, now)
}

/// Gives a role, or changes the one given before.
///
/// # Errors
/// Any `StoreError`.
pub fn give(conn: &Connection, id: &str, given: &RoleGrant<'_>, now: Micros) -> Result<()> {
    insert(conn, id, given, None, now)
}

/// Gives an agent the role that it asked for: a separate grant beside the lasting one, which ends with the request.
///
/// # Errors
/// Any `StoreError`.
pub fn lend(conn: &Connection, id: &str, given: &RoleGrant<'_>, request_id: &str, now: Micros) -> Result<()> {
    insert(conn, id, given, Some(request_id), now)
}

fn insert(conn: &Connection, id: &str, given: &RoleGrant<'_>, request_id: Option<&str>, now: Micros) -> Result<()> {
    let (to, on) = (given.grantee.id(), given.on);
    let (agent, space) = (on.agent_id(), on.space_id());
    let (role, by, end) = (given.role, given.granted_by, given.expires_at);
    match given.grantee {
        Grantee::User(_) => {
            conn.prepare_cached(UPSERT_USER)?.execute(params![id, to, agent, space, role, by, now, end])?
        }
        Grantee::Agent(_) => {
            conn.prepare_cached(UPSERT_AGENT)?.execute(params![id, to, agent, space, role, by, now, end, request_id])?
        }
    };
    Ok(())
}

/// Returns the highest role that a principal holds on an object now.
///
/// # Errors
/// Any `StoreError`.
pub fn role_of(conn: &Connection, grantee: &Grantee, on: &On, now: Micros) -> Result<Option<GrantRole>> {
    let sql = match grantee {
        Grantee::User(_) => ROLE_OF_USER,
        Grantee::Agent(_) => ROLE_OF_AGENT,
    };
    Ok(conn.prepare_cached(sql)?.query_row(params![grantee.id(), on.selector(), now], |row| row.get(0))?)
}

/// Returns the grant that a principal has on an object, even past its end. Grants that a request brought are left out.
///
/// # Errors
/// Any `StoreError`.
pub fn of(conn: &Connection, grantee: &Grantee, on: &On) -> Result<Option<Grant>> {
    let column = match grantee {
        Grantee::User(_) => "g.principal_user_id",
        Grantee::Agent(_) => "g.principal_agent_id",
    };
    let sql = format!(
        "{SELECT} WHERE {column} = ?1 AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = ?2
            AND g.request_id IS NULL"
    );
    Ok(conn.prepare_cached(&sql)?.query_row([grantee.id(), &on.selector()], read).optional()?)
}

/// True if a principal holds more than `number` grants.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn are_more_than(conn: &Connection, grantee: &Grantee, number: u64) -> Result<bool> {
    let sql = match grantee {
        Grantee::User(_) => HELD_BY_USER,
        Grantee::Agent(_) => HELD_BY_AGENT,
    };
    Ok(conn.prepare_cached(sql)?.query_row(params![grantee.id(), number], |row| row.get(0))?)
}

/// Counts the grants on an agent.
///
/// # Errors
/// Any `StoreError`.
pub fn count_on_agent(conn: &Connection, agent_id: &str) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_ON_AGENT)?.query_row([agent_id], |row| row.get(0))?)
}

/// Returns the grant with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Grant>> {
    let sql = format!("{SELECT} WHERE g.id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([id], read).optional()?)
}

/// Deletes a grant.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(DELETE)?.execute([id])?;
    Ok(())
}

/// Deletes every grant on an agent and every grant that it holds.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_of_agent(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(DELETE_OF_AGENT)?.execute([agent_id])?;
    Ok(())
}

/// Ends a principal's membership of a space. Returns false if it had none.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_member(conn: &Connection, space_id: &str, principal_id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(DELETE_MEMBER)?.execute([space_id, principal_id])? > 0)
}

/// Counts the grants on a space, up to `most`.
///
/// # Errors
/// Any `StoreError`.
pub fn count_on_space(conn: &Connection, space_id: &str, most: u64) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_ON_SPACE)?.query_row(params![space_id, most], |row| row.get(0))?)
}
