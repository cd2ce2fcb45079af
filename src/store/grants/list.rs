//! Lists grants, oldest first: from what the caller owns if that is little, else from all grants by age.

use rusqlite::Connection;

use super::{Grant, Grantee, On, SELECT, are_more_than, read};
use crate::store::Result;
use crate::store::clauses::Clauses;
use crate::store::page::{Page, Take, each};
use crate::time::Micros;

/// The most grants of a principal that a list starts from; with more, it starts at the oldest grant of all.
const FEW: u64 = 256;

/// Which grants to list.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only grants of this principal.
    pub grantee: Option<Grantee>,
    /// Only grants on this object.
    pub on: Option<On>,
    /// Only grants on agents and spaces that this principal owns; `None`: all grants.
    pub owned_by: Option<Grantee>,
}

/// Lists grants, oldest first, including those past their end: `expires_at` shows it.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, filter: &GrantFilter, page: &Page, now: Micros, take: Take<'_, Grant>) -> Result<()> {
    let mut clauses = Clauses::default();
    let mut from = String::new();
    if let Some(owner) = &filter.owned_by {
        if are_more_than(conn, owner, FEW)? {
            is_owned(&mut clauses, owner, now);
        } else {
            from = owned(&mut clauses, owner, now);
        }
    }
    match &filter.grantee {
        Some(Grantee::User(id)) => clauses.and_if("g.principal_user_id = ?", Some(id.clone())),
        Some(Grantee::Agent(id)) => clauses.and_if("g.principal_agent_id = ?", Some(id.clone())),
        None => {}
    }
    match &filter.on {
        Some(On::Agent(id)) => clauses.and_if("g.agent_id = ?", Some(id.clone())),
        Some(On::Space(id)) => clauses.and_if("g.space_id = ?", Some(id.clone())),
        Some(On::AllAgents) => clauses.and("g.agent_id IS NULL AND g.space_id IS NULL"),
        None => {}
    }
    if let Some((at, id)) = &page.after {
        let (at, id) = (clauses.bind(at.0), clauses.bind(id.clone()));
        clauses.and(&format!("(g.granted_at, g.id) > ({at}, {id})"));
    }
    let limit = clauses.bind(i64::try_from(page.fetch()).unwrap_or(i64::MAX));
    let select = SELECT.replacen("FROM grants g", &format!("FROM {from}grants g"), 1);
    let sql = format!("{select} {} ORDER BY g.granted_at, g.id LIMIT {limit}", clauses.text());
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, clauses.values(), read, take)
}

/// Adds the condition that the principal owns a grant's object, for one that owns very much: by the age of all grants.
fn is_owned(clauses: &mut Clauses, owner: &Grantee, now: Micros) {
    let (id, at) = (clauses.bind(owner.id().to_owned()), clauses.bind(now.0));
    let (column, spaces) = match owner {
        Grantee::User(_) => (
            "o.principal_user_id",
            format!(" OR EXISTS (SELECT 1 FROM spaces s WHERE s.id = g.space_id AND s.owner_user_id = {id})"),
        ),
        Grantee::Agent(_) => ("o.principal_agent_id", String::new()),
    };
    clauses.and(&format!(
        "(EXISTS (SELECT 1 FROM grants o WHERE {column} = {id} AND o.role = 'owner'
            AND coalesce(o.agent_id, 'space:' || o.space_id, '*') = coalesce(g.agent_id, 'space:' || g.space_id, '*')
            AND (o.expires_at IS NULL OR o.expires_at > {at})){spaces})"
    ));
}

/// Returns what a principal owns, as the part of `FROM` before the grants on it. The list starts from the principal's
/// own grants and spaces, however many others there are.
fn owned(clauses: &mut Clauses, owner: &Grantee, now: Micros) -> String {
    let (id, at) = (clauses.bind(owner.id().to_owned()), clauses.bind(now.0));
    // An agent may hold a grant for a time beside the lasting one. What a user owns the UNION makes distinct.
    let (column, distinct, spaces) = match owner {
        Grantee::User(_) => {
            ("o.principal_user_id", "", format!(" UNION SELECT NULL, s.id FROM spaces s WHERE s.owner_user_id = {id}"))
        }
        Grantee::Agent(_) => ("o.principal_agent_id", "DISTINCT ", String::new()),
    };
    clauses.and(
        "g.id IN (SELECT x.id FROM grants x WHERE x.agent_id = v.agent_id
            UNION ALL SELECT x.id FROM grants x WHERE x.space_id = v.space_id)",
    );
    format!(
        "(SELECT {distinct}o.agent_id, o.space_id FROM grants o
            WHERE {column} = {id} AND o.role = 'owner' AND (o.expires_at IS NULL OR o.expires_at > {at}){spaces}) v
        CROSS JOIN "
    )
}
