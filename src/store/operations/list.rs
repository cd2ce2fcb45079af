//! Lists operations, newest first. For a caller who sees few agents the list starts from those agents, for everybody
//! else from the index of the filter. So a page costs what the caller may see, not what the box keeps.

use rusqlite::Connection;

use super::{Operation, OperationKind, OperationStatus};
use crate::store::Result;
use crate::store::agents::AgentViewer;
use crate::store::agents::visible::{Visible, seen_by};
use crate::store::clauses::Clauses;
use crate::store::grants::Grantee;
use crate::store::page::{Page, Take, each};
use crate::time::Micros;

/// Which operations to list.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    /// Only operations in this status.
    pub status: Option<OperationStatus>,
    /// Only operations of this kind.
    pub kind: Option<OperationKind>,
    /// Only operations about the agent with this slug.
    pub agent: Option<String>,
}

/// Lists operations, newest first: those about agents that `seen` shows, and those of the principal `actor_id` itself.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    seen: &AgentViewer,
    actor_id: &str,
    filter: &OperationFilter,
    page: &Page,
    take: Take<'_, Operation>,
) -> Result<()> {
    let mut clauses = Clauses::default();
    let visible = Visible::of(conn, seen, None)?;
    let sql = match &visible {
        Visible::Few(_) => filter.of_few(&visible, actor_id, page, &mut clauses),
        Visible::Many(principal) => filter.of_all(Some((principal, actor_id)), page, &mut clauses),
        _ => filter.of_all(None, page, &mut clauses),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, clauses.values(), Operation::read, take)
}

impl OperationFilter {
    /// Returns the conditions on operations `o`, including the place where the page starts.
    fn narrow(&self, page: &Page, clauses: &mut Clauses) -> String {
        let (at, id) = page.newest_first();
        let (at, id) = (clauses.bind(at.0), clauses.bind(id.to_owned()));
        let mut all = format!("(o.created_at, o.id) < ({at}, {id})");
        let mut and = |column: &str, value: Option<&str>| {
            if let Some(value) = value {
                let value = clauses.bind(value.to_owned());
                all.push_str(&format!(" AND o.{column} = {value}"));
            }
        };
        and("status", self.status.map(|status| status.slug()));
        and("kind", self.kind.map(|kind| kind.slug()));
        and("agent_name", self.agent.as_deref());
        all
    }

    /// Selects as many as fit on the page from each agent that is seen and from those that the principal asked for.
    fn of_few(&self, visible: &Visible, actor_id: &str, page: &Page, clauses: &mut Clauses) -> String {
        let from = visible.from(clauses, Micros::now());
        let narrowed = self.narrow(page, clauses);
        let actor = clauses.bind(actor_id.to_owned());
        let order = newest_first(page, clauses);
        let own = |ended: &str| {
            format!(
                "SELECT * FROM (SELECT o.id, o.created_at FROM operations o
                    WHERE o.actor_id = {actor} AND o.finished_at {ended} AND {narrowed} {order})"
            )
        };
        format!(
            "{} WHERE id IN (SELECT o.id FROM (
                SELECT x.id, x.created_at FROM {from} CROSS JOIN operations x
                    WHERE x.id IN (SELECT o.id FROM operations o WHERE o.agent_id = v.id AND {narrowed} {order})
                UNION {} UNION {}) o {order})
            ORDER BY created_at DESC, id DESC",
            Operation::SELECT,
            own("IS NOT NULL"),
            own("IS NULL")
        )
    }

    /// Selects from all operations; with a principal, which sees very many, only those that it sees.
    fn of_all(&self, seen: Option<(&Grantee, &str)>, page: &Page, clauses: &mut Clauses) -> String {
        let mut narrowed = self.narrow(page, clauses);
        if let Some((principal, actor_id)) = seen {
            let seen = seen_by(clauses, principal, "o.agent_id", Micros::now());
            let actor = clauses.bind(actor_id.to_owned());
            narrowed.push_str(&format!(" AND (o.actor_id = {actor} OR {seen})"));
        }
        format!("{} o WHERE {narrowed} {}", Operation::SELECT, newest_first(page, clauses))
    }
}

fn newest_first(page: &Page, clauses: &mut Clauses) -> String {
    let limit = clauses.bind(i64::try_from(page.fetch()).unwrap_or(i64::MAX));
    format!("ORDER BY o.created_at DESC, o.id DESC LIMIT {limit}")
}
