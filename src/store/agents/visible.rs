//! The agents that a principal sees, and where a statement finds them: by age if it sees all agents, otherwise from its
//! grants. So the cost of a list depends on what its caller may see, not on the size of the registry.

use rusqlite::Connection;

use super::{AgentViewer, names};
use crate::store::Result;
use crate::store::clauses::Clauses;
use crate::store::grants::{self, Grantee};
use crate::time::Micros;

/// The most grants of one principal that a list sorts.
const FEW: u64 = 256;
/// The order of the index on grants. Agents' ids grow with the time of creation, so this is the order of age too.
pub(in crate::store) const BY_GRANT: &str = "coalesce(g.agent_id, 'space:' || g.space_id, '*')";

/// The order of the index of names, in which the agents were made.
pub(in crate::store) const BY_NAME: &str = "p.rowid";

/// The source of the visible agents in a statement.
#[derive(Debug, Clone)]
pub(in crate::store) enum Visible {
    /// All agents.
    All,
    /// Only the agent with this id.
    Own(String),
    /// The agents with these ids, a JSON array, that the principal sees; with `None`, all that exist.
    Only(String, Option<Grantee>),
    /// The agents that a query of the index of names finds and the principal sees; with `None`, all that it finds.
    Named(String, Option<Grantee>),
    /// The agents of the principal's grants, and itself.
    Few(Grantee),
    /// The agents of a principal with many grants, in the order of the index on grants.
    Many(Grantee),
}

impl Visible {
    /// Returns those whose names may contain `text`. With few grants the index of names is not worth it.
    pub(in crate::store) fn holding(self, text: &str) -> Self {
        match self {
            Self::All => Self::Named(names::query(text), None),
            Self::Many(principal) => Self::Named(names::query(text), Some(principal)),
            other => other,
        }
    }

    /// Returns the agents that `seen` may see; with `only`, those of them that have these ids.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub(in crate::store) fn of(conn: &Connection, seen: &AgentViewer, only: Option<&[String]>) -> Result<Self> {
        let only = only.map(|ids| serde_json::Value::from(ids.to_vec()).to_string());
        Ok(match (seen, only) {
            (AgentViewer::All, None) => Self::All,
            (AgentViewer::All, Some(only)) => Self::Only(only, None),
            (AgentViewer::By(principal), Some(only)) => Self::Only(only, Some(principal.clone())),
            (AgentViewer::By(principal), None) if grants::are_more_than(conn, principal, FEW)? => {
                Self::Many(principal.clone())
            }
            (AgentViewer::By(principal), None) => Self::Few(principal.clone()),
        })
    }

    /// Returns the text behind `FROM`, which names the agents `a`, and adds the conditions that it needs.
    pub(in crate::store) fn from(&self, clauses: &mut Clauses, now: Micros) -> String {
        match self {
            Self::All => "agents a".to_owned(),
            Self::Own(id) => {
                clauses.and_if("a.id = ?", Some(id.clone()));
                "agents a".to_owned()
            }
            Self::Only(ids, principal) => {
                let ids = clauses.bind(ids.clone());
                if let Some(principal) = principal {
                    let seen = seen_by(clauses, principal, "a.id", now);
                    clauses.and(&seen);
                }
                format!("(SELECT DISTINCT value AS id FROM json_each({ids})) v CROSS JOIN agents a ON a.id = v.id")
            }
            Self::Named(parts, principal) => {
                clauses.and_if("agent_parts MATCH ?", Some(parts.clone()));
                if let Some(principal) = principal {
                    let seen = seen_by(clauses, principal, "a.id", now);
                    clauses.and(&seen);
                }
                "agent_parts p CROSS JOIN agent_names n ON n.seq = p.rowid CROSS JOIN agents a ON a.id = n.agent_id"
                    .to_owned()
            }
            Self::Few(principal) => {
                let granted = granted(clauses, principal, now);
                let own = own(clauses, principal).map_or_else(String::new, |id| format!(" UNION SELECT {id}"));
                format!(
                    "(SELECT g.agent_id AS id FROM grants g WHERE {granted} AND g.agent_id IS NOT NULL{own}) v
                    CROSS JOIN agents a ON a.id = v.id"
                )
            }
            Self::Many(principal) => {
                let granted = granted_by_index(clauses, principal, now);
                clauses.and(&granted);
                // The key may also be the id of a space or `*`, which no agent has.
                format!("grants g CROSS JOIN agents a ON a.id = {BY_GRANT}")
            }
        }
    }

    /// Returns the columns to order by, oldest agents first.
    pub(in crate::store) fn order(&self) -> &'static str {
        match self {
            Self::Many(_) => BY_GRANT,
            Self::Named(..) => BY_NAME,
            _ => "a.created_at, a.id",
        }
    }
}

/// Returns the condition that the principal sees an agent; `id` is the column with the agent's id.
pub(in crate::store) fn seen_by(clauses: &mut Clauses, principal: &Grantee, id: &str, now: Micros) -> String {
    let granted = granted(clauses, principal, now);
    let own = own(clauses, principal).map_or_else(String::new, |own| format!("{id} = {own} OR "));
    format!("({own}EXISTS (SELECT 1 FROM grants g WHERE g.agent_id = {id} AND {granted}))")
}

/// Returns the condition for grants `g` of the principal that have not expired.
fn granted(clauses: &mut Clauses, principal: &Grantee, now: Micros) -> String {
    let column = match principal {
        Grantee::User(_) => "g.principal_user_id",
        Grantee::Agent(_) => "g.principal_agent_id",
    };
    let (id, now) = (clauses.bind(principal.id().to_owned()), clauses.bind(now.0));
    format!("{column} = {id} AND (g.expires_at IS NULL OR g.expires_at > {now})")
}

/// Like [`granted`], but reads only the index of the principal's grants and no row of the table. Each agent comes once.
fn granted_by_index(clauses: &mut Clauses, principal: &Grantee, now: Micros) -> String {
    let (id, now) = (clauses.bind(principal.id().to_owned()), clauses.bind(now.0));
    let counts = |grant: &str| format!("{grant}.id NOT IN (SELECT e.id FROM grants e WHERE e.expires_at <= {now})");
    match principal {
        Grantee::User(_) => format!("g.principal_user_id = {id} AND {}", counts("g")),
        // An agent may hold temporary grants beside the permanent one: only the first one counts.
        Grantee::Agent(_) => format!(
            "g.principal_agent_id = {id} AND {} AND (coalesce(g.request_id, '') = '' OR NOT EXISTS (
                SELECT 1 FROM grants h WHERE h.principal_agent_id = {id} AND {} = {BY_GRANT}
                    AND coalesce(h.request_id, '') < coalesce(g.request_id, '') AND {}))",
            counts("g"),
            BY_GRANT.replace("g.", "h."),
            counts("h")
        ),
    }
}

/// Returns the parameter with the principal's own id, if the principal is an agent.
fn own(clauses: &mut Clauses, principal: &Grantee) -> Option<String> {
    match principal {
        Grantee::User(_) => None,
        Grantee::Agent(id) => Some(clauses.bind(id.clone())),
    }
}
