//! Listing the audit, newest first: by actor, action, resource and time.

use rusqlite::{Connection, OptionalExtension};

use super::Record;
use crate::store::Result;
use crate::store::clauses::Clauses;
use crate::store::page::{Take, each};
use crate::time::Micros;

const NAME_OF: &str = "SELECT 'user:' || username FROM users WHERE id = ?1";

/// Finds the places of the rows that may be of a time, by the spans of 1,024 rows. The columns: the first place, the
/// last place of a full span, the first place after the full spans, and whether a row from there on is early enough.
const BETWEEN: &str = "SELECT (SELECT span * 1024 FROM audit_spans WHERE max_at >= ?1 ORDER BY span LIMIT 1),
        (SELECT span * 1024 + 1023 FROM audit_spans WHERE min_at <= ?2 ORDER BY span DESC LIMIT 1),
        behind, EXISTS (SELECT 1 FROM audit WHERE seq >= behind AND at <= ?2)
    FROM (SELECT coalesce((SELECT span * 1024 + 1024 FROM audit_spans ORDER BY span DESC LIMIT 1), 0) AS behind)";

/// Which audit rows to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only rows of the actor with this name.
    pub actor: Option<String>,
    /// Only rows of the actor with this id, and rows of its name without an id, which older versions wrote.
    pub actor_id: Option<String>,
    /// Rows of the name count only from this time on; before it the name was another actor's.
    pub actor_since: Option<Micros>,
    /// Only rows of this action.
    pub action: Option<String>,
    /// Only rows on this resource.
    pub resource: Option<String>,
    /// Only rows from this time on.
    pub since: Option<Micros>,
    /// Only rows up to this time.
    pub until: Option<Micros>,
}

/// Lists the rows before `before` (a place in the chain), newest first, at most `limit`.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, filter: &AuditFilter, before: i64, limit: u64, take: Take<'_, Record>) -> Result<()> {
    let mut clauses = Clauses::default();
    clauses.and_if("seq < ?", Some(before));
    if let Some(actor) = &filter.actor {
        let name = clauses.bind(actor.clone());
        let since = clauses.bind(filter.actor_since.map_or(i64::MIN, |at| at.0));
        match &filter.actor_id {
            None => clauses.and(&format!("actor = {name} AND at >= {since}")),
            Some(id) => {
                // A user's name never changes, so all rows of one id have it.
                clauses.and_if("actor = ?", name_of(conn, id)?);
                let id = clauses.bind(id.clone());
                clauses.and(&format!("(actor_id = {id} OR (actor = {name} AND at >= {since} AND actor_id IS NULL))"));
            }
        }
    }
    clauses.and_if("action = ?", filter.action.clone());
    clauses.and_if("resource = ?", filter.resource.clone());
    filter.in_time(conn, &mut clauses)?;
    let limit = clauses.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = format!("{} {} ORDER BY seq DESC LIMIT {limit}", Record::SELECT, clauses.text());
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, clauses.values(), Record::read, take)
}

impl AuditFilter {
    /// Narrows the list to the filter's time. Times need not grow with the places, so each row's time is compared too.
    fn in_time(&self, conn: &Connection, clauses: &mut Clauses) -> Result<()> {
        if self.since.is_none() && self.until.is_none() {
            return Ok(());
        }
        let since = self.since.map_or(i64::MIN, |at| at.0);
        let until = self.until.map_or(i64::MAX, |at| at.0);
        let (first, last, behind, is_behind): (Option<i64>, Option<i64>, i64, bool) = conn
            .prepare_cached(BETWEEN)?
            .query_row([since, until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        clauses.and_if("seq >= ?", Some(first.unwrap_or(behind)));
        clauses.and_if("seq <= ?", (!is_behind).then_some(last.unwrap_or(-1)));
        clauses.and_if("at >= ?", self.since.map(|at| at.0));
        clauses.and_if("at <= ?", self.until.map(|at| at.0));
        Ok(())
    }
}

/// Returns the name that the chain has for the principal with this id, if it is known.
fn name_of(conn: &Connection, id: &str) -> Result<Option<String>> {
    match id.strip_prefix("user:") {
        None => Ok(Some(id.to_owned())),
        Some(user) => Ok(conn.prepare_cached(NAME_OF)?.query_row([user], |row| row.get(0)).optional()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::{AuditEntry, append, retain};
    use proptest::prelude::*;

    const ROWS: i64 = 5 * 1024 + 100;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

        #[test]
        fn rows_of_a_time_are_found_whatever_the_clock_did(
            jumps in prop::collection::vec((0..ROWS, -4000i64..4000), 0..5),
            windows in prop::collection::vec((-100..ROWS + 100, -100..ROWS + 100), 8),
            gone in 0u64..3000,
        ) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
            let tx = conn.unchecked_transaction().unwrap();
            let mut at = 0;
            for n in 0..ROWS {
                at += 1 + jumps.iter().filter(|(when, _)| *when == n).map(|(_, by)| by).sum::<i64>();
                append(&tx, &AuditEntry::new("system", "test.act", "r", "-").at(Micros(at))).unwrap();
            }
            retain(&tx, Micros(0), true, gone).unwrap();
            let all = |since: i64, until: i64| -> Vec<i64> {
                let sql = "SELECT seq FROM audit WHERE at >= ?1 AND at <= ?2 ORDER BY seq DESC";
                let mut statement = tx.prepare(sql).unwrap();
                statement.query_map([since, until], |row| row.get(0)).unwrap().map(|seq| seq.unwrap()).collect()
            };
            for (since, until) in windows {
                for (from, to) in [(Some(since), Some(until)), (Some(since), None), (None, Some(until))] {
                    let (filter, mut found) = (AuditFilter { since: from.map(Micros), until: to.map(Micros),
                        ..AuditFilter::default() }, Vec::new());
                    list(&tx, &filter, i64::MAX, i64::MAX as u64, &mut |row| { found.push(row.seq); true }).unwrap();
                    prop_assert_eq!(found, all(from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)));
                }
            }
        }
    }
}
