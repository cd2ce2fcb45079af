//! Finds the members of a space, for the mentions and recipients of messages.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;
use crate::time::Micros;

const USER: &str = "SELECT u.id, u.username FROM users u
    WHERE NAMED AND u.disabled = 0
        AND (EXISTS (SELECT 1 FROM spaces s WHERE s.id = ?2 AND s.owner_user_id = u.id)
            OR EXISTS (SELECT 1 FROM grants g WHERE g.principal_user_id = u.id
                AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = 'space:' || ?2
                AND (g.expires_at IS NULL OR g.expires_at > ?3)))";
const IS_ADMIN: &str = "SELECT 1 FROM users WHERE id = ?1 AND role = 'admin' AND disabled = 0";
/// An agent is in the space it lives in if its owner is in it or is an admin, and in every space that it was let into.
const AGENT: &str = "SELECT a.id, coalesce(a.given_name, a.slug) FROM agents a
    JOIN users o ON o.id = a.owner_user_id AND o.disabled = 0
    WHERE a.archived_at IS NULL AND NAMED
        AND (EXISTS (SELECT 1 FROM grants g WHERE g.principal_agent_id = a.id
                AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = 'space:' || ?2
                AND (g.expires_at IS NULL OR g.expires_at > ?3))
            OR (a.space_id = ?2 AND (o.role = 'admin'
                OR EXISTS (SELECT 1 FROM spaces s WHERE s.id = ?2 AND s.owner_user_id = o.id)
                OR EXISTS (SELECT 1 FROM grants g WHERE g.principal_user_id = o.id
                    AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = 'space:' || ?2
                    AND (g.expires_at IS NULL OR g.expires_at > ?3)))))";
/// Two statements, so that each is one lookup in one index.
const NAMED: &[&str] =
    &["a.slug = ?1", "lower(a.given_name) = ?1 AND a.given_name IS NOT NULL AND a.slug <> lower(a.given_name)"];

/// A member of a space.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedMember {
    /// The principal, `user:ID` or `agent:ID`.
    pub principal: String,
    /// The name.
    pub name: String,
}

/// Returns the members of a space with this name, whatever its case: a user, an agent, or both.
///
/// # Errors
/// Any `StoreError`.
pub fn named(conn: &Connection, space_id: &str, name: &str, now: Micros) -> Result<Vec<NamedMember>> {
    let lower = name.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut look = |sql: &str, kind: &str| -> Result<()> {
        let mut statement = conn.prepare_cached(sql)?;
        let row = statement.query_row(params![lower, space_id, now], |row| {
            Ok(NamedMember { principal: format!("{kind}:{}", row.get::<_, String>(0)?), name: row.get(1)? })
        });
        found.extend(row.optional()?);
        Ok(())
    };
    look(&USER.replace("NAMED", "u.username = ?1"), "user")?;
    for condition in NAMED {
        look(&AGENT.replace("NAMED", condition), "agent")?;
    }
    Ok(found)
}

/// Returns the member of a space with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn with_id(conn: &Connection, space_id: &str, id: &str, now: Micros) -> Result<Option<NamedMember>> {
    for (sql, kind, condition) in [(USER, "user", "u.id = ?1"), (AGENT, "agent", "a.id = ?1")] {
        let mut statement = conn.prepare_cached(&sql.replace("NAMED", condition))?;
        let row = statement.query_row(params![id, space_id, now], |row| {
            Ok(NamedMember { principal: format!("{kind}:{}", row.get::<_, String>(0)?), name: row.get(1)? })
        });
        if let Some(found) = row.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// True if a principal, `user:ID` or `agent:ID`, may still read what is in a space: a member, or an admin.
///
/// # Errors
/// Any `StoreError`.
pub fn is_member(conn: &Connection, space_id: &str, principal: &str, now: Micros) -> Result<bool> {
    let (sql, id) = match principal.split_once(':') {
        Some(("agent", id)) => (AGENT.replace("NAMED", "a.id = ?1"), id),
        Some(("user", id)) if conn.prepare_cached(IS_ADMIN)?.exists([id])? => return Ok(true),
        Some(("user", id)) => (USER.replace("NAMED", "u.id = ?1"), id),
        _ => return Ok(false),
    };
    Ok(conn.prepare_cached(&sql)?.exists(params![id, space_id, now])?)
}
