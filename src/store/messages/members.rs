//! Who of a space goes by a name: whom messages mention and are addressed to.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;
use crate::time::Micros;

const USER: &str = "SELECT u.id, u.username FROM users u
    WHERE u.username = ?1 AND u.disabled = 0
        AND (EXISTS (SELECT 1 FROM spaces s WHERE s.id = ?2 AND s.owner_user_id = u.id)
            OR EXISTS (SELECT 1 FROM grants g WHERE g.principal_user_id = u.id
                AND coalesce(g.agent_id, 'space:' || g.space_id, '*') = 'space:' || ?2
                AND (g.expires_at IS NULL OR g.expires_at > ?3)))";
/// An agent is in the space it lives in as far as its owner is, and where it was let in.
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
/// Two statements, for each is one look into one index.
const NAMED: &[&str] =
    &["a.slug = ?1", "lower(a.given_name) = ?1 AND a.given_name IS NOT NULL AND a.slug <> lower(a.given_name)"];

/// Somebody in a space.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedMember {
    /// `user:ID` or `agent:ID`.
    pub principal: String,
    /// The name.
    pub name: String,
}

/// The members of a space that go by this name, in any case: a user, an agent, or both.
///
/// # Errors
/// The store's.
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
    look(USER, "user")?;
    for condition in NAMED {
        look(&AGENT.replace("NAMED", condition), "agent")?;
    }
    Ok(found)
}
