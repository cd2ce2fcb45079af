//! Which agents a principal sees, and from where a statement comes to them: by their age where it sees them all, from
//! its grants where it does not. So a list costs what its caller may see, not what the box holds.

use rusqlite::Connection;

use super::{AgentViewer, names};
use crate::store::Result;
use crate::store::clauses::Clauses;
use crate::store::grants::{self, Grantee};
use crate::time::Micros;

/// Grants of one principal that are put into the order of a list.
const FEW: u64 = 256;
/// The order of an index on grants. An agent's id grows with the time of its making, so it is that of their age.
pub(in crate::store) const BY_GRANT: &str = "coalesce(g.agent_id, 'space:' || g.space_id, '*')";

/// The order of the index of names: that in which the agents were made.
pub(in crate::store) const BY_NAME: &str = "p.rowid";

/// Where the agents come from that are seen.
#[derive(Debug, Clone)]
pub(in crate::store) enum Visible {
    /// All of them.
    All,
    /// One agent alone.
    Own(String),
    /// Those of these ids, as a JSON array, that the principal sees; `None`: that there are.
    Only(String, Option<Grantee>),
    /// Those whose names may hold a text, by its parts as the index of names takes them; that the principal sees.
    Named(String, Option<Grantee>),
    /// The principal's grants, and itself.
    Few(Grantee),
    /// Its grants where they are many, in the order of their index.
    Many(Grantee),
}

impl Visible {
    /// Those that `seen` shows whose names may hold `text`. What a principal with few grants sees is not worth an index.
    pub(in crate::store) fn holding(self, text: &str) -> Self {
        match self {
            Self::All => Self::Named(names::query(text), None),
            Self::Many(principal) => Self::Named(names::query(text), Some(principal)),
            other => other,
        }
    }

    /// Those that `seen` shows; `only`: of these ids.
    ///
    /// # Errors
    /// The store's.
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

    /// What stands behind `FROM`; it names the agents `a`.
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
                // The id of a space and `*` are no agent's.
                format!("grants g CROSS JOIN agents a ON a.id = {BY_GRANT}")
            }
        }
    }

    /// The order in which they come, oldest first.
    pub(in crate::store) fn order(&self) -> &'static str {
        match self {
            Self::Many(_) => BY_GRANT,
            Self::Named(..) => BY_NAME,
            _ => "a.created_at, a.id",
        }
    }
}

/// True of an agent, by the column of its id, that the principal sees.
pub(in crate::store) fn seen_by(clauses: &mut Clauses, principal: &Grantee, id: &str, now: Micros) -> String {
    let granted = granted(clauses, principal, now);
    let own = own(clauses, principal).map_or_else(String::new, |own| format!("{id} = {own} OR "));
    format!("({own}EXISTS (SELECT 1 FROM grants g WHERE g.agent_id = {id} AND {granted}))")
}

/// Grants `g` of the principal that count now.
fn granted(clauses: &mut Clauses, principal: &Grantee, now: Micros) -> String {
    let column = match principal {
        Grantee::User(_) => "g.principal_user_id",
        Grantee::Agent(_) => "g.principal_agent_id",
    };
    let (id, now) = (clauses.bind(principal.id().to_owned()), clauses.bind(now.0));
    format!("{column} = {id} AND (g.expires_at IS NULL OR g.expires_at > {now})")
}

/// The same of what the index of the principal's grants holds: one agent once, and no row of the table is read.
fn granted_by_index(clauses: &mut Clauses, principal: &Grantee, now: Micros) -> String {
    let (id, now) = (clauses.bind(principal.id().to_owned()), clauses.bind(now.0));
    let counts = |grant: &str| format!("{grant}.id NOT IN (SELECT e.id FROM grants e WHERE e.expires_at <= {now})");
    match principal {
        Grantee::User(_) => format!("g.principal_user_id = {id} AND {}", counts("g")),
        // A grant for a time may stand beside the lasting one.
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

/// The principal's own row, of an agent.
fn own(clauses: &mut Clauses, principal: &Grantee) -> Option<String> {
    match principal {
        Grantee::User(_) => None,
        Grantee::Agent(id) => Some(clauses.bind(id.clone())),
    }
}
